"""A store in memory, for tests: what the databases do, in the plainest way."""
