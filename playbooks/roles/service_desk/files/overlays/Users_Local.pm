# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
# Lists and counts of users hold only whom the asking agent may see: see User_Local.pm.
package RT::Users;

use strict;
use warnings;
no warnings 'redefine';

sub BuildSelectQuery         { my $self = shift; $self->_LimitToSeen; return $self->SUPER::BuildSelectQuery(@_) }
sub BuildSelectCountQuery    { my $self = shift; $self->_LimitToSeen; return $self->SUPER::BuildSelectCountQuery(@_) }
sub BuildSelectAndCountQuery { my $self = shift; $self->_LimitToSeen; return $self->SUPER::BuildSelectAndCountQuery(@_) }

sub _LimitToSeen {
    my ($self) = @_;
    my $agent = $self->CurrentUser;
    return if $self->{limited_to_seen} || !defined RT::User::AgencyOf($agent);
    $self->{limited_to_seen} = 1;
    $self->Limit(
        SUBCLAUSE => 'seen', FIELD => 'id', OPERATOR => 'IN', QUOTEVALUE => 0,
        VALUE     => '(SELECT main.id FROM Users main WHERE ' . RT::User::SeenBy($agent) . ')',
    );
}

sub CleanSlate {
    my $self = shift;
    delete $self->{limited_to_seen};
    return $self->SUPER::CleanSlate(@_);
}

1;
