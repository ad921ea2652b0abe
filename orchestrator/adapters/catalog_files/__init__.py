"""Reads catalog/, inventories/ and call-off files from YAML with line numbers, and reports all problems at once."""
