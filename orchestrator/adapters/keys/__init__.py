"""Keys in files that only their owner may read, and what is done with them: sealing secrets, signing evidence."""
