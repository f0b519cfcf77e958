"""`agent`: the reference agent's own commands, and `list`, which asks the server."""

from watchword.agent.commands import app

app.command("watchword.cli.agents:list_agents", name="list")
