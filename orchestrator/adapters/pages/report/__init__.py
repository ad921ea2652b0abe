"""The page of an agency's monthly service report."""
