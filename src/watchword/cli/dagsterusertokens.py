"""`dagster user-token`: people's tokens over REST; a value is printed once."""

from typing import Annotated

from cyclopts import App, Parameter

from watchword.cli.client import AsJson, Client, CredentialsFile
from watchword.cli.dagstertokens import name_of, print_value, set_description, token_path
from watchword.cli.naming import confirm
from watchword.cli.output import show_json, show_table

user_tokens = App(name="user-token", help="Create, list and revoke your Dagster user tokens.")

_Text = Annotated[str | None, Parameter(show_default=False)]
_Switch = Annotated[bool, Parameter(negative=())]
_Yes = Annotated[bool, Parameter(name=("--yes", "-y"), negative=())]
_USER = "dagster/user-tokens"


@user_tokens.command(name="create")
def create_user_token(
    *,
    description: str = "",
    quiet: _Switch = False,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Create a user token of your own, and print its value.

    Args:
        description: What the token is for.
        quiet: Print the value alone.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    made = Client.connect(credentials).call("POST", _USER, {"description": description})
    print_value(made, "user", quiet=quiet, json=json)


@user_tokens.command(name="list")
def list_user_tokens(
    *, user: _Text = None, json: AsJson = False, credentials: CredentialsFile = None
) -> None:
    """List your user tokens, or as an administrator somebody else's, newest first.

    Args:
        user: Whose, by id or e-mail address.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    given = {} if user is None else {"user": user}
    tokens = list(Client.connect(credentials).every(_USER, **given))
    if json:
        show_json(tokens)
        return
    show_table(
        ("Id", "Description", "State", "Created", "Last used", "From"),
        [
            [
                each[name]
                for name in ("id", "description", "state", "created_at", "last_used_at", "last_used_from")
            ]
            for each in tokens
        ],
        empty="There is no Dagster user token. Next: watchword dagster user-token create",
    )


@user_tokens.command(name="describe")
def describe_user_token(
    token: str, description: str, /, *, json: AsJson = False, credentials: CredentialsFile = None
) -> None:
    """Say what a user token of your own is for.

    Args:
        token: Id of the token.
        description: What it is for.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    set_description(_USER, token, description, credentials, json=json)


@user_tokens.command
def can(token: str, /, *, json: AsJson = False, credentials: CredentialsFile = None) -> None:
    """Show what a user token may do right now, deployment by deployment.

    Args:
        token: Id of the token.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    found = Client.connect(credentials).call("GET", token_path(_USER, token, "abilities"))
    if json:
        show_json(found)
        return
    show_table(
        ("Where", "Role", "May"),
        [
            [
                each["deployment"] or ("branch deployments" if each["branches"] else "the organization"),
                each["role"],
                " ".join(each["may"]),
            ]
            for each in found
        ],
        empty="Nothing: the token has ended, or its owner is no member any more.",
    )


@user_tokens.command(name="revoke")
def revoke_user_token(
    token: str, /, *, reason: str = "", yes: _Yes = False, credentials: CredentialsFile = None
) -> None:
    """Revoke a user token of your own, or as an administrator anybody's.

    Args:
        token: Id of the token.
        reason: Why; it stays with the token.
        yes: Do not ask.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    found = client.call("GET", token_path(_USER, token))
    used = f"last used {found['last_used_at']}" if found["last_used_at"] else "never used"
    confirm(f"Revoke {name_of(found)} ({used})", yes=yes)
    client.call("DELETE", token_path(_USER, token), {"reason": reason} if reason else None)
    print(f"Revoked {found['id']} ({name_of(found)}).")
