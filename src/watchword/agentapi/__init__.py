"""The agent API: what agents and their jobs call (contract: agent-api)."""
