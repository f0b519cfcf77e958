"""`audit`: read the trail, check it against its chain and its published heads, take it away."""

import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter

from watchword.app import run
from watchword.cli.client import AsJson, Client, CommandError, CredentialsFile
from watchword.cli.output import show_json, show_table
from watchword.crypto.auditchain import public_key
from watchword.crypto.keys import KeyRing
from watchword.domain.audittrail import Report
from watchword.domain.ids import OrganizationId
from watchword.opening import KEYS, open_for_reading
from watchword.services.auditing import check_trail, public_keys
from watchword.services.trailcheck import TrailCheck
from watchword.services.trailexport import ExportLine, PublishedHead, encode_line, export_lines
from watchword.settings import Settings, load
from watchword.store.base import Store
from watchword.workers.headfile import read_heads

app = App(name="audit", help="Read, check and export the audit trail.")

_File = Annotated[Path | None, Parameter(show_default=False)]
_Text = Annotated[str | None, Parameter(show_default=False)]
_Texts = Annotated[list[str] | None, Parameter(negative=(), show_default=False)]
_KEY = 32


@app.command(name="list")
def list_events(
    *,
    type: _Texts = None,  # noqa: A002 - the name of the flag
    actor: _Texts = None,
    subject: _Texts = None,
    limit: int = 30,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """List audit events, newest first.

    Args:
        type: Only events of this type, as ClusterTokenCreatedEvent or CLUSTER_TOKEN_CREATED; may be repeated.
        actor: Only what the person or agent of this id did; may be repeated.
        subject: Only what was done to the thing of this id; may be repeated.
        limit: How many.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    asked = {"type[]": type or (), "actor[]": actor or (), "subject[]": subject or ()}
    query = [(name, value) for name, values in asked.items() for value in values]
    events: list[dict[str, Any]] = []
    cursor = ""
    while len(events) < limit:
        page = client.call("GET", _address(query, min(limit - len(events), 100), cursor))
        events += page["items"]
        cursor = _cursor_of(page["links"].get("next"))
        if not cursor:
            break
    if json:
        show_json(events)
        return
    show_table(
        ("When", "Type", "Who", "What", "From", "Number"),
        [
            [
                one["occurred_at"],
                one["type"],
                (one["actor"] or {}).get("name"),
                one["subject"]["name"] or one["subject"]["uuid"],
                (one["context"] or {}).get("request_ip"),
                one["sequence"],
            ]
            for one in events
        ],
        empty="There is no such event.",
    )


def _address(query: Iterable[tuple[str, str]], size: int, cursor: str) -> str:
    from urllib.parse import urlencode  # noqa: PLC0415 - keeps --help quick

    return "audit_events?" + urlencode([*query, *([("after", cursor)] if cursor else []), ("per_page", size)])


def _cursor_of(url: str | None) -> str:
    from urllib.parse import parse_qs, urlsplit  # noqa: PLC0415 - keeps --help quick

    return parse_qs(urlsplit(url).query).get("after", [""])[0] if url else ""


@app.command
def verify(
    *,
    export: _File = None,
    heads: _File = None,
    key: _Text = None,
    data: _File = None,
    config: _File = None,
    json: AsJson = False,
) -> None:
    """Check audit trails: that no event was changed, put in, taken out or cut off. Exit status 1 if one was.

    On the server's host it reads the database, while the server runs or not. An export is checked anywhere.

    Args:
        export: File that `watchword audit export` wrote, instead of the database.
        heads: File of published heads, best a copy that the server's host cannot change.
        key: Public key that must have signed the heads, as 64 hex digits; any known one unless set.
        data: Folder of the installation; watchword-data unless set.
        config: Settings file (TOML).
        json: Print JSON.
    """
    if export is not None:
        if heads is None:
            raise CommandError("an export is checked against published heads: add --heads", code="no_heads")
        reports = _check_export(export, read_heads(heads), key)
    else:
        reports = _check_database(load(config, given={"data": data}), heads, key)
    if json:
        show_json(msgspec.to_builtins([_Shown(report.intact, report) for report in reports]))
    else:
        _tell(reports)
    if not all(report.intact for report in reports):
        sys.exit(1)


@dataclass(frozen=True, slots=True)
class _Shown:
    intact: bool
    report: Report


def _tell(reports: list[Report]) -> None:
    for report in reports:
        unsealed = report.last - report.sealed
        state = "intact" if report.intact else "NOT INTACT"
        print(f"{report.organization_id}: {state}: {report.events} events, {report.heads} heads", end="")
        print(f", the newest {unsealed} not sealed yet" if unsealed else "")
        for one in report.findings:
            where = f"{one.first}" if one.first == one.last else f"{one.first} to {one.last}"
            print(f"  {one.code}: event {where}: {one.text}")


def _pinned(keys: Mapping[int, bytes], key: str | None) -> dict[int, bytes]:
    """The keys that count: all, or the one that was named."""
    if key is None:
        return dict(keys)
    try:
        wanted = bytes.fromhex(key)
    except ValueError:
        wanted = b""
    if len(wanted) != _KEY:
        raise CommandError("--key takes 64 hex digits", code="invalid_key")
    return {number: public for number, public in keys.items() if public == wanted}


def _check_database(settings: Settings, heads: Path | None, key: str | None) -> list[Report]:
    found: list[Report] = []
    path = heads or settings.head_file
    outside = [line.head() for line in read_heads(path)] if path.exists() else []

    async def work() -> None:
        async with _reading(settings) as (store, ring):
            keys = _pinned(public_keys(ring), key)
            organizations = await store.read(lambda tx: tx.accounts.organizations())
            found.extend([await check_trail(store, one.id, outside, keys) for one in organizations])

    run(work())
    return found


@asynccontextmanager
async def _reading(settings: Settings) -> AsyncIterator[tuple[Store, KeyRing]]:
    store = await open_for_reading(settings)
    try:
        yield store, KeyRing.load(settings.data / KEYS)
    finally:
        await store.close()


def _check_export(export: Path, outside: list[PublishedHead], key: str | None) -> list[Report]:
    keys = _pinned({line.key: bytes.fromhex(line.public_key) for line in outside}, key)
    lines = _lines(export)
    owners = sorted({line.event.organization_id for line in lines if line.event is not None})
    owners += sorted({OrganizationId(head.organization_id) for head in outside} - set(owners))
    published_heads = [line.head() for line in outside]
    stored = [line.head.head() for line in lines if line.head is not None]
    reports = []
    for owner in owners:
        check = TrailCheck(owner, stored, published_heads, keys)
        for line in lines:
            if line.event is not None and line.event.organization_id == owner:
                check.take(line.event)
        reports.append(check.finish())
    return reports


def _lines(export: Path) -> list[ExportLine]:
    try:
        return [msgspec.json.decode(line, type=ExportLine) for line in export.read_bytes().splitlines()]
    except (OSError, msgspec.MsgspecError) as error:
        raise CommandError(f"{export} cannot be read as an export: {error}", code="bad_export") from None


@app.command
def export(
    target: Path,
    /,
    *,
    organization: _Text = None,
    data: _File = None,
    config: _File = None,
) -> None:
    """Write whole audit trails and their heads to a new file, one JSON object a line.

    Args:
        target: File to make; it is readable by its owner alone.
        organization: Slug of the only organization to export.
        data: Folder of the installation; watchword-data unless set.
        config: Settings file (TOML).
    """
    settings = load(config, given={"data": data})
    if target.exists():
        raise CommandError(f"{target} exists; an export is a new file", code="exists")
    target.touch(mode=0o600)
    counted = [0, 0]

    async def work() -> None:
        async with _reading(settings) as (store, ring):
            with target.open("wb") as file:
                for one in await store.read(lambda tx: tx.accounts.organizations()):
                    if organization in (None, one.slug):
                        async for line in export_lines(store, ring, one.id):
                            counted[line.event is None] += 1
                            file.write(encode_line(line))

    run(work())
    print(f"Exported {counted[0]} events and {counted[1]} heads to {target}.")


@app.command
def key(*, data: _File = None, config: _File = None) -> None:
    """Print the public keys that sign heads; keep them where the server's host cannot change them.

    Args:
        data: Folder of the installation; watchword-data unless set.
        config: Settings file (TOML).
    """
    from watchword.crypto.keys import Purpose  # noqa: PLC0415 - used here alone

    for one in KeyRing.load(load(config, given={"data": data}).data / KEYS).all(Purpose.AUDIT):
        print(one.number, public_key(one).hex())
