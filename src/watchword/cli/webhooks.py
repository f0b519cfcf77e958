"""`webhook`: tell other systems what happens; see what they were told, and tell them again."""

import json as jsons
import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

from cyclopts import App, Parameter

from watchword.cli.client import AsJson, Client, CommandError, CredentialsFile
from watchword.cli.output import clean, say, show_fields, show_json, show_table

app = App(name="webhook", help="Tell other systems what happens to agents, builds and tokens.")

_Text = Annotated[str | None, Parameter(show_default=False)]
_Events = Annotated[list[str] | None, Parameter(name="--event", negative=(), show_default=False)]
_Names = Annotated[list[str] | None, Parameter(negative=(), show_default=False)]
_File = Annotated[Path | None, Parameter(show_default=False)]
_Choice = Annotated[bool | None, Parameter(show_default=False)]
_Switch = Annotated[bool, Parameter(negative=())]
_Yes = Annotated[bool, Parameter(name=("--yes", "-y"), negative=())]
_MAX_TOKEN_FILE = 4096


def _path(webhook: str, *parts: str) -> str:
    """Path of a webhook; what is no plain id stays inside its segment."""
    return "/".join(("services", *(quote(part, safe="") for part in (webhook, *parts))))


def _token(file: Path | None) -> str | None:
    """The webhook's own token in a file; never on a command line, where others see it.

    Raises:
        CommandError: it cannot be read.
    """
    if file is None:
        return None
    try:
        with file.open("rb") as source:
            return source.read(_MAX_TOKEN_FILE).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise CommandError(f"cannot read {file}: {reason}", code="bad_token_file") from None


def _every(client: Client, path: str) -> list[dict[str, Any]]:
    """Everything that a cursor-style list holds."""
    found: list[dict[str, Any]] = []
    target: str | None = f"{path}?per_page=100"
    while target is not None:
        part = client.call("GET", target)
        found += part["items"]
        following = part["links"].get("next")
        target = f"{path}?{urlsplit(following).query}" if following else None
    return found


def _scope(client: Client, clusters: list[str] | None, pipelines: list[str] | None) -> dict[str, Any]:
    """What the webhook is narrowed to; pipelines are named by their slugs.

    Raises:
        CommandError: both are named.
    """
    if clusters and pipelines:
        raise CommandError("give --cluster or --pipeline, not both", code="two_scopes")
    if clusters:
        return {"scope": "some_clusters", "scope_uuids": clusters}
    if pipelines:
        ids = [client.call("GET", f"pipelines/{quote(slug, safe='')}")["id"] for slug in pipelines]
        return {"scope": "some_projects", "scope_uuids": ids}
    return {}


def _given(**said: object) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value is not None}


def _mode(signed: bool | None) -> str | None:  # noqa: FBT001 - a flag that may be absent
    return None if signed is None else "signature" if signed else "token"


