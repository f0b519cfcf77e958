"""`partner`: play a partner that finds leaked tokens, as in GitHub's programme, to try things out."""

import json
import sys
import threading
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from watchword.cli.output import clean, say, show_json, show_table
from watchword.cli.partnerstand import PartnerStand, partner_key
from watchword.crypto.reports import ReportKey, github_headers
from watchword.crypto.values import Secret
from watchword.domain.errors import Invalid, WatchwordError

app = App(name="partner", help="Play a partner that reports leaked tokens, for trying it out.")

DEFAULT_KEY = Path("watchword-partner.pem")
DEFAULT_PORT = 8091
_REPORTER = "fake"
_MAX_INPUT = 4 * 1024 * 1024
_SECONDS = 60
_OK = 200

KeyFile = Annotated[Path, Parameter(name="--key")]


@app.command
def serve(*, key: KeyFile = DEFAULT_KEY, port: int = DEFAULT_PORT) -> None:
    """Publish the fake partner's keys on this machine, until it is interrupted.

    Args:
        key: File of the partner's key; made (mode 0600) where there is none.
        port: Port to listen on, on 127.0.0.1; 0 takes a free one.
    """
    stand = PartnerStand([(ReportKey.generate(), False), (partner_key(key), True)], port)
    print(f"The fake partner's keys are at {stand.url}", flush=True)
    say("Put this into the server's settings file:")
    say(f'\n[[leak_reporters]]\nname = "{_REPORTER}"\ntype = "github"\nkeys = "{stand.url}"\n')
    try:
        threading.Event().wait()
    finally:
        stand.close()


@app.command
def report(
    *values: str,
    to: str,
    key: KeyFile = DEFAULT_KEY,
    stdin: Annotated[bool, Parameter(negative=())] = False,
    url: str = "",
    source: str = "content",
    type: str = "watchword_token",  # noqa: A002 - the field's name
    reporter: str = _REPORTER,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> None:
    """Sign a report of leaked values, send it, and print how each was labelled.

    Args:
        values: Values that were found. Others on this machine see them while this runs; use --stdin there.
        to: Address of the server, as https://tokens.example.com.
        key: File of the partner's key, which `watchword partner serve` publishes.
        stdin: Read values from standard input, one a line.
        url: Where they were found.
        source: What was found there, in GitHub's words: content, commit, issue_comment, npm and so on.
        type: What the partner calls the pattern.
        reporter: The partner's name in the server's settings.
        as_json: Print what the server answered, as it is.
    """
    found = [*values, *(_lines() if stdin else [])]
    if not found:
        raise Invalid("name a value, or give values with --stdin", code="no_value")
    items = [{"token": value, "type": type, "url": url, "source": source} for value in found]
    body = json.dumps(items).encode()
    answered = send(to, reporter, partner_key(key), body)
    if as_json:
        show_json(answered)
        return
    rows = [
        (Secret(value).masked(), one.get("label", ""), one.get("token_hash", "")[:12])
        for value, one in zip(found, answered, strict=False)
    ]
    show_table(("value", "label", "hash"), rows)


def send(server: str, reporter: str, key: ReportKey, body: bytes) -> list[dict[str, Any]]:
    """Send a signed report; the labels that it was answered with.

    Raises:
        WatchwordError: the server cannot be reached, or refused it.
    """
    import httpx  # noqa: PLC0415 - keeps --help quick

    url = f"{server.rstrip('/')}/leaks/partners/{reporter}"
    try:
        answer = httpx.post(url, content=body, headers=github_headers(key, body), timeout=_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise WatchwordError(
            f"{url} cannot be reached ({type(error).__name__})", code="unreachable"
        ) from None
    try:
        found = answer.json()
    except ValueError:
        found = None
    if answer.status_code == _OK and isinstance(found, list):
        return found
    told = found if isinstance(found, dict) else {}
    message = clean(told.get("message") or f"the server answered {answer.status_code}")
    raise WatchwordError(message, code=clean(told.get("code") or "refused"))


def _lines() -> list[str]:
    return [line.strip() for line in sys.stdin.read(_MAX_INPUT).splitlines() if line.strip()]
