"""`what`: explain a string, offline; with a server, whose it is."""

import sys
from datetime import UTC, datetime
from typing import Annotated, Any

from cyclopts import Parameter

from watchword.cli.client import AsJson, CredentialsFile
from watchword.cli.output import clean, say, show_fields, show_json
from watchword.domain.errors import Invalid
from watchword.domain.kinds import DEFAULT_BRAND
from watchword.scan.explain import MAX_TEXT, Explainer, Explanation
from watchword.scan.lookup import Known
from watchword.scan.report import kinds, title

_Switch = Annotated[bool, Parameter(negative=())]
_NOTHING = 1


def what(
    string: str | None = None,
    /,
    *,
    stdin: _Switch = False,
    verify: _Switch = False,
    brand: Annotated[list[str] | None, Parameter(negative=(), show_default=False)] = None,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Explain a string: which token's value it is, whether it is whole, and what is wrong with it.

    It is asked for unless given, and then stands in no list of processes and no history. Nothing is sent
    anywhere without --verify. The exit status is 1 where it is nobody's value.

    Args:
        string: The string; better leave it out.
        stdin: Read it from standard input.
        verify: Ask the server whose it is and whether it is live; it is sent 10 hex digits of its digest.
        brand: Brand of the installation; may be repeated. bk unless given.
        json: Print JSON.
        credentials: File with the server's address and an API access token, for --verify.
    """
    explained = Explainer(tuple(brand or (DEFAULT_BRAND,))).explain(_given(string, stdin=stdin))
    known: Known | None = None
    if verify and explained.whole:
        from watchword.cli.scanserver import live  # noqa: PLC0415 - needs the HTTP client

        file = None if credentials is None else str(credentials)
        known = live([explained.digest], file).get(explained.digest)
    if json:
        show_json(_document(explained, known, asked=verify))
    else:
        _show(explained, known, asked=verify)
    if not explained.whole:
        sys.exit(_NOTHING)


def _given(string: str | None, *, stdin: bool) -> str:
    if string not in (None, "-"):
        say("Arguments are seen by everybody on this machine and kept in the shell's history: leave it out")
        say("and be asked, or use --stdin.")
        return str(string)
    if stdin or string == "-" or not sys.stdin.isatty():
        return sys.stdin.read(MAX_TEXT).rstrip("\r\n")
    from getpass import getpass  # noqa: PLC0415

    text = getpass("String (not shown): ")
    if not text:
        raise Invalid("there is nothing to explain", code="nothing_given")
    return text


def _document(explained: Explanation, known: Known | None, *, asked: bool) -> dict[str, Any]:
    document = explained.document()
    if asked:
        document["live"] = None if known is None else known.document()
    return document


def _show(explained: Explanation, known: Known | None, *, asked: bool) -> None:
    if not explained.family:
        print("No value of a token that is known here.")
    else:
        nearly = "Value" if explained.whole else "Nearly the value"
        print(f"{nearly} of a token: {title(explained.family)}")
    document = explained.document()
    rows: list[tuple[str, object]] = []
    if explained.family:
        rows.append(("Kinds", ", ".join(kinds(explained.family))))
        rows.append(("Brand", explained.brand))
        rows.append(("Installation", explained.cell))
        if explained.whole:
            checksum = {True: "holds", False: "does not hold", None: "has none"}[explained.checksum]
            rows.append(("Checksum", checksum))
    rows += [("Fingerprint", document["fingerprint"]), ("Digest begins", document["digest_prefix"])]
    rows += [(name.capitalize(), _flat(content)) for name, content in explained.contents.items()]
    if asked and explained.whole:
        rows += _server_rows(known)
    show_fields(rows)
    for problem in explained.problems:
        print(f"! {problem}")
    for note in explained.notes:
        print(f"  {note}")


def _flat(content: object) -> str:
    if not isinstance(content, dict):
        return "cannot be read"
    return ", ".join(f"{name}={_moment(name, value)}" for name, value in content.items())


def _moment(name: str, value: object) -> object:
    if name in ("exp", "iat") and isinstance(value, int) and 0 <= value < 1 << 34:
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return value


def _server_rows(known: Known | None) -> list[tuple[str, object]]:
    if known is None:
        return [("State", "the server does not know it")]
    token = known.token or {}
    rows: list[tuple[str, object]] = [("State", known.state), ("Kind", known.kind)]
    rows += [(name.capitalize(), clean(text)) for name, text in token.items()]
    return rows
