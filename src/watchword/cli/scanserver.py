"""Asks the server about values that were found: it is shown beginnings of their digests, nothing else."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from watchword.cli import client as client_module
from watchword.cli.client import Client, CommandError, Credentials, find_credentials
from watchword.crypto.values import Secret
from watchword.scan.lookup import Known, known

PATH = "/leaks/lookup"


def live(digests: Iterable[bytes], credentials: str | None) -> dict[bytes, Known]:
    """What the server knows of these digests.

    Args:
        digests: SHA-256 of values.
        credentials: file that names the server, and a token that lets it say more; else they are found as by
            other commands. The server's address alone, in `WATCHWORD_URL`, is enough.

    Raises:
        CommandError: there is no server, or it does not answer as agreed.
    """
    wanted = list(digests)
    if not wanted:
        return {}
    where = _server(None if credentials is None else Path(credentials))
    with client_module.open_http(where) as http:
        client = Client(where, http)

        def ask(prefixes: Sequence[str]) -> Mapping[str, Any]:
            answer = client.call("POST", PATH, {"prefixes": list(prefixes)})
            matches = answer.get("matches") if isinstance(answer, dict) else None
            if not isinstance(matches, dict):
                raise CommandError("the server's answer is not understood", code="bad_answer")
            return matches

        try:
            return known(wanted, ask)
        except (TypeError, ValueError):
            raise CommandError("the server's answer is not understood", code="bad_answer") from None


def _server(file: Path | None) -> Credentials:
    url = os.environ.get("WATCHWORD_URL", "").rstrip("/")
    try:
        return find_credentials(file, os.environ)
    except CommandError as error:
        if error.code != "no_credentials" or not url:
            raise
        return Credentials(url, Secret(""))
