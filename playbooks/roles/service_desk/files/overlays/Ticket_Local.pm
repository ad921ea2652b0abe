# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
# See TakingPart.pm, and below.
package RT::Ticket;

use strict;
use warnings;
use RT::TakingPart;

RT::TakingPart::guard(__PACKAGE__);

my ($create, $set);
BEGIN { ($create, $set) = map { RT::Ticket->can($_) } qw(Create _Set) }

no warnings 'redefine';

# The service level of a ticket is the one that its agency has ordered: an agent chooses no other.
sub Create {
    my ($self, %args) = @_;
    delete $args{SLA} unless $self->CurrentUser->id == RT->SystemUser->id;
    local $RT::TakingPart::Opener = $self->CurrentUser;
    return $self->$create(%args);
}

sub _Set {
    my ($self, %args) = @_;
    return (0, $self->loc('Permission Denied'))
        if $args{Field} eq 'SLA' && $self->CurrentUser->id != RT->SystemUser->id
        && ($args{Value} // '') ne (RT::SLA->GetDefaultServiceLevel(Queue => $self->QueueObj) // '');
    return $self->$set(%args);
}

1;
