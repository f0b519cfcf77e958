"""Use cases: one unit of work, one audit event each."""
