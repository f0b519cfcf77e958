"""`agent list`: connected agents, and the token with which each joined."""

from typing import Annotated

from cyclopts import Parameter

from watchword.cli.client import AsJson, Client, CredentialsFile
from watchword.cli.output import show_json, show_table

_Text = Annotated[str | None, Parameter(show_default=False)]


def list_agents(
    *, queue: _Text = None, token: _Text = None, credentials: CredentialsFile = None, json: AsJson = False
) -> None:
    """List connected agents: name, queue, version, address, and the token each joined with.

    Args:
        queue: Only agents of this queue.
        token: Only agents that joined with the token of this id.
        credentials: File with the server's address and an API access token.
        json: Print JSON.
    """
    client = Client.connect(credentials)
    agents = [
        agent
        for agent in client.every("agents")
        if queue in (None, agent["queue"]) and token in (None, agent["agent_token_id"])
    ]
    if json:
        show_json(agents)
        return
    names = ("name", "queue", "version", "ip_address", "connected_at", "agent_token_id", "id")
    show_table(
        ("Name", "Queue", "Version", "Address", "Connected", "Joined with token", "Id"),
        [[agent[name] for name in names] for agent in agents],
        empty="No agent is connected. Next: watchword token create, then start one.",
    )
