"""catalog/, inventories/ and call-off files: read from YAML with line numbers, and checked whole."""
