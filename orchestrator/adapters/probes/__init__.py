"""Probes of live services, one module for each protocol, and the pool that runs them."""
