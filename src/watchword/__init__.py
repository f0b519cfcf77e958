"""Watchword: a self-hosted authority for the tokens that machines carry."""
