"""The page of a drill for service managers and auditors, drawn from its evidence alone."""
