"""What runs beside requests: use ledger, presence, sweeps."""
