"""The portals' surface: runs of stored GraphQL, and tokens for secrets and codes."""
