"""Bytes too large for the database: artifacts."""
