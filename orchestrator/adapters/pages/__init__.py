"""Pages that are handed to people outside: evidence of drills, service reports."""
