"""`fleet`: connected agents as administrators see them. `agent stop` and its like are the job's own."""

from typing import Annotated, Any

from cyclopts import App, Parameter

from watchword.cli.agents import list_agents
from watchword.cli.client import AsJson, Client, CredentialsFile
from watchword.cli.naming import given, pick
from watchword.cli.output import clean, show_fields, show_json

app = App(name="fleet", help="List, show, stop, pause and resume agents.")
app.command(list_agents, name="list")

_Text = Annotated[str | None, Parameter(show_default=False)]


def _find(client: Client, text: str) -> dict[str, Any]:
    return pick(client, "agents", text, "name", "agent")


@app.command
def show(agent: str, /, *, json: AsJson = False, credentials: CredentialsFile = None) -> None:
    """Show an agent: where it runs, what it does, and the token it joined with.

    Args:
        agent: Its id, in any state, or the name of a connected one.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    found = _find(Client.connect(credentials), agent)
    if json:
        show_json(found)
        return
    paused = f"since {found['paused_at']}, {found['paused_timeout_in_minutes']} minutes"
    show_fields(
        [
            ("Id", found["id"]),
            ("Name", found["name"]),
            ("State", found["connection_state"]),
            ("Queue", found["queue"]),
            ("Tags", " ".join(found["meta_data"])),
            ("Host", found["hostname"]),
            ("Address", found["ip_address"]),
            ("Version", found["version"]),
            ("Job", (found["job"] or {}).get("web_url")),
            ("Last job finished", found["last_job_finished_at"]),
            ("Connected", found["connected_at"]),
            ("Paused", paused if found["paused"] else None),
            ("Joined with token", found["agent_token_id"]),
        ]
    )


@app.command
def stop(
    agent: str,
    /,
    *,
    force: Annotated[bool, Parameter(negative=())] = False,
    credentials: CredentialsFile = None,
) -> None:
    """Ask an agent to leave after its job.

    Args:
        agent: Its id, or the name of a connected one.
        force: At once: its job is canceled.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    found = _find(client, agent)
    client.call("PUT", f"agents/{found['id']}/stop", {"force": force})
    print(f"{clean(found['name'])} leaves {'at once' if force else 'after its job'}.")


@app.command
def pause(
    agent: str,
    /,
    *,
    note: _Text = None,
    minutes: Annotated[int | None, Parameter(show_default=False)] = None,
    credentials: CredentialsFile = None,
) -> None:
    """Give an agent no jobs for a while; the one it runs goes on.

    Args:
        agent: Its id, or the name of a connected one.
        note: Why.
        minutes: How long, from 1 to 1440; five minutes unless set.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    found = _find(client, agent)
    client.call("PUT", f"agents/{found['id']}/pause", given(note=note, timeout_in_minutes=minutes))
    print(f"{clean(found['name'])} takes no jobs for {minutes or 5} minutes.")


@app.command
def resume(agent: str, /, *, credentials: CredentialsFile = None) -> None:
    """Give a paused agent jobs again.

    Args:
        agent: Its id, or the name of a connected one.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    found = _find(client, agent)
    client.call("PUT", f"agents/{found['id']}/resume")
    print(f"{clean(found['name'])} takes jobs again.")
