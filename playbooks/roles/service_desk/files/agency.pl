# Makes one agency's part of Request Tracker what the JSON after __END__ says, and prints as JSON what differed.
#
# Input:  action (present | absent | sweep), check (true: change nothing), id, name, subject (of verification tickets);
#         for present: email, comment_email, passwords {agent: password}
# Output: changed, before [..], after [..]. sweep removes the tickets of a verification, and dies when somebody of the
# agency has a right beyond its own queue.
use strict;
use warnings;
use lib '/usr/share/request-tracker5/lib';
use JSON::PP ();
use RT -init;
use RT::Shredder;

# Agencies share the database, and each would hold rows that another needs: one at a time, until this program ends.
$RT::Handle->dbh->do(q{SELECT pg_advisory_lock(hashtext('agency'))});

my $input = JSON::PP::decode_json(join '', <DATA>);
my $id    = $input->{id};
my (@before, @after);

# What members of the agency's group may do, and what people who only write mail may do.
my @AGENT_RIGHTS = qw(
    SeeQueue CreateTicket ShowTicket ShowTicketComments ShowOutgoingEmail ReplyToTicket CommentOnTicket
    ModifyTicket OwnTicket TakeTicket StealTicket ReassignTicket ForwardMessage Watch WatchAsAdminCc
);
my @PUBLIC_RIGHTS = qw(CreateTicket ReplyToTicket);

# One fact: nothing to do when it is as wanted, otherwise noted for the diff and, outside check mode, put right.
sub settle {
    my ($what, $is, $want, $put_right) = @_;
    return if $is eq $want;
    push @before, "$what: $is";
    push @after,  "$what: $want";
    return if $input->{check};
    my ($done, $message) = $put_right->();
    die "$what: $message\n" unless $done;
}

