"""The reference agent: knows the server by its wire contract only."""
