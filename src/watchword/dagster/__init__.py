"""Dagster+: the API of Hybrid agents, and that of people and their command lines."""
