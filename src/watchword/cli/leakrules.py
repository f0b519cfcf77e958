"""`leak policy`: what follows when a token of a kind is found in a place."""

from typing import Annotated, Any

from cyclopts import App, Parameter

from watchword.cli.client import AsJson, Client, CommandError, CredentialsFile
from watchword.cli.output import say, show_json, show_table

app = App(name="policy", help="Show and change what follows a leak.")

_Rules = Annotated[list[str] | None, Parameter(negative=(), show_default=False)]
_Choice = Annotated[bool | None, Parameter(show_default=False)]


@app.command
def show(*, json: AsJson = False, credentials: CredentialsFile = None) -> None:
    """Show the rules, kind by kind.

    Args:
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    _show(Client.connect(credentials).call("GET", "leak-policy"), json=json)


@app.command(name="set")
def change(
    *,
    rule: _Rules = None,
    dry_run: _Choice = None,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Change rules; they hold for the very next report.

    Args:
        rule: KIND:VISIBILITY=RULE, where RULE is notify, quarantine, rotate:MINUTES, revoke:MODE, or default;
            as agent:public=rotate:60. May be repeated.
        dry_run: Only open cases from now on; or no longer.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    rules: dict[str, str | None] = {}
    for text in rule or ():
        key, parted, wanted = text.partition("=")
        if not parted:
            raise CommandError("a rule is KIND:VISIBILITY=RULE, as agent:public=rotate:60", code="bad_rule")
        rules[key] = None if wanted == "default" else wanted
    body: dict[str, Any] = {"rules": rules}
    if dry_run is not None:
        body["dry_run"] = dry_run
    _show(Client.connect(credentials).call("PATCH", "leak-policy", body), json=json)


def _show(policy: dict[str, Any], *, json: bool) -> None:
    if json:
        show_json(policy)
        return
    show_table(
        ("Kind", "Found in", "What follows", "Usual"),
        [
            [
                one["kind"],
                one["visibility"],
                one["rule"],
                "" if one["rule"] == one["default"] else one["default"],
            ]
            for one in policy["rules"]
        ],
    )
    if policy["dry_run"]:
        say("Dry run: cases are opened, and nothing is done.")
