"""The durable run engine: DBOS queues and claims runs, and a ring of our own keeps dead workers from holding them."""
