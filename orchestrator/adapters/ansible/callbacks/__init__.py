"""Plugins that Ansible loads in its own process."""
