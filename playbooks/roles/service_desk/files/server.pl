#!/usr/bin/perl
# Serves Request Tracker to the web server, over the socket that systemd passes as standard input. Loading Request Tracker
# takes seconds and most of its memory, so it is loaded once, and the workers are forks of what is loaded.
use strict;
use warnings;

my $workers = 2;
# For another program that calls it, Request Tracker's own server returns the application, with no open connection.
my $application = do '/usr/share/request-tracker5/libexec/rt-server.fcgi'
    or die $@ || $! || 'Request Tracker returned no application';
# Without its database it would offer its installer to everybody. Systemd starts it again until the database answers.
die 'Request Tracker cannot use its database' if RT->InstallMode;
$SIG{PIPE} = 'IGNORE';    # who has asked may be gone before the answer
# Only now: from here on FastCGI's library notes that it is to stop, where until here the signal ends the program.
require FCGI::ProcManager;
require Plack::Handler::FCGI;
Plack::Handler::FCGI->new(manager => FCGI::ProcManager->new({ n_processes => $workers }))->run($application);
