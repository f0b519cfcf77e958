"""Things by id or by name: what people type, and the questions that a command asks before it destroys."""

import sys
from typing import Any
from urllib.parse import quote

from watchword.cli.client import Client, CommandError
from watchword.cli.output import clean, say
from watchword.domain.ids import is_uuid


def segment(text: str) -> str:
    """A text as one segment of a path."""
    return quote(text, safe="")


def pick(client: Client, path: str, text: str, field: str, what: str) -> dict[str, Any]:
    """A thing of a list by its id or by what it is called.

    Args:
        client: the way to the server.
        path: the list's path.
        text: what the person typed.
        field: what the thing is called by: its name or key.
        what: the thing, for people.

    Raises:
        CommandError: there is none, or several are called so.
    """
    if is_uuid(text):
        found: dict[str, Any] = client.call("GET", f"{path}/{segment(text.lower())}")
        return found
    named = [one for one in client.every(path) if one[field] == text]
    if len(named) == 1:
        return named[0]
    if not named:
        raise CommandError(f"there is no {what} called {text!r}", code="not_found")
    raise CommandError(f"several {what}s are called {text!r}; give the id", code="ambiguous")


def cluster_path(client: Client, text: str | None) -> str:
    """Path of a cluster by id or name; of the default one where none is named."""
    if text is None or is_uuid(text):
        return f"clusters/{segment(client.cluster(text))}"
    return f"clusters/{pick(client, 'clusters', text, 'name', 'cluster')['id']}"


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something is destroyed.

    Args:
        question: what is about to happen.
        yes: whether the answer was given on the command line.

    Raises:
        CommandError: the answer is no, or there is nobody to ask.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandError("add --yes to do this without being asked", code="not_confirmed")
    say(f"{clean(question)}?")
    if input("Type yes: ").strip().lower() not in ("y", "yes"):
        raise CommandError("nothing was changed", code="not_confirmed")


def given(**fields: object) -> dict[str, object]:
    """The fields that were given: those that are None are left out."""
    return {name: value for name, value in fields.items() if value is not None}


def require_change(body: dict[str, object]) -> dict[str, object]:
    """Require that something is to be changed.

    Raises:
        CommandError: nothing is.
    """
    if not body:
        raise CommandError("say what to change; --help lists the options", code="nothing_to_change")
    return body
