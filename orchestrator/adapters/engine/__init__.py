"""The durable run engine: DBOS queues and claims runs; our own leases free the runs of dead workers."""
