# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
# Keeps agencies apart where Request Tracker's rights cannot: to one another's agents, accounts do not exist. And bounds how
# often passwords are guessed.
#
# Request Tracker lets whoever may log in see every user of the desk. Here an agent, `<agency>.<agent>`, sees the agents of
# the own agency, and of all other people those who take part in a ticket of its queue or wrote on one. Whoever else
# is looked up, listed, counted or searched for, by number too, is not found.
package RT::User;

use strict;
use warnings;
no warnings 'redefine';
use RT::Guessing;

my $is_password;
BEGIN { $is_password = RT::User->can('IsPassword') }

sub IsPassword {
    my ($self, @given) = @_;
    return RT::Guessing::bounded($self, sub { $self->$is_password(@given) });
}

# The agency that an account is an agent of; undef for the system, and for people who write mail and cannot log in.
sub AgencyOf {
    my ($account) = @_;
    my $name = $account && $account->id ? $account->__Value('Name') // '' : '';
    return $name =~ /\A([a-z0-9-]+)\.[^@]+\z/ ? $1 : undef;
}

# The SQL condition that an agent may see the row `main` of Users.
sub SeenBy {
    my ($agent) = @_;
    my $agency = AgencyOf($agent);
    my $always = join ', ', map { int $_->id } RT->SystemUser, RT->Nobody, $agent;
    my $queue  = "JOIN Tickets t ON t.id = %s JOIN Queues q ON q.id = t.Queue AND q.Name = '$agency'";
    my $takes_part = 'SELECT 1 FROM CachedGroupMembers m JOIN Groups g ON g.id = m.GroupId ' . sprintf($queue, 'g.Instance')
        . " WHERE m.MemberId = main.id AND g.Domain = 'RT::Ticket-Role'";
    my $wrote = 'SELECT 1 FROM Transactions x ' . sprintf($queue, 'x.ObjectId')
        . " WHERE x.Creator = main.id AND x.ObjectType = 'RT::Ticket'";
    return "(main.id IN ($always) OR (main.Name LIKE '$agency.%' AND main.Name NOT LIKE '%\@%')"
        . " OR (main.Name LIKE '%\@%' AND (EXISTS ($takes_part) OR EXISTS ($wrote))))";
}

sub IsHiddenFrom {
    my ($self, $reader) = @_;
    return 0 unless $self->id && defined AgencyOf($reader);
    my $asked = 'SELECT 1 FROM Users main WHERE main.id = ? AND ' . SeenBy($reader);
    my ($seen) = RT->DatabaseHandle->dbh->selectrow_array($asked, undef, $self->id);
    return !$seen;
}

sub LoadByCols {
    my ($self, @cols) = @_;
    my ($found, $message) = $self->SUPER::LoadByCols(@cols);
    # Who logs in is loaded as a current user, and that is how it becomes known who asks.
    if (!$self->isa('RT::CurrentUser') && $self->IsHiddenFrom($self->CurrentUser)) {
        @{$self}{qw(values fetched)} = ({}, {});
        ($found, $message) = (0, $self->loc("Couldn't find row"));
    }
    return wantarray ? ($found, $message) : $found;
}

1;
