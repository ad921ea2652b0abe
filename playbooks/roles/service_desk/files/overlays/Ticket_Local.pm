# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
# See TakingPart.pm.
package RT::Ticket;

use strict;
use warnings;
use RT::TakingPart;

RT::TakingPart::guard(__PACKAGE__);

my $create;
BEGIN { $create = RT::Ticket->can('Create') }

no warnings 'redefine';

sub Create {
    my $self = shift;
    local $RT::TakingPart::Opener = $self->CurrentUser;
    return $self->$create(@_);
}

1;
