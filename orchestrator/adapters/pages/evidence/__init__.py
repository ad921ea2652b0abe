"""The page of a drill's evidence, for service managers and auditors."""
