"""Pages for people outside: evidence of drills, service reports."""
