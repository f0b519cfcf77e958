"""`api-token`: create, list, show, change, copy and revoke API access tokens, and ask what one may do."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from cyclopts import App, Parameter

from watchword.cli.asking import confirm
from watchword.cli.client import AsJson, Client, CommandError, CredentialsFile
from watchword.cli.output import clean, show_fields, show_json, show_table
from watchword.cli.spans import expiry
from watchword.cli.tokenlife import read_value

app = App(name="api-token", help="Create, list, change and revoke API access tokens.")
app.command("watchword.cli.abilities:api_token_can", name="can")

_Text = Annotated[str | None, Parameter(show_default=False)]
_Texts = Annotated[list[str] | None, Parameter(negative=(), show_default=False)]
_Switch = Annotated[bool, Parameter(negative=())]
_Yes = Annotated[bool, Parameter(name=("--yes", "-y"), negative=())]


def path_of(token: str, *more: str) -> str:
    """Path of an API access token; what is no plain id stays inside its segment."""
    return "/".join(("api-access-tokens", quote(token, safe=""), *more))


@app.command
def create(
    *,
    description: str,
    scope: _Texts = None,
    preset: _Text = None,
    expires_in: _Text = None,
    expires_at: _Text = None,
    never_expires: _Switch = False,
    network: _Texts = None,
    organization: _Texts = None,
    quiet: _Switch = False,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Create an API access token and print its value, which is shown this once.

    It is never wider than the token of the credentials. It expires after seven days unless set.

    Args:
        description: What the token is for.
        scope: Scope that it has, as read_agents; may be repeated.
        preset: Group of scopes: read_only, read_write or full.
        expires_in: Time until it expires, as 30d, 12h or 15m; at least 10 minutes.
        expires_at: Moment when it expires, as 2030-01-31T12:00:00Z.
        never_expires: Let it never expire, where the organization allows that.
        network: CIDR block or address from which it may be used; may be repeated.
        organization: Slug of an organization that it reaches besides; may be repeated.
        quiet: Print the value alone.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    until = expiry(expires_in, expires_at)
    if never_expires and until is not None:
        raise CommandError("give --never-expires or an expiry, not both", code="two_expiries")
    asked: dict[str, Any] = {
        "description": description,
        "scopes": scope,
        "preset": preset,
        "allowed_ip_addresses": " ".join(network) if network else None,
        "organizations": organization,
        "expires_at": until,
    }
    body = {name: value for name, value in asked.items() if value is not None}
    if never_expires:
        body["expires_at"] = None
    _print_value(Client.connect(credentials).call("POST", "api-access-tokens", body), quiet=quiet, json=json)


def _print_value(made: dict[str, Any], *, quiet: bool, json: bool) -> None:
    if json:
        show_json(made)
    elif quiet:
        print(made["token"])
    else:
        until = f"until {made['expires_at']}" if made["expires_at"] else "until it is revoked"
        print(f"API access token for {clean(made['description'])!r}, shown this once:\n\n  {made['token']}\n")
        print(f"It is good {until}. See what it may do with: watchword api-token can {made['id']}")
        print(f"Revoke it with: watchword api-token revoke {made['id']}")


@app.command(name="import")
def import_token(
    *,
    description: str,
    value_file: Annotated[Path | None, Parameter(show_default=False)] = None,
    digest: _Text = None,
    scope: _Texts = None,
    preset: _Text = None,
    expires_in: _Text = None,
    expires_at: _Text = None,
    network: _Texts = None,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Take over an API access token that was issued elsewhere: its value goes on working here.

    The value is read from a file or from standard input, so that it stands in no list of processes.

    Args:
        description: What the token is for.
        value_file: File that holds the value; - for standard input.
        digest: SHA-256 of the value in hex digits, instead of the value.
        scope: Scope that it has, as read_agents; may be repeated.
        preset: Group of scopes: read_only, read_write or full.
        expires_in: Time until it expires, as 30d, 12h or 15m; at least 10 minutes.
        expires_at: Moment when it expires, as 2030-01-31T12:00:00Z.
        network: CIDR block or address from which it may be used; may be repeated.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    if (value_file is None) is (digest is None):
        raise CommandError("give --value-file or --digest, one of the two", code="invalid_import")
    asked: dict[str, Any] = {
        "description": description,
        "value": read_value(value_file) if value_file is not None else None,
        "digest": digest,
        "scopes": scope,
        "preset": preset,
        "expires_at": expiry(expires_in, expires_at),
        "allowed_ip_addresses": " ".join(network) if network else None,
    }
    body = {name: given for name, given in asked.items() if given is not None}
    made = Client.connect(credentials).call("POST", "api-access-tokens/import", body)
    if json:
        show_json(made)
    else:
        print(f"Imported {made['id']} ({clean(made['description'])}): its value works here from now on.")


@app.command(name="list")
def list_tokens(
    *,
    user: _Text = None,
    scope: _Text = None,
    ip: _Text = None,
    value_digest: _Text = None,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """List API access tokens that reach the organization: your own, or everybody's for administrators.

    Args:
        user: Only tokens of this person, by id or e-mail address.
        scope: Only tokens with this scope.
        ip: Only tokens that were last used from this address or CIDR block.
        value_digest: Only tokens whose value's SHA-256 in hex begins so; 8 digits or more.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    sift = {"user": user, "scope": scope, "ip": ip, "value_digest": value_digest}
    client = Client.connect(credentials)
    given = {name: text for name, text in sift.items() if text is not None}
    tokens = list(client.every("api-access-tokens", **given))
    if json:
        show_json(tokens)
        return
    names = ("id", "description", "state", "expires_at", "last_used_at", "last_used_from")
    show_table(
        ("Id", "Description", "State", "Expires", "Last used", "From", "Owner", "Scopes"),
        [[*(each[name] for name in names), _owner(each), _scopes(each)] for each in tokens],
        empty="There is no API access token. Next: watchword api-token create --description TEXT",
    )


