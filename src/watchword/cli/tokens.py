"""`token`: create, list and show agent tokens; patterns for scanners."""

from typing import Annotated, Any

from cyclopts import App, Parameter

from watchword.cli.client import AsJson, Client, CommandError, CredentialsFile
from watchword.cli.output import clean, show_fields, show_json, show_table
from watchword.cli.patterns import patterns
from watchword.cli.rotations import rotate, rotation
from watchword.cli.spans import expiry
from watchword.cli.tokenlife import edit, import_token, revoke, token_path, tokens_path

app = App(name="token", help="Create, import, list, change, rotate and revoke agent tokens.")
app.command(patterns)
app.command("watchword.cli.abilities:token_can", name="can")
app.command(import_token, name="import")
app.command(edit)
app.command(revoke)
app.command(rotate)
app.command(rotation)

_Text = Annotated[str | None, Parameter(show_default=False)]
_Texts = Annotated[list[str] | None, Parameter(negative=(), show_default=False)]
_Switch = Annotated[bool, Parameter(negative=())]


@app.command
def create(
    *,
    description: _Text = None,
    like: _Text = None,
    expires_in: _Text = None,
    expires_at: _Text = None,
    network: _Texts = None,
    queue: _Text = None,
    tag: _Texts = None,
    uses: Annotated[int | None, Parameter(show_default=False)] = None,
    cluster: _Text = None,
    unclustered: _Switch = False,
    quiet: _Switch = False,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Create an agent token and print its value, which is shown this once.

    Args:
        description: Which environment the token is for.
        like: Id of a token to take description, networks, queue, tags and number of uses from.
        expires_in: Time until it expires, as 30d, 12h or 15m; at least 10 minutes.
        expires_at: Moment when it expires, as 2030-01-31T12:00:00Z.
        network: CIDR block or address from which it may be used; may be repeated.
        queue: Only queue that agents may join with it.
        tag: Tag that agents must carry, as os=linux; may be repeated.
        uses: Number of agents that may join with it.
        cluster: Id of the cluster; the default cluster unless set.
        unclustered: Make a token of no cluster.
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
    body = _like(client, like, cluster, unclustered=unclustered) if like is not None else {}
    body |= {name: value for name, value in asked.items() if value is not None}
    if "description" not in body:
        raise CommandError("give --description or --like", code="description_missing")
    made = client.call("POST", tokens_path(client, cluster, unclustered=unclustered), body)
    if json:
        show_json(made)
    elif quiet:
        print(made["token"])
    else:
        _introduce(client, made, unclustered=unclustered)


def _like(client: Client, token: str, cluster: str | None, *, unclustered: bool) -> dict[str, Any]:
    """What another token says of a new one; its life is its own."""
    other = client.call("GET", token_path(client, cluster, token, unclustered=unclustered))
    names = ("description", "allowed_ip_addresses", "queue", "tags", "max_uses")
    return {name: other[name] for name in names if other[name]}


def _introduce(client: Client, made: dict[str, Any], *, unclustered: bool) -> None:
    print(f"Agent token for {clean(made['description'])!r}, shown this once:\n\n  {made['token']}\n")
    until = f"until {made['expires_at']}" if made["expires_at"] else "until it is revoked"
    print(f"It lets agents join {until}. Next, on the agent's machine, with the value in a file:\n")
    print(f"  watchword agent start --endpoint {client.credentials.url}/v3 --token-file FILE")
    print(f"\nRevoke it with: watchword token revoke {made['id']}{' --unclustered' if unclustered else ''}")


@app.command(name="list")
def list_tokens(
    *,
    state: _Text = None,
    cluster: _Text = None,
    unclustered: _Switch = False,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """List agent tokens that are not revoked, or those in a state, with their last use.

    Args:
        state: Only those that are active, expired, revoked or superseded.
        cluster: Id of the cluster; the default cluster unless set.
        unclustered: Those of no cluster.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    query = {"state": state} if state is not None else {"revoked": "false"} if unclustered else {}
    tokens = list(client.every(tokens_path(client, cluster, unclustered=unclustered), **query))
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
    token: str,
    /,
    *,
    cluster: _Text = None,
    unclustered: _Switch = False,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Show an agent token: what it allows, who made it, when it was last used. Never its value.

    Args:
        token: Id of the token.
        cluster: Id of the cluster; the default cluster unless set.
        unclustered: It is a token of no cluster.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    found = client.call("GET", token_path(client, cluster, token, unclustered=unclustered))
    if json:
        show_json(found)
        return
    show_fields(
        [
            ("Id", found["id"]),
            ("Description", found["description"]),
            ("State", found["state"]),
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
            *(
                [("Revoked", found["revoked_at"]), ("Reason", found["revoked_reason"])]
                if found["revoked_at"]
                else ()
            ),
        ]
    )
