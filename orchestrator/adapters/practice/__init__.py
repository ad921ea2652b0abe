"""Boots an inventory's hosts as real systemd machines on this one machine, with systemd-nspawn."""
