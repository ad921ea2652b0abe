"""Probes of live services, one module per protocol, and the pool that runs them."""
