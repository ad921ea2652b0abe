# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
# Who proves a password over REST 2 does so outside a page: there, too, it is known from where (see Guessing.pm).
package RT::Interface::Web;

use strict;
use warnings;
no warnings 'redefine';
use RT::REST2::Middleware::Auth;

my $log_in = RT::REST2::Middleware::Auth->can('login_from_basicauth');

*RT::REST2::Middleware::Auth::login_from_basicauth = sub {
    my ($self, $env) = @_;
    local *RequestENV = sub { $env->{ $_[0] } };
    return $self->$log_in($env);
};

1;
