# First data of a desk, read by rt-setup-database: a queue with one ticket that no agency may see. `verify` proves with it
# that agents are kept apart, also on a desk that has only one agency.
our @Queues = ({ Name => 'isolation-control', Description => 'Control for the isolation of agencies', SLADisabled => 1 });
our @Final  = (
    sub {
        my $ticket = RT::Ticket->new(RT->SystemUser);
        my ($id, undef, $message) = $ticket->Create(Queue => 'isolation-control', Subject => 'Nobody may read this');
        die "control ticket: $message\n" unless $id;
    },
);
1;
