# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
# Ten wrong passwords in ten minutes shut an account for ten minutes, to the address that they came from. To others it stays
# open: all devices of an agency come by one address, and who guesses there keeps out nobody who comes from elsewhere, such as
# those who watch the desk.
package RT::Guessing;

use strict;
use warnings;

my ($FOLDER, $ALLOWED, $SECONDS) = ('/run/service-desk', 10, 600);

# Where failures are counted, one byte each; undef where nobody asks from anywhere, or nobody counts (a rehearsal).
sub file {
    my ($account) = @_;
    my $from = eval { RT::Interface::Web::RequestENV('REMOTE_ADDR') } // '';
    return $account->id && -d $FOLDER && $from =~ /\A([0-9A-Fa-f.:]+)\z/ ? "$FOLDER/" . int($account->id) . "-$1" : undef;
}

sub lately {
    my ($file) = @_;
    my ($failures, $last) = (stat $file)[7, 9];
    return defined $last && time - $last < $SECONDS ? $failures : 0;
}

# The answer of `$try`, and undef without asking it while the account is shut.
sub bounded {
    my ($account, $try) = @_;
    my $file = file($account);
    return $try->() unless defined $file;
    my $failures = lately($file);
    if ($failures >= $ALLOWED) {
        RT->Logger->warning($account->Name . ' is shut to who guesses its password');
        return undef;
    }
    my $right = $try->();
    if ($right) { unlink $file }
    elsif (open my $count, $failures ? '>>' : '>', $file) { print {$count} 'x' }
    else { RT->Logger->error("$file: $!") }
    return $right;
}

1;