def _owner(token: dict[str, Any]) -> str:
    return str((token["owner"] or {}).get("email", ""))


def _scopes(token: dict[str, Any]) -> str:
    count = len(token["scopes"])
    return " ".join(token["scopes"]) if count <= 3 else f"{count} scopes"  # noqa: PLR2004 - fits a line


@app.command
def show(token: str, /, *, json: AsJson = False, credentials: CredentialsFile = None) -> None:
    """Show an API access token: whose it is, what it opens, when it was last used. Never its value.

    Args:
        token: Id of the token.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    found = Client.connect(credentials).call("GET", path_of(token))
    if json:
        show_json(found)
        return
    show_fields(
        [
            ("Id", found["id"]),
            ("Description", found["description"]),
            ("State", found["state"]),
            ("Owner", _owner(found)),
            ("Owner's role", found["owner_role"]),
            ("Organizations", " ".join(found["organizations"])),
            ("Scopes", " ".join(found["scopes"])),
            ("Networks", found["allowed_ip_addresses"]),
            ("Created", found["created_at"]),
            ("Expires", found["expires_at"]),
            ("Revoked", found["revoked_at"]),
            ("Reason", found["revoked_reason"]),
            ("Last used", found["last_used_at"]),
            ("Last used from", found["last_used_from"]),
            ("Last used by", found["last_used_by"]),
            ("SHA-256", found["value_digest"]),
        ]
    )


@app.command
def edit(
    token: str,
    /,
    *,
    description: _Text = None,
    network: _Texts = None,
    anywhere: _Switch = False,
    credentials: CredentialsFile = None,
) -> None:
    """Change the description or the networks of an API access token of your own.

    Args:
        token: Id of the token.
        description: What it is for.
        network: CIDR block or address from which it may be used; may be repeated.
        anywhere: Lift the limit of networks.
        credentials: File with the server's address and an API access token.
    """
    if network and anywhere:
        raise CommandError("give --network or --anywhere, not both", code="two_networks")
    body: dict[str, Any] = {} if description is None else {"description": description}
    if network or anywhere:
        body["allowed_ip_addresses"] = " ".join(network or ())
    if not body:
        raise CommandError("give --description, --network or --anywhere", code="nothing_to_change")
    changed = Client.connect(credentials).call("PATCH", path_of(token), body)
    print(f"Changed {changed['id']} ({clean(changed['description'])}).")


@app.command
def revoke(token: str, /, *, yes: _Yes = False, credentials: CredentialsFile = None) -> None:
    """Revoke an API access token of your own, everywhere and at once.

    Args:
        token: Id of the token.
        yes: Do not ask.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    found = client.call("GET", path_of(token))
    used = f"it was last used {found['last_used_at']}" if found["last_used_at"] else "it was never used"
    confirm(f"Revoke {clean(found['description'])!r}? {used}.", yes=yes)
    client.call("DELETE", path_of(token))
    print(f"Revoked {found['id']} ({clean(found['description'])}); {used}.")


@app.command
def duplicate(
    token: str,
    /,
    *,
    description: _Text = None,
    expires_in: _Text = None,
    expires_at: _Text = None,
    quiet: _Switch = False,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Create another API access token like one, no wider than the token of the credentials.

    Args:
        token: Id of the token to copy.
        description: What the new one is for; the same unless set.
        expires_in: Time until it expires, as 30d, 12h or 15m; as long as the first was to live unless set.
        expires_at: Moment when it expires, as 2030-01-31T12:00:00Z.
        quiet: Print the value alone.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    asked = {"description": description, "expires_at": expiry(expires_in, expires_at)}
    body = {name: value for name, value in asked.items() if value is not None}
    made = Client.connect(credentials).call("POST", path_of(token, "duplicate"), body)
    _print_value(made, quiet=quiet, json=json)


@app.command
def remove_organization(token: str, /, *, yes: _Yes = False, credentials: CredentialsFile = None) -> None:
    """Remove the organization from somebody's API access token, for good; administrators may.

    Args:
        token: Id of the token.
        yes: Do not ask.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    found = client.call("GET", path_of(token))
    whose = f"{clean(found['description'])!r} of {clean(_owner(found) or 'nobody')}"
    confirm(f"Remove {client.organization} from {whose}? It cannot be added again.", yes=yes)
    client.call("DELETE", path_of(token, "organization"))
    print(f"{whose} does not reach {client.organization} any more.")
