"""`secret`: list, create, update and delete secrets of a cluster; a value is never an argument."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from watchword.cli.client import AsJson, Client, CommandError, CredentialsFile
from watchword.cli.naming import cluster_path, confirm, given, pick, require_change
from watchword.cli.output import clean, show_json, show_table
from watchword.crypto.values import Secret
from watchword.domain.secrets import MAX_POLICY, MAX_VALUE_BYTES

app = App(name="secret", help="Manage secrets of a cluster.")

_Text = Annotated[str | None, Parameter(show_default=False)]
_File = Annotated[Path | None, Parameter(show_default=False)]
_Yes = Annotated[bool, Parameter(name=("--yes", "-y"), negative=())]
_Switch = Annotated[bool, Parameter(negative=())]


def read_value(file: Path | None) -> Secret:
    """The value: of the file, of standard input, or typed unseen where that is a terminal.

    One line end behind it, as editors and `echo` leave it, is no part of it.

    Raises:
        CommandError: it cannot be read, or is no text.
    """
    if file is None and sys.stdin.isatty():
        from getpass import getpass  # noqa: PLC0415 - keeps --help quick

        return Secret(getpass("Value: "))
    try:
        if file is None:
            content = sys.stdin.buffer.read(MAX_VALUE_BYTES + 2)
        else:
            with file.open("rb") as opened:
                content = opened.read(MAX_VALUE_BYTES + 2)
        return Secret(content.decode().removesuffix("\n").removesuffix("\r"))
    except OSError as error:
        raise CommandError(f"cannot read {file}: {error.strerror}", code="unreadable") from None
    except UnicodeDecodeError:
        raise CommandError("the value is no text in UTF-8", code="not_text") from None


def _policy(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        with file.open(encoding="utf-8") as opened:
            return opened.read(MAX_POLICY + 1)
    except OSError as error:
        raise CommandError(f"cannot read {file}: {error.strerror}", code="unreadable") from None
    except UnicodeDecodeError:
        raise CommandError(f"{file} is no text in UTF-8", code="not_text") from None


@app.command(name="list")
def list_secrets(
    *, cluster: _Text = None, json: AsJson = False, credentials: CredentialsFile = None
) -> None:  # fmt: skip
    """List secrets of a cluster, never their values.

    Args:
        cluster: Id or name of the cluster; the default cluster unless set.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    secrets = list(client.every(f"{cluster_path(client, cluster)}/secrets"))
    if json:
        show_json(secrets)
        return
    names = ("id", "key", "description", "updated_at", "last_read_at")
    show_table(
        ("Id", "Key", "Description", "Changed", "Last read"),
        [[secret[name] for name in names] for secret in secrets],
        empty="There is no secret. Next: watchword secret create KEY",
    )


@app.command
def create(
    key: str,
    /,
    *,
    value_file: _File = None,
    description: _Text = None,
    policy_file: _File = None,
    cluster: _Text = None,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Create a secret. Its value comes from a file or standard input, or is asked for.

    Args:
        key: Letters, digits and _, a letter first.
        value_file: File with the value; standard input unless set.
        description: What it is for.
        policy_file: File with its policy, in YAML.
        cluster: Id or name of the cluster; the default cluster unless set.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    policy = _policy(policy_file)
    body = given(key=key, description=description, policy=policy, value=read_value(value_file).reveal())
    made = client.call("POST", f"{cluster_path(client, cluster)}/secrets", body)
    if json:
        show_json(made)
    else:
        print(f"Created {made['id']} ({made['key']}); its value is shown nowhere.")


@app.command
def update(
    secret: str,
    /,
    *,
    value: _Switch = False,
    value_file: _File = None,
    description: _Text = None,
    policy_file: _File = None,
    cluster: _Text = None,
    credentials: CredentialsFile = None,
) -> None:
    """Change a secret's description, policy or value; its key stays.

    Args:
        secret: Its id or key.
        value: Replace the value by what comes on standard input, or is asked for.
        value_file: Replace the value by what this file holds.
        description: What it is for; an empty text clears it.
        policy_file: File with its policy, in YAML; an empty one clears it.
        cluster: Id or name of the cluster; the default cluster unless set.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    secrets = f"{cluster_path(client, cluster)}/secrets"
    found = pick(client, secrets, secret, "key", "secret")
    changed = given(description=description, policy=_policy(policy_file))
    if not (value or value_file):
        require_change(changed)
    if changed:
        client.call("PUT", f"{secrets}/{found['id']}", changed)
    if value or value_file:
        client.call("PUT", f"{secrets}/{found['id']}/value", {"value": read_value(value_file).reveal()})
    print(f"Changed {found['id']} ({clean(found['key'])}).")


@app.command
def delete(
    secret: str, /, *, cluster: _Text = None, yes: _Yes = False, credentials: CredentialsFile = None
) -> None:  # fmt: skip
    """Delete a secret with its value.

    Args:
        secret: Its id or key.
        cluster: Id or name of the cluster; the default cluster unless set.
        yes: Do not ask.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    secrets = f"{cluster_path(client, cluster)}/secrets"
    found = pick(client, secrets, secret, "key", "secret")
    confirm(f"Delete the secret {found['key']!r}", yes=yes)
    client.call("DELETE", f"{secrets}/{found['id']}")
    print(f"Deleted {found['id']} ({clean(found['key'])}).")
