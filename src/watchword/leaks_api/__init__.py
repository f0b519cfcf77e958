"""Leaks reported from outside: partners, revocation by possession, lookup by digest prefix."""
