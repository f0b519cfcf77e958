"""`incident`: retired values that were used again, sessions that two hold; and closing what is known."""

from typing import Annotated, Any
from urllib.parse import quote

from cyclopts import App, Parameter

from watchword.cli.client import AsJson, Client, CredentialsFile
from watchword.cli.output import show_fields, show_json, show_table

app = App(name="incident", help="List, show and close incidents.")


@app.command(name="list")
def list_incidents(*, json: AsJson = False, credentials: CredentialsFile = None) -> None:
    """List incidents, latest first, closed ones too.

    Args:
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    found = list(Client.connect(credentials).every("incidents"))
    if json:
        show_json(found)
        return
    show_table(
        ("Id", "Kind", "State", "Token", "Count", "Addresses", "Last seen"),
        [[one[name] for name in ("id", "kind", "state", "token_id", "count")] + _seen(one) for one in found],
        empty="There is no incident.",
    )


def _seen(incident: dict[str, Any]) -> list[str]:
    return [" ".join(incident["addresses"]), incident["last_at"]]


@app.command
def show(incident: str, /, *, json: AsJson = False, credentials: CredentialsFile = None) -> None:
    """Show an incident: what was seen, from where, and what it holds back.

    Args:
        incident: Id of the incident.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    found = Client.connect(credentials).call("GET", f"incidents/{quote(incident, safe='')}")
    if json:
        show_json(found)
    else:
        _show(found)


@app.command
def close(
    incident: str,
    /,
    *,
    note: Annotated[str | None, Parameter(show_default=False)] = None,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Close an incident; what it held back works again.

    Args:
        incident: Id of the incident.
        note: What was found out.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    found = client.call("PUT", f"incidents/{quote(incident, safe='')}/close", {"note": note})
    if json:
        show_json(found)
    else:
        _show(found)


def _show(found: dict[str, Any]) -> None:
    where = " from these addresses" if found["quarantine_joins"] else ""
    held = " ".join(found["quarantined"])
    show_fields(
        [
            ("Id", found["id"]),
            ("Kind", found["kind"]),
            ("State", found["state"]),
            ("Token", found["token_id"]),
            ("Agent", found["agent_id"]),
            ("Addresses", " ".join(found["addresses"])),
            ("Count", found["count"]),
            ("First seen", found["first_at"]),
            ("Last seen", found["last_at"]),
            ("Held back", f"{held}{where}" if held else None),
            ("Closed", found["closed_at"]),
            ("Closed by", (found["closed_by"] or {}).get("email")),
            ("Note", found["note"]),
        ]
    )
