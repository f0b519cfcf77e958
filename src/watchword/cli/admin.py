"""`admin`: people, recovery, mail and reveals, for whoever runs the host; the server may run or not."""

import getpass
import sys
from typing import Annotated, Literal

from cyclopts import App, Parameter

from watchword.cli import adminkeys
from watchword.cli.hostcalls import AdminError, ConfigFile, DataFolder, Installation
from watchword.cli.output import clean, say, show_json, show_table

app = App(name="admin", help="Look after people, mail and reveals on the host, while the server runs or not.")
user_app = App(name="user", help="List, create, disable and enable people.")
factor_app = App(name="two-factor", help="Help people who lost their second factor.")
token_app = App(name="api-token", help="Make an API access token where an administrator's is lost.")
for _each in (user_app, factor_app, token_app, adminkeys.app):
    app.command(_each)

_Text = Annotated[str, Parameter(show_default=False)]
_Switch = Annotated[bool, Parameter(negative=())]
_Kind = Annotated[str, Parameter(show_default=False)]
_Choice = Annotated[Literal["once", "revealable"] | None, Parameter(show_default=False)]


@app.command
def recover(
    email: str, /, *, json: _Switch = False, data: DataFolder = None, config: ConfigFile = None
) -> None:
    """Print a link that signs a person in once, within 15 minutes, without password and second factor.

    It changes nothing by itself: password and second factor stay until the person changes them.

    Args:
        email: Address of the person.
        json: Print JSON.
        data: Folder of the installation; watchword-data unless set.
        config: Settings file (TOML).
    """
    made = Installation.find(data, config).call("recover", email=email)
    if json:
        show_json(made)
        return
    say(f"Signs {clean(email)} in once, until {made['expires_at']}; hand it to nobody else:")
    print(made["url"])


@app.command(name="first-link")
def first_link(*, json: _Switch = False, data: DataFolder = None, config: ConfigFile = None) -> None:
    """Print the link by which the first administrator signs in, once, within 15 minutes.

    A fresh installation has one until somebody can sign in; one that was printed before is dead then.

    Args:
        json: Print JSON.
        data: Folder of the installation; watchword-data unless set.
        config: Settings file (TOML).
    """
    made = Installation.find(data, config).call("first-link")
    if json:
        show_json(made)
        return
    say(f"Signs the first administrator in once, until {made['expires_at']}; hand it to nobody else:")
    print(made["url"])


@app.command
def password(email: str, /, *, data: DataFolder = None, config: ConfigFile = None) -> None:
    """Set a person's password; it is asked for, or read from standard input, never an argument.

    Args:
        email: Address of the person.
        data: Folder of the installation; watchword-data unless set.
        config: Settings file (TOML).
    """
    installation = Installation.find(data, config)
    done = installation.call("password", email=email, password=_typed())
    say(f"The password of {clean(email)} is set; {done['sessions_ended']} sessions ended.")


def _typed() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass("New password: ")
    if getpass.getpass("Once more: ") != first:
        raise AdminError("the two differ; nothing was changed", code="passwords_differ")
    return first


@app.command
def sessions(
    email: str,
    /,
    *,
    end: _Switch = False,
    json: _Switch = False,
    data: DataFolder = None,
    config: ConfigFile = None,
) -> None:
    """List where a person is signed in, or sign them out everywhere.

    Args:
        email: Address of the person.
        end: End all sessions.
        json: Print JSON.
        data: Folder of the installation; watchword-data unless set.
        config: Settings file (TOML).
    """
    installation = Installation.find(data, config)
    if end:
        done = installation.call("sessions end", email=email)
        say(f"{done['sessions_ended']} sessions of {clean(email)} ended.")
        return
    found = installation.call("sessions", email=email)
    if json:
        show_json(found)
        return
    columns = ("created_at", "seen_at", "expires_at", "address", "user_agent")
    rows = [[one[column] for column in columns] for one in found["sessions"]]
    show_table(["Since", "Last seen", "Until", "Address", "Browser"], rows, empty="No sessions.")


@app.command
def mail(
    *, limit: int = 50, json: _Switch = False, data: DataFolder = None, config: ConfigFile = None
) -> None:
    """List the latest mail: sent, waiting, or given up and why.

    Args:
        limit: How many messages.
        json: Print JSON.
        data: Folder of the installation; watchword-data unless set.
        config: Settings file (TOML).
    """
    found = Installation.find(data, config).call("mail", limit=limit)
    if json:
        show_json(found)
        return
    columns = ("created_at", "to", "subject", "state", "attempts", "next_attempt_at", "error")
    rows = [[one[column] for column in columns] for one in found["mail"]]
    heads = ["Queued", "To", "Subject", "State", "Attempts", "Next attempt", "Error"]
    show_table(heads, rows, empty="No mail.")


@app.command
def reveal(
    token_id: str,
    /,
    *,
    reason: str,
    json: _Switch = False,
    data: DataFolder = None,
    config: ConfigFile = None,
) -> None:
    """Print a token's value again, where the organization's policy had a copy kept.

    The audit trail has it before the value is printed; its owner gets a mail. Five values an hour.

    Args:
        token_id: Id of the token.
        reason: Why; it stands in the audit trail.
        json: Print JSON.
        data: Folder of the installation; watchword-data unless set.
        config: Settings file (TOML).
    """
    found = Installation.find(data, config).call("reveal", token=token_id, reason=reason)
    if json:
        show_json(found)
        return
    say(f"Value of {clean(found['description'])!r}:")
    print(found["token"])


