"""`portal`: list, show, create, update and delete portals."""

import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from cyclopts import App, Parameter

from watchword.cli.client import AsJson, Client, CommandError, CredentialsFile
from watchword.cli.naming import confirm, given, require_change
from watchword.cli.output import clean, show_fields, show_json, show_table

app = App(name="portal", help="Manage portals: stored GraphQL behind tokens of its own.")

_Text = Annotated[str | None, Parameter(show_default=False)]
_Switch = Annotated[bool | None, Parameter(show_default=False)]
_Yes = Annotated[bool, Parameter(name=("--yes", "-y"), negative=())]
_STANDARD_INPUT = "-"


def _path(slug: str) -> str:
    return f"portals/{quote(slug, safe='')}"


def _document(file: str) -> str:
    """The text of a file, or of standard input.

    Raises:
        CommandError: it cannot be read.
    """
    try:
        return sys.stdin.read() if file == _STANDARD_INPUT else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{clean(file)} cannot be read: {error}", code="unreadable_file") from None


@app.command(name="list")
def list_portals(*, json: AsJson = False, credentials: CredentialsFile = None) -> None:
    """List portals.

    Args:
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    portals = list(Client.connect(credentials).every("portals"))
    if json:
        show_json(portals)
        return
    names = ("slug", "name", "allowed_ip_addresses", "user_invokable", "created_at")
    show_table(
        ("Slug", "Name", "From", "By users", "Created"),
        [[portal[name] for name in names] for portal in portals],
        empty="There is no portal. Next: watchword portal create NAME FILE",
    )


@app.command
def show(portal: str, /, *, json: AsJson = False, credentials: CredentialsFile = None) -> None:
    """Show a portal with its document.

    Args:
        portal: Its slug.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    _show(Client.connect(credentials).call("GET", _path(portal)), json=json)


def _show(portal: dict[str, Any], *, json: bool) -> None:
    if json:
        show_json(portal)
        return
    show_fields(
        [
            ("Slug", portal["slug"]),
            ("Id", portal["uuid"]),
            ("Name", portal["name"]),
            ("Description", portal["description"]),
            ("From", portal["allowed_ip_addresses"]),
            ("By users", portal["user_invokable"]),
            ("Created", portal["created_at"]),
            ("Created by", (portal["created_by"] or {}).get("email")),
        ]
    )
    print(clean(portal["query"].rstrip("\n")))


@app.command
def create(
    name: str,
    file: str,
    /,
    *,
    slug: _Text = None,
    description: _Text = None,
    allow: _Text = None,
    user_invokable: _Switch = None,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Create a portal and print its first token, which is shown this once.

    Args:
        name: Its name.
        file: File with its GraphQL; - for standard input.
        slug: What stands in its address; made of the name unless given.
        description: What it is for.
        allow: CIDR blocks from which it may be run, with spaces between them.
        user_invokable: Let members run it in their own name.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    body = given(
        name=name,
        query=_document(file),
        slug=slug,
        description=description,
        allowed_ip_addresses=allow,
        user_invokable=user_invokable,
    )
    made = Client.connect(credentials).call("POST", "portals", body)
    if json:
        show_json(made)
        return
    print(made["token"])
    print(f"Created {made['slug']}. The value above is shown this once.", file=sys.stderr)


@app.command
def update(
    portal: str,
    /,
    *,
    file: _Text = None,
    name: _Text = None,
    slug: _Text = None,
    description: _Text = None,
    allow: _Text = None,
    user_invokable: _Switch = None,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Change a portal; an empty text clears what it is given for. Its tokens run the new document at once.

    Args:
        portal: Its slug.
        file: File with its GraphQL; - for standard input.
        name: New name.
        slug: New slug.
        description: What it is for.
        allow: CIDR blocks from which it may be run, with spaces between them.
        user_invokable: Let members run it in their own name; switched off, what they were given ends.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    body = given(
        query=_document(file) if file is not None else None,
        name=name,
        slug=slug,
        description=description,
        allowed_ip_addresses=allow,
        user_invokable=user_invokable,
    )
    _show(Client.connect(credentials).call("PATCH", _path(portal), require_change(body)), json=json)


@app.command
def delete(portal: str, /, *, yes: _Yes = False, credentials: CredentialsFile = None) -> None:
    """Delete a portal; every token and secret of it ends.

    Args:
        portal: Its slug.
        yes: Do not ask.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    found = client.call("GET", _path(portal))
    confirm(f"Delete {found['name']!r} and end its tokens and secrets", yes=yes)
    client.call("DELETE", _path(portal))
    print(f"Deleted {clean(found['slug'])}.")