@app.command
def create(
    url: str,
    /,
    *,
    event: _Events = None,
    description: str = "",
    signed: bool = True,
    token_file: _File = None,
    verify: bool = True,
    branches: str = "",
    cluster: _Names = None,
    pipeline: _Names = None,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Create a webhook; it is told of everything at once unless it is narrowed.

    Args:
        url: Where to; https, and no address that only this server reaches.
        event: Word of an event, as agent.lost or token.revoked; may be repeated. All but Watchword's own
            unless set.
        description: What it is for.
        signed: Sign each delivery with the webhook's token; else the token itself is sent.
        token_file: File with the webhook's own token; one is made unless set.
        verify: Check the receiver's certificate.
        branches: Patterns of branches, apart by spaces.
        cluster: Id of a cluster whose builds it is told of; may be repeated.
        pipeline: Slug of a pipeline whose builds it is told of; may be repeated.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    settings = _given(
        url=url, events=event, token_mode=_mode(signed), token=_token(token_file), tls_verify=verify
    )
    body = {
        "provider": "webhook",
        "description": description,
        "branch_configuration": branches,
        "settings": settings,
        **_scope(client, cluster, pipeline),
    }
    made = client.call("POST", "services", body)
    if json:
        show_json(made)
        return
    print(f"Webhook {made['id']} to {clean(url)} is told of {len(made['settings']['events'])} events.")
    print(f"Its token, for the receiver to check {'signatures' if signed else 'what it gets'}:\n")
    print(f"  {made['settings']['token']}\n\nTry it with: watchword webhook ping {made['id']}")


@app.command(name="list")
def list_webhooks(*, json: AsJson = False, credentials: CredentialsFile = None) -> None:
    """List webhooks and whether they can be reached.

    Args:
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    found = _every(Client.connect(credentials), "services")
    if json:
        show_json(found)
        return
    show_table(
        ("Id", "Description", "Url", "Events", "State", "Failing since"),
        [
            [
                one["id"],
                one["description"],
                one["settings"]["url"],
                len(one["settings"]["events"]),
                _state(one),
                one["failing_since"],
            ]
            for one in found
        ],
        empty="There is no webhook. Next: watchword webhook create URL",
    )


def _state(webhook: dict[str, Any]) -> str:
    if webhook["broken_at"]:
        return "broken"
    return "enabled" if webhook["enabled"] else "disabled"


@app.command
def show(
    webhook: str,
    /,
    *,
    token: _Switch = False,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Show a webhook.

    Args:
        webhook: Id of the webhook.
        token: Show its token too.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    found = Client.connect(credentials).call("GET", _path(webhook))
    settings = found["settings"]
    if not token:
        settings["token"] = "(hidden; --token shows it)"  # noqa: S105 - no token
    if json:
        show_json(found)
        return
    off = [name for name, wanted in found["build_states"].items() if not wanted]
    show_fields(
        [
            ("Id", found["id"]),
            ("Description", found["description"]),
            ("Url", settings["url"]),
            ("State", _state(found)),
            ("Failing since", found["failing_since"]),
            ("Failures", found["failures"] or None),
            ("Events not kept", found["dropped"] or None),
            ("Events", " ".join(settings["events"])),
            ("Token", settings["token"]),
            ("Sent as", settings["token_mode"]),
            ("Checks certificate", "yes" if settings["tls_verify"] else "no"),
            ("Scope", " ".join([found["scope"], *found["scope_uuids"]])),
            ("Branches", found["branch_configuration"]),
            ("Not told of", " ".join(off)),
            ("Created", found["created_at"]),
            ("Created by", (found["created_by"] or {}).get("email")),
        ]
    )


@app.command
def update(
    webhook: str,
    /,
    *,
    url: _Text = None,
    event: _Events = None,
    description: _Text = None,
    signed: _Choice = None,
    token_file: _File = None,
    new_token: _Switch = False,
    verify: _Choice = None,
    branches: _Text = None,
    cluster: _Names = None,
    pipeline: _Names = None,
    everywhere: _Switch = False,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Change a webhook; what is not named stays.

    Args:
        webhook: Id of the webhook.
        url: Where to.
        event: Word of an event; may be repeated. They replace those it has.
        description: What it is for.
        signed: Sign each delivery; else the token itself is sent.
        token_file: File with a new token of the webhook.
        new_token: Have a new token made.
        verify: Check the receiver's certificate.
        branches: Patterns of branches, apart by spaces.
        cluster: Id of a cluster whose builds it is told of; may be repeated.
        pipeline: Slug of a pipeline whose builds it is told of; may be repeated.
        everywhere: Tell it of the builds of all pipelines.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    settings: dict[str, Any] = _given(
        url=url, events=event, token_mode=_mode(signed), token=_token(token_file), tls_verify=verify
    )
    if new_token:
        settings["token"] = None
    scope = {"scope": "all"} if everywhere else _scope(client, cluster, pipeline)
    body = {**_given(description=description, branch_configuration=branches), **scope}
    changed = client.call("PATCH", _path(webhook), {**body, "settings": settings} if settings else body)
    if json:
        show_json(changed)
        return
    print(f"Webhook {changed['id']} is changed.")
    if "token" in settings:
        print(f"Its new token:\n\n  {changed['settings']['token']}")


@app.command
def delete(webhook: str, /, *, yes: _Yes = False, credentials: CredentialsFile = None) -> None:
    """Delete a webhook with its deliveries.

    Args:
        webhook: Id of the webhook.
        yes: Do not ask.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    found = client.call("GET", _path(webhook))
    if not yes:
        if not sys.stdin.isatty():
            raise CommandError("add --yes to delete without being asked", code="not_confirmed")
        say(f"Delete the webhook to {clean(found['settings']['url'])}? What waits for it is lost.")
        if input("Type yes: ").strip().lower() not in ("y", "yes"):
            raise CommandError("nothing was deleted", code="not_confirmed")
    client.call("DELETE", _path(webhook))
    print(f"Deleted webhook {found['id']}.")


@app.command
def enable(webhook: str, /, *, credentials: CredentialsFile = None) -> None:
    """Enable a webhook, also one that was given up; what still waits for it is sent.

    Args:
        webhook: Id of the webhook.
        credentials: File with the server's address and an API access token.
    """
    found = Client.connect(credentials).call("PUT", _path(webhook, "enable"))
    print(f"Webhook {found['id']} is enabled.")


@app.command
def disable(webhook: str, /, *, credentials: CredentialsFile = None) -> None:
    """Disable a webhook; nothing is sent to it.

    Args:
        webhook: Id of the webhook.
        credentials: File with the server's address and an API access token.
    """
    found = Client.connect(credentials).call("PUT", _path(webhook, "disable"))
    print(f"Webhook {found['id']} is disabled.")


@app.command
def ping(webhook: str, /, *, json: AsJson = False, credentials: CredentialsFile = None) -> None:
    """Send a ping to a webhook.

    Args:
        webhook: Id of the webhook.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    sent = Client.connect(credentials).call("POST", _path(webhook, "ping"))
    if json:
        show_json(sent)
        return
    print(f"Delivery {sent['id']} is on its way; see: watchword webhook deliveries {clean(webhook)}")


@app.command
def deliveries(
    webhook: str,
    delivery: _Text = None,
    /,
    *,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """List the latest deliveries of a webhook, or show one with what was sent and answered.

    Args:
        webhook: Id of the webhook.
        delivery: Id of a delivery.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    if delivery is not None:
        found = client.call("GET", _path(webhook, "deliveries", delivery))
        show_json(found) if json else _show_delivery(found)
        return
    rows = _every(client, _path(webhook, "deliveries"))
    if json:
        show_json(rows)
        return
    names = ("id", "event", "state", "attempts", "response_status", "attempted_at", "error")
    show_table(
        ("Id", "Event", "State", "Attempts", "Answer", "Last attempt", "Error"),
        [[row[name] for name in names] for row in rows],
        empty=f"Nothing was sent yet. Next: watchword webhook ping {clean(webhook)}",
    )


def _show_delivery(found: dict[str, Any]) -> None:
    answer = found["response"] or {"status": None, "headers": {}, "body": ""}
    show_fields(
        [
            ("Id", found["id"]),
            ("Event", found["event"]),
            ("State", found["state"]),
            ("Attempts", found["attempts"]),
            ("Next attempt", found["next_attempt_at"]),
            ("Error", found["error"]),
            ("Sent to", found["request"]["url"]),
            *((f"> {name}", value) for name, value in found["request"]["headers"].items()),
            ("Answer", answer["status"]),
            *((f"< {name}", value) for name, value in answer["headers"].items()),
        ]
    )
    print(f"\n{jsons.dumps(found['request']['body'], indent=2)}")
    if answer["body"]:
        print("\n" + "\n".join(clean(line) for line in answer["body"].splitlines()))


@app.command
def redeliver(webhook: str, delivery: str, /, *, credentials: CredentialsFile = None) -> None:
    """Send a delivery that has ended once more, under the same id.

    Args:
        webhook: Id of the webhook.
        delivery: Id of the delivery.
        credentials: File with the server's address and an API access token.
    """
    sent = Client.connect(credentials).call("PUT", _path(webhook, "deliveries", delivery, "redeliver"))
    print(f"Delivery {sent['id']} is on its way again.")