@app.command(name="reveal-policy")
def reveal_policy(
    kind: _Kind = "",
    choice: _Choice = None,
    /,
    *,
    organization: _Text = "",
    json: _Switch = False,
    data: DataFolder = None,
    config: ConfigFile = None,
) -> None:
    """Show which values may be revealed, or switch a kind of token.

    With revealable, values of new tokens are kept sealed. With once, all copies of the kind are destroyed.

    Args:
        kind: Kind of token, as agent.
        choice: Whether values are shown once or are revealable.
        organization: Slug; needed where there are several.
        json: Print JSON.
        data: Folder of the installation; watchword-data unless set.
        config: Settings file (TOML).
    """
    if kind and choice is None:
        raise AdminError("say once or revealable after the kind", code="choice_missing")
    installation = Installation.find(data, config)
    found = installation.call("reveal-policy", organization=organization, kind=kind, choice=choice or "")
    if json:
        show_json(found)
        return
    show_table(
        ["Kind", "Policy", "Copies"], [[one["kind"], one["policy"], one["copies"]] for one in found["kinds"]]
    )
    if choice == "once":
        say(f"{found['destroyed']} copies destroyed.")


@user_app.command(name="list")
def list_users(*, json: _Switch = False, data: DataFolder = None, config: ConfigFile = None) -> None:
    """List everybody.

    Args:
        json: Print JSON.
        data: Folder of the installation; watchword-data unless set.
        config: Settings file (TOML).
    """
    found = Installation.find(data, config).call("user list")
    if json:
        show_json(found)
        return
    rows = [
        [
            one["email"],
            one["name"],
            ", ".join(f"{slug} ({role})" for slug, role in one["organizations"].items()),
            "yes" if one["password"] else "no",
            "yes" if one["two_factor"] else "no",
            one["disabled_at"],
        ]
        for one in found["users"]
    ]
    show_table(["Email", "Name", "Organizations", "Password", "Two-factor", "Disabled"], rows)


@user_app.command
def create(
    email: str,
    /,
    *,
    name: str,
    role: Literal["admin", "member"] = "member",
    organization: _Text = "",
    json: _Switch = False,
    data: DataFolder = None,
    config: ConfigFile = None,
) -> None:
    """Create a person and print a link by which they sign in for the first time, within 7 days.

    Args:
        email: Address of the person.
        name: Name of the person.
        role: Role in the organization.
        organization: Slug; needed where there are several.
        json: Print JSON.
        data: Folder of the installation; watchword-data unless set.
        config: Settings file (TOML).
    """
    made = Installation.find(data, config).call(
        "user create", email=email, name=name, organization=organization, role=role
    )
    if json:
        show_json(made)
        return
    say(f"{clean(made['email'])} is there. The link signs them in once, until {made['link']['expires_at']}:")
    print(made["link"]["url"])


@user_app.command
def disable(email: str, /, *, data: DataFolder = None, config: ConfigFile = None) -> None:
    """Keep a person out: sessions end, API access tokens are refused. Nothing is deleted.

    Args:
        email: Address of the person.
        data: Folder of the installation; watchword-data unless set.
        config: Settings file (TOML).
    """
    done = Installation.find(data, config).call("user disable", email=email)
    say(f"{clean(email)} is disabled; {done['sessions_ended']} sessions ended.")


@user_app.command
def enable(email: str, /, *, data: DataFolder = None, config: ConfigFile = None) -> None:
    """Let a person in again, as they were.

    Args:
        email: Address of the person.
        data: Folder of the installation; watchword-data unless set.
        config: Settings file (TOML).
    """
    Installation.find(data, config).call("user enable", email=email)
    say(f"{clean(email)} is enabled.")


@factor_app.command
def reset(email: str, /, *, data: DataFolder = None, config: ConfigFile = None) -> None:
    """Turn a person's second factors off: authenticator app, passkeys and recovery codes.

    Args:
        email: Address of the person.
        data: Folder of the installation; watchword-data unless set.
        config: Settings file (TOML).
    """
    done = Installation.find(data, config).call("two-factor reset", email=email)
    say(f"The second factor of {clean(email)} is {'off' if done['had'] else 'off already'}.")


@token_app.command(name="create")
def create_api_token(
    *,
    email: _Text = "",
    organization: _Text = "",
    description: str = "Made on the host",
    days: int = 7,
    json: _Switch = False,
    data: DataFolder = None,
    config: ConfigFile = None,
) -> None:
    """Create an API access token with every scope for an administrator, and print its value once.

    Args:
        email: Administrator whose token it is; the first one unless set.
        organization: Slug; needed where there are several.
        description: What it is for.
        days: Days until it expires.
        json: Print JSON.
        data: Folder of the installation; watchword-data unless set.
        config: Settings file (TOML).
    """
    made = Installation.find(data, config).call(
        "api-token create", email=email, organization=organization, description=description, days=days
    )
    if json:
        show_json(made)
        return
    say(f"API access token of {clean(made['email'])}, until {made['expires_at']}, shown this once:")
    print(made["token"])
