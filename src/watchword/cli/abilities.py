"""`can`: what a token may do right now, as the server's own rules say."""

from typing import Annotated, Any
from urllib.parse import quote

from cyclopts import Parameter

from watchword.cli.apitokens import path_of
from watchword.cli.client import AsJson, Client, CredentialsFile
from watchword.cli.output import show_fields, show_json, show_table

_Text = Annotated[str | None, Parameter(show_default=False)]


def api_token_can(
    token: Annotated[str | None, Parameter(show_default=False)] = None,
    /,
    *,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """List what an API access token may do right now: its scopes, cut by what its owner may do.

    Args:
        token: Id of the token; the token of the credentials unless set.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    path = "/v2/access-token/operations" if token is None else path_of(token, "operations")
    found = client.call("GET", path)
    if json:
        show_json(found)
        return
    rows = [["", *_row(operation)] for operation in found["anywhere"]]
    for each in found["organizations"]:
        slug = each["organization"]
        rows += [[slug, *_row(operation)] for operation in each["operations"]]
        if each["refused"]:
            rows.append([slug, "nothing", each["refused"], "", ""])
    if found["refused"]:
        rows.append(["", "nothing", found["refused"], "", ""])
    show_table(("Organization", "Operation", "Verdict", "On", "What it is"), rows)


def _row(operation: dict[str, Any]) -> list[str]:
    on = " ".join([*operation["clusters"], *operation["teams"]])
    return [operation["name"], operation["verdict"], on, operation["title"]]


def token_can(
    token: str, /, *, cluster: _Text = None, json: AsJson = False, credentials: CredentialsFile = None
) -> None:
    """Show what the holder of an agent token may do right now: which agents may join, and from where.

    Args:
        token: Id of the token.
        cluster: Id of the cluster; the default cluster unless set.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    place = quote(client.cluster(cluster), safe="")
    found = client.call("GET", f"clusters/{place}/tokens/{quote(token, safe='')}/operations")
    if json:
        show_json(found)
        return
    queues = found["queues"]
    show_fields(
        [
            ("May", ", ".join(found["operations"]) or "nothing"),
            ("Refused", found["refused"]),
            ("Cluster", found["cluster"]),
            ("Queues", "any" if queues is None else " ".join(queues)),
            ("Tags", " ".join(found["tags"])),
            ("Networks", " ".join(found["allowed_ip_addresses"]) or "anywhere"),
            ("Not before", found["not_before"]),
            ("Expires", found["expires_at"]),
            ("Uses left", found["uses_left"]),
        ]
    )
