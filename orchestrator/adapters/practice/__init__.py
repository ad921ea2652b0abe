"""Boots an inventory's hosts as real systemd machines on this one machine, with systemd-nspawn."""

from orchestrator.adapters.practice.site import PracticeSite

__all__ = ["PracticeSite"]
