"""Asking before something is done that cannot be undone."""

import sys

from watchword.cli.client import CommandError
from watchword.cli.output import say


def confirm(question: str, *, yes: bool) -> None:
    """Go on only if the person says so, here or by `--yes`.

    Args:
        question: what is about to happen.
        yes: whether `--yes` was given.

    Raises:
        CommandError: there is nobody to ask, or the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandError("add --yes to do it without being asked", code="not_confirmed")
    say(question)
    if input("Type yes: ").strip().lower() not in ("y", "yes"):
        raise CommandError("nothing was changed", code="not_confirmed")
