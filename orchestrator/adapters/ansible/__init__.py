"""Steps carried out by Ansible. Nothing outside this package reads a raw runner event."""
