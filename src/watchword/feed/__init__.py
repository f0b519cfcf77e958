"""Revocations and wake-ups between nodes."""
