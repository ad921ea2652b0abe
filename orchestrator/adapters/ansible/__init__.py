"""Runs steps with Ansible. Nothing outside this package reads a raw runner event."""
