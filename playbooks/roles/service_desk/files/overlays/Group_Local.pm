# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
# The group of another agency does not exist for an agent: see User_Local.pm.
package RT::Group;

use strict;
use warnings;
no warnings 'redefine';

sub IsHiddenFrom {
    my ($self, $reader) = @_;
    my $agency = $self->id ? RT::User::AgencyOf($reader) : undef;
    return defined $agency && $self->__Value('Domain') eq 'UserDefined' && $self->__Value('Name') ne $agency;
}

sub LoadByCols {
    my ($self, @cols) = @_;
    my ($found, $message) = $self->SUPER::LoadByCols(@cols);
    if ($self->IsHiddenFrom($self->CurrentUser)) {
        @{$self}{qw(values fetched)} = ({}, {});
        ($found, $message) = (0, $self->loc("Couldn't find row"));
    }
    return wantarray ? ($found, $message) : $found;
}

1;