sub settle_fields {
    my ($what, $record, %wanted) = @_;
    for my $field (sort keys %wanted) {
        my $set = "Set$field";
        settle("$what $field", $record->$field // '', $wanted{$field}, sub { $record->$set($wanted{$field}) });
    }
}

sub queue { my $queue = RT::Queue->new(RT->SystemUser); $queue->Load($id); return $queue }
sub group { my $group = RT::Group->new(RT->SystemUser); $group->LoadUserDefinedGroup($id); return $group }

# Everyone who was ever an agent of this agency: logins are `<agency>.<agent>`, and agency ids hold no full stop.
sub logins {
    my $users = RT::Users->new(RT->SystemUser);
    $users->FindAllRows;
    $users->Limit(FIELD => 'Name', OPERATOR => 'STARTSWITH', VALUE => "$id.");
    return @{ $users->ItemsArrayRef };
}

# The rights of one principal as `type object right`, whatever they are on.
sub rights {
    my ($principal_id) = @_;
    my $acl = RT::ACL->new(RT->SystemUser);
    $acl->Limit(FIELD => 'PrincipalId', VALUE => $principal_id);
    return map { join(' ', $_->ObjectType, $_->ObjectId, $_->RightName) => $_ } @{ $acl->ItemsArrayRef };
}

# What reaches beyond the agency's queue: [words, how to take it away].
sub foreign {
    my ($queue, $group) = @_;
    my %own = map { ('RT::Queue ' . $queue->id . " $_" => 1) } @AGENT_RIGHTS;
    my (%found, @foreign);
    %found = rights($group->id);
    push @foreign, map { my $ace = $found{$_}; ["group $id: $_", sub { $ace->Delete }] } grep { !$own{$_} } sort keys %found;
    for my $user (logins()) {
        my $equivalent = RT::Group->new(RT->SystemUser);
        $equivalent->LoadACLEquivalenceGroup($user->PrincipalObj);
        %found = rights($equivalent->id);
        push @foreign, map { my $ace = $found{$_}; [$user->Name . ": $_", sub { $ace->Delete }] } sort keys %found;
        push @foreign, map { my $other = $_; [$user->Name . ': member of ' . $other->Name, sub { $other->DeleteMember($user->id) }] }
            grep { $_->id != $group->id } @{ $user->OwnGroups(Recursively => 0)->ItemsArrayRef };
    }
    return @foreign;
}

sub grant {
    my ($queue, $who, $principal, @rights) = @_;
    my %found = rights($principal->id);
    for my $right (@rights) {
        my $is = $found{ 'RT::Queue ' . $queue->id . " $right" } ? 'granted' : 'missing';
        settle("$who $right", $is, 'granted', sub { $principal->GrantRight(Object => $queue, Right => $right) });
    }
}

sub present {
    my $queue  = queue();
    my %wanted = (
        Description => $input->{name}, CorrespondAddress => $input->{email}, CommentAddress => $input->{comment_email},
        SLADisabled => 0,
    );
    settle("queue $id", $queue->id ? 'present' : 'absent', 'present', sub { $queue->Create(Name => $id, %wanted) });
    settle_fields("queue $id", $queue, %wanted, Disabled => 0) if $queue->id;

    my $group = group();
    settle("group $id", $group->id ? 'present' : 'absent', 'present',
        sub { $group->CreateUserDefinedGroup(Name => $id, Description => $input->{name}) });
    settle_fields("group $id", $group, Description => $input->{name}) if $group->id;

    my %agents = map { ("$id.$_" => $_) } keys %{ $input->{passwords} };
    for my $login (sort keys %agents) {
        my $password = $input->{passwords}{ $agents{$login} };
        my $user     = RT::User->new(RT->SystemUser);
        $user->Load($login);
        settle("agent $login", $user->id ? 'present' : 'absent', 'present', sub {
            $user->Create(Name => $login, RealName => $agents{$login}, Password => $password, Privileged => 1);
        });
        next unless $user->id;
        settle_fields("agent $login", $user, RealName => $agents{$login}, Privileged => 1, Disabled => 0);
        settle("agent $login password", $user->IsPassword($password) ? 'as given' : 'another', 'as given',
            sub { $user->SetPassword($password) });
        next unless $group->id;
        settle("agent $login member", $group->HasMember($user->id) ? 'yes' : 'no', 'yes', sub { $group->AddMember($user->id) });
    }
    # Who left keeps a disabled account, so that old tickets still say who wrote them.
    for my $user (grep { !$agents{ $_->Name } } logins()) {
        settle('agent ' . $user->Name . ' Disabled', $user->Disabled, 1, sub { $user->SetDisabled(1) });
        settle('agent ' . $user->Name . ' member', $group->HasMember($user->id) ? 'yes' : 'no', 'no',
            sub { $group->DeleteMember($user->id) }) if $group->id;
    }
    return unless $queue->id && $group->id;
    grant($queue, "group $id", $group->PrincipalObj, @AGENT_RIGHTS);
    my $public = RT::Group->new(RT->SystemUser);
    $public->LoadSystemInternalGroup('Unprivileged');
    grant($queue, 'requesters', $public->PrincipalObj, @PUBLIC_RIGHTS);
    settle($_->[0], 'granted', 'revoked', $_->[1]) for foreign($queue, $group);
}

# Shredded, not disabled: nothing of the agency stays in the shared database, and a later onboarding starts afresh.
sub shred {
    my (@objects) = @_;
    my $shredder = RT::Shredder->new(force => 1);
    my $nobody   = RT->Nobody->id;
    # What the system or another agency still holds of a user (who granted a right, who wrote a line) goes to Nobody.
    $shredder->PutResolver(BaseClass => 'RT::User', Code => sub {
        my %args   = @_;
        my $target = $args{TargetObject};
        for my $field (grep { $target->_Accessible($_ => 'read') } qw(Creator LastUpdatedBy)) {
            $target->__Set(Field => $field, Value => $nobody) if $target->__Value($field) == $args{BaseObject}->id;
        }
    });
    $shredder->PutObjects(Objects => \@objects);
    $shredder->WipeoutAll;
    return 1;
}

# People outside the agency who are known to the desk only because they wrote to this queue.
sub requesters {
    my $tickets = RT::Tickets->new(RT->SystemUser);
    $tickets->{allow_deleted_search} = 1;
    $tickets->FromSQL("Queue = '$id'");
    my %people;
    while (my $ticket = $tickets->Next) {
        for my $role (qw(Requestor Cc AdminCc)) {
            $people{ $_->id } = $_ for @{ $ticket->RoleGroup($role)->UserMembersObj->ItemsArrayRef };
        }
    }
    return grep { !$_->Privileged } values %people;
}

sub without_tickets {
    my ($user) = @_;
    my $tickets = RT::Tickets->new(RT->SystemUser);
    $tickets->{allow_deleted_search} = 1;
    $tickets->FromSQL('Watcher.id = ' . $user->id);
    return !$tickets->First;
}

sub absent {
    my @requesters = requesters();
    my @gone = (['queue', grep { $_->id } queue()], ['group', grep { $_->id } group()], ['agent', logins()]);
    for my $kind (@gone) {
        my ($what, @objects) = @$kind;
        settle("$what " . $_->Name, 'present', 'absent', sub { 1 }) for @objects;
        shred(@objects) if @objects && !$input->{check};
    }
    return if $input->{check};
    my @strangers = grep { without_tickets($_) } @requesters;
    shred(@strangers) if @strangers;
}

if ($input->{action} eq 'present') { present() }
elsif ($input->{action} eq 'absent') { absent() }
else {
    # The tickets of `verify` are the agency's own, marked by their subject: gone when the conversation is over.
    my $tickets = RT::Tickets->new(RT->SystemUser);
    $tickets->FromSQL(qq{Queue = '$id' AND Subject = '$input->{subject}'});
    my @tickets = @{ $tickets->ItemsArrayRef };
    shred(@tickets) if @tickets && !$input->{check};
    my @foreign = map { $_->[0] } foreign(queue(), group());
    die 'rights beyond the agency: ' . join('; ', @foreign) . "\n" if @foreign;
}
print JSON::PP->new->utf8->canonical->encode({ changed => (@after ? \1 : \0), before => \@before, after => \@after });
