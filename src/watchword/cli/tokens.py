"""`token`: create, list, show and revoke agent tokens; patterns for scanners."""

import sys
from typing import Annotated, Any

from cyclopts import App, Parameter

from watchword.cli.client import AsJson, Client, CommandError, CredentialsFile
from watchword.cli.output import clean, say, show_fields, show_json, show_table
from watchword.cli.patterns import patterns
from watchword.cli.spans import expiry

app = App(name="token", help="Create, list and revoke agent tokens.")
app.command(patterns)
app.command("watchword.cli.abilities:token_can", name="can")

_Text = Annotated[str | None, Parameter(show_default=False)]
_Texts = Annotated[list[str] | None, Parameter(negative=(), show_default=False)]
_Switch = Annotated[bool, Parameter(negative=())]


@app.command
def create(
    *,
    description: str,
    expires_in: _Text = None,
    expires_at: _Text = None,
    network: _Texts = None,
    queue: _Text = None,
    tag: _Texts = None,
    uses: Annotated[int | None, Parameter(show_default=False)] = None,
    cluster: _Text = None,
    quiet: _Switch = False,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Create an agent token and print its value, which is shown this once.

    Args:
        description: Which environment the token is for.
        expires_in: Time until it expires, as 30d, 12h or 15m; at least 10 minutes.
        expires_at: Moment when it expires, as 2030-01-31T12:00:00Z.
        network: CIDR block or address from which it may be used; may be repeated.
        queue: Only queue that agents may join with it.
        tag: Tag that agents must carry, as os=linux; may be repeated.
        uses: Number of agents that may join with it.
        cluster: Id of the cluster; the default cluster unless set.
        quiet: Print the value alone.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    asked: dict[str, Any] = {
        "description": description,
        "expires_at": expiry(expires_in, expires_at),
        "allowed_ip_addresses": " ".join(network) if network else None,
        "queue": queue,
        "tags": tag,
        "max_uses": uses,
    }
    client = Client.connect(credentials)
    body = {name: value for name, value in asked.items() if value is not None}
    made = client.call("POST", f"clusters/{client.cluster(cluster)}/tokens", body)
    if json:
        show_json(made)
    elif quiet:
        print(made["token"])
    else:
        _introduce(client, made)


def _introduce(client: Client, made: dict[str, Any]) -> None:
    print(f"Agent token for {clean(made['description'])!r}, shown this once:\n\n  {made['token']}\n")
    until = f"until {made['expires_at']}" if made["expires_at"] else "until it is revoked"
    print(f"It lets agents join {until}. Next, on the agent's machine, with the value in a file:\n")
    print(f"  watchword agent start --endpoint {client.credentials.url}/v3 --token-file FILE")
    print(f"\nRevoke it with: watchword token revoke {made['id']}")


@app.command(name="list")
def list_tokens(
    *, cluster: _Text = None, json: AsJson = False, credentials: CredentialsFile = None
) -> None:  # fmt: skip
    """List agent tokens that are not revoked, with their last use.

    Args:
        cluster: Id of the cluster; the default cluster unless set.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    tokens = list(client.every(f"clusters/{client.cluster(cluster)}/tokens"))
    if json:
        show_json(tokens)
        return
    names = ("id", "description", "allowed_ip_addresses", "queue", "expires_at")
    show_table(
        ("Id", "Description", "Networks", "Queue", "Expires", "Uses", "Last used", "From"),
        [
            [*(token[name] for name in names), _uses(token), token["last_used_at"], token["last_used_from"]]
            for token in tokens
        ],
        empty="There is no agent token. Next: watchword token create --description TEXT",
    )


def _uses(token: dict[str, Any]) -> str:
    return f"{token['uses']} of {token['max_uses']}" if token["max_uses"] else ""


@app.command
def show(
    token: str, /, *, cluster: _Text = None, json: AsJson = False, credentials: CredentialsFile = None
) -> None:
    """Show an agent token: what it allows, who made it, when it was last used. Never its value.

    Args:
        token: Id of the token.
        cluster: Id of the cluster; the default cluster unless set.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    found = client.call("GET", _path(client, cluster, token))
    if json:
        show_json(found)
        return
    show_fields(
        [
            ("Id", found["id"]),
            ("Description", found["description"]),
            ("Networks", found["allowed_ip_addresses"]),
            ("Queue", found["queue"]),
            ("Tags", " ".join(found["tags"])),
            ("Uses", _uses(found)),
            ("Not before", found["not_before"]),
            ("Expires", found["expires_at"]),
            ("Created", found["created_at"]),
            ("Created by", (found["created_by"] or {}).get("email")),
            ("Last used", found["last_used_at"]),
            ("Last used from", found["last_used_from"]),
        ]
    )


def _path(client: Client, cluster: str | None, token: str) -> str:
    """Path of a token; what is no plain id stays inside its segment."""
    from urllib.parse import quote  # noqa: PLC0415 - keeps --help quick

    return f"clusters/{quote(client.cluster(cluster), safe='')}/tokens/{quote(token, safe='')}"


@app.command
def revoke(
    token: str,
    /,
    *,
    cluster: _Text = None,
    yes: Annotated[bool, Parameter(name=("--yes", "-y"), negative=())] = False,
    credentials: CredentialsFile = None,
) -> None:
    """Revoke an agent token: no agent joins with it any more; connected agents stay connected.

    Args:
        token: Id of the token.
        cluster: Id of the cluster; the default cluster unless set.
        yes: Do not ask.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    path = _path(client, cluster, token)
    found = client.call("GET", path)
    joined = sum(agent["agent_token_id"] == found["id"] for agent in client.every("agents"))
    stay = f"{joined} connected agent{'' if joined == 1 else 's'} joined with it and will stay connected"
    if not yes:
        if not sys.stdin.isatty():
            raise CommandError("add --yes to revoke without being asked", code="not_confirmed")
        say(f"Revoke {clean(found['description'])!r}? {stay}.")
        if input("Type yes: ").strip().lower() not in ("y", "yes"):
            raise CommandError("nothing was revoked", code="not_confirmed")
    client.call("DELETE", path)
    print(f"Revoked {found['id']} ({clean(found['description'])}): no new agent joins with it; {stay}.")
