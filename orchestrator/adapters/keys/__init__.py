"""Keys in files that only their owner may read, and their uses: sealing secrets, signing evidence."""
