# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
# An agent may have anybody take part in a ticket whose mail address it knows, but no account of which it knows only the
# number or the name: who takes part is seen (see User_Local.pm), and so all could be, one number after the other.
package RT::TakingPart;

use strict;
use warnings;

# Who opens a ticket: those who are to take part in it are looked up by its queue, which acts for the system.
our $Opener;

# Guards what a class of records does with those who are to take part.
sub guard {
    my ($class) = @_;
    my ($canonicalize, $parse, $resolve) = map { $class->can($_) } qw(CanonicalizePrincipal ParseInputPrincipals _ResolveRoles);
    no strict 'refs';
    no warnings 'redefine';
    *{"${class}::CanonicalizePrincipal"} = sub {
        my ($self, %args) = @_;
        my ($principal, $message) = $self->$canonicalize(%args);
        return ($principal, $message) unless $principal;
        $self->{by_address}{ $principal->id } = 1 if ($args{User} // '') =~ /@/;
        return $principal if may($self, $principal);
        return (0, $self->loc("Could not find or create user '[_1]'", $args{User} // $args{Group} // $args{PrincipalId} // ''));
    };
    *{"${class}::ParseInputPrincipals"} = sub {
        my ($self, $input) = @_;
        my ($found, $errors) = $self->$parse($input);
        for my $user (grep { $_->isa('RT::User') } @$found) {
            my @addresses = grep { defined && /@/ } $user->EmailAddress, $user->Name;
            $self->{by_address}{ $user->id } = 1 if grep { index(lc $input, lc $_) >= 0 } @addresses;
        }
        return ([grep { may($self, $_->PrincipalObj) } @$found], $errors);
    };
    *{"${class}::_ResolveRoles"} = sub {
        my ($self, $roles, @more) = @_;
        my @errors = $self->$resolve($roles, @more);
        @$_ = grep { may($self, $_) } @$_ for values %$roles;
        return @errors;
    };
}

# Whether the one that acts on the record may have the principal take part.
sub may {
    my ($record, $principal) = @_;
    return 1 if !$principal->id || $record->{by_address}{ $principal->id };
    my $class  = $principal->IsUser ? 'RT::User' : 'RT::Group';
    my $object = $class->new(RT->SystemUser);
    $object->Load($principal->id);
    return !$object->IsHiddenFrom($record->isa('RT::Queue') && $Opener || $record->CurrentUser);
}

1;
