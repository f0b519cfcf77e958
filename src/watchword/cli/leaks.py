"""`leak`: tokens that were seen where they must not be: listed, looked at, answered, closed, reported."""

import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from cyclopts import App, Parameter

from watchword.cli.asking import confirm
from watchword.cli.client import AsJson, Client, CommandError, CredentialsFile
from watchword.cli.leakrules import app as rules
from watchword.cli.output import show_fields, show_json, show_table
from watchword.cli.tokenlife import read_value

app = App(name="leak", help="List, answer, close and report leaks of tokens; change what follows one.")
app.command(rules, name="policy")

_Text = Annotated[str | None, Parameter(show_default=False)]
_Number = Annotated[int | None, Parameter(show_default=False)]
_Switch = Annotated[bool, Parameter(negative=())]
_File = Annotated[Path | None, Parameter(show_default=False)]
_EXPORTS = ("json", "csv", "md")


def _path(leak: str) -> str:
    return f"leaks/{quote(leak, safe='')}"


@app.command(name="list")
def list_leaks(
    *,
    state: _Text = None,
    kind: _Text = None,
    reporter: _Text = None,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """List cases, the most urgent first, closed ones too.

    Args:
        state: Only cases in this state: held, open or closed.
        kind: Only tokens of this kind, as api_access.
        reporter: Only cases that this reporter told first.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    asked = {"state": state, "kind": kind, "reporter": reporter}
    given = {name: text for name, text in asked.items() if text is not None}
    found = list(Client.connect(credentials).every("leaks", **given))
    if json:
        show_json(found)
        return
    names = ("id", "state", "kind", "token_description", "visibility", "outcome", "reporter", "last_seen_at")
    show_table(
        ("Id", "State", "Kind", "Token", "Seen", "Done", "Reporter", "Last seen"),
        [[one[name] for name in names] for one in found],
        empty="No token has leaked.",
    )


@app.command
def show(
    leak: str, /, *, export: _Text = None, json: AsJson = False, credentials: CredentialsFile = None
) -> None:
    """Show a case: where it was found, who used the token since, what was done, what to do now.

    Args:
        leak: Id of the case.
        export: Print the whole case as a file to keep: json, csv or md.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    if export is not None and export not in _EXPORTS:
        raise CommandError("an export is json, csv or md", code="unknown_export")
    if export in ("csv", "md"):
        print(client.raw("GET", f"{_path(leak)}/export.{export}").text, end="")
        return
    found = client.call("GET", _path(leak))
    if json or export == "json":
        show_json(found)
    else:
        _show_whole(found)


def _show_whole(found: dict[str, Any]) -> None:
    _show(found)
    show_table(
        ("Found", "Place", "Who sees it", "Reporter", "First seen"),
        [
            [one["url"], one["place"], one["visibility"], one["reporter"], one["first_seen_at"]]
            for one in found["found"]
        ],
    )
    show_table(
        ("Used since", "Client", "Times", "Last", "New since the leak"),
        [
            [
                one["address"],
                one["client"],
                one["count"],
                one["last_at"],
                _yes(holds=one["new_since_the_leak"]),
            ]
            for one in found["used_since"]
        ],
        empty="Nobody used it since, as far as we know.",
    )
    if found["agents_since"]:
        show_table(
            ("Agent since", "Host", "Address", "Registered"),
            [
                [one["name"], one["hostname"], one["address"], one["registered_at"]]
                for one in found["agents_since"]
            ],
        )
    show_table(("Done", "Who", "When"), [[one["action"], one["actor"], one["at"]] for one in found["done"]])
    print("What to do now:")
    for one in found["advice"]:
        print(f"  - {one['text']}")


def _yes(*, holds: bool) -> str:
    return "yes" if holds else "no"


@app.command
def respond(
    leak: str,
    response: str,
    /,
    *,
    mode: _Text = None,
    grace: _Number = None,
    yes: _Switch = False,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Answer a leak now, also one that is held for a person.

    After a rotation the new value is taken on the console, once.

    Args:
        leak: Id of the case.
        response: revoke, rotate, quarantine; or notify, which lets a held token be.
        mode: Of a revocation: stop-joining, drain or cut.
        grace: Of a rotation: minutes for which the leaked value goes on working.
        yes: Do not ask before a revocation.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    if response == "revoke":
        confirm(_breaks(client.call("GET", _path(leak))), yes=yes)
    body = {"response": response, "mode": mode, "grace_minutes": grace}
    given = {name: value for name, value in body.items() if value is not None}
    _changed(client.call("PUT", f"{_path(leak)}/respond", given), json=json)


def _breaks(found: dict[str, Any]) -> str:
    """What a revocation would break."""
    radius = found["blast_radius"] or {}
    return (
        f"Revoking it cannot be taken back. Now: {radius.get('agents_connected', 0)} agents connected,"
        f" {radius.get('running_jobs', 0)} jobs running, {radius.get('callers_count', 0)} callers of the last"
        " day."
    )


@app.command
def release(leak: str, /, *, json: AsJson = False, credentials: CredentialsFile = None) -> None:
    """Lift a leaked token's quarantine; it works again, for whoever has it.

    Args:
        leak: Id of the case.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    _changed(Client.connect(credentials).call("PUT", f"{_path(leak)}/release"), json=json)


@app.command
def close(
    leak: str, /, *, note: _Text = None, json: AsJson = False, credentials: CredentialsFile = None
) -> None:
    """Close a case with what was found out.

    Args:
        leak: Id of the case.
        note: What was found out.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    _changed(client.call("PUT", f"{_path(leak)}/close", {"note": note}), json=json)


@app.command
def reopen(leak: str, /, *, json: AsJson = False, credentials: CredentialsFile = None) -> None:
    """Open a closed case again.

    Args:
        leak: Id of the case.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    _changed(Client.connect(credentials).call("PUT", f"{_path(leak)}/reopen"), json=json)


@app.command
def report(
    *,
    value_file: _File = None,
    token: _Text = None,
    url: _Text = None,
    place: _Text = None,
    visibility: str = "private",
    since: _Text = None,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Report a token that leaked; the organization's rules answer at once.

    The value comes from a file or from standard input, where it may be piped; never as an argument.

    Args:
        value_file: File with the value, "-" for standard input.
        token: Id of the token, where you do not have its value: it opens a case and takes nothing away.
        url: Where it was found.
        place: What part of that, as commit or ticket.
        visibility: Who could see it there: public, private or internal.
        since: Since when, as 2027-01-31T12:00:00Z.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    source = value_file or (Path("-") if token is None and not sys.stdin.isatty() else None)
    body = {
        "value": read_value(source) if source is not None else None,
        "token_id": token,
        "url": url,
        "place": place,
        "visibility": visibility,
        "exposed_at": since,
    }
    given = {name: text for name, text in body.items() if text}
    made = Client.connect(credentials).call("POST", "leaks", given)
    if json:
        show_json(made)
        return
    print(f"Reported: {made['kind']} token {made['token_id']}; done with it: {made['outcome']}.")
    if made["leak"]:
        print(f"watchword leak show {made['leak']['id']}")


def _changed(found: dict[str, Any], *, json: bool) -> None:
    if json:
        show_json(found)
    else:
        _show(found)


def _show(found: dict[str, Any]) -> None:
    show_fields(
        [
            ("Id", found["id"]),
            ("State", found["state"]),
            ("Kind", found["kind"]),
            ("Token", found["token_id"]),
            ("Description", found["token_description"]),
            ("Token is", found["token_state"]),
            ("Who sees it", found["visibility"]),
            ("Proved by", found["evidence"]),
            ("Done", found["outcome"]),
            ("In the way", found["failure"]),
            ("Reporter", found["reporter"]),
            ("Times", found["count"]),
            ("Readable since", found["exposed_at"]),
            ("Held until", found["held_until"]),
            ("Answered", found["acted_at"]),
            ("Closed", found["closed_at"]),
            ("Note", found["note"]),
            ("New value waits", found["web_url"] if found["value_waiting"] else None),
        ]
    )
