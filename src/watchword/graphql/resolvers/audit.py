"""The audit trail (contract rest-graphql §3.5)."""

from functools import cache

from graphql import GraphQLEnumType

from watchword.domain import accounts
from watchword.domain.errors import Malformed
from watchword.domain.formats import read_time
from watchword.domain.ids import is_uuid
from watchword.graphql import ids
from watchword.graphql.binding import Arguments, Thing, field, query
from watchword.graphql.call import Call
from watchword.graphql.connections import connection, decode, encode, sizes
from watchword.graphql.finding import NODES, node, thing_of
from watchword.services.auditing import Entry, EventFilter, earlier, find_event, latest
from watchword.services.queries import Access, Unit

# Words of subjects whose type has another name, or none.
_SUBJECTS = {
    "CLUSTER_TOKEN": "ClusterToken",
    "AGENT_TOKEN": "AgentToken",
    "CLUSTER": "Cluster",
    "CLUSTER_QUEUE": "ClusterQueue",
    "ORGANIZATION": "Organization",
    "PIPELINE": "Pipeline",
    "REGISTRY": "Registry",
    "REGISTRY_TOKEN": "RegistryToken",
    "SECRET": "Secret",
    "USER": "User",
    "TEAM": "Team",
    "ORGANIZATION_INVITATION": "OrganizationInvitation",
    "ORGANIZATION_BANNER": "OrganizationBanner",
    "API_ACCESS_TOKEN": "APIAccessToken",
    "TEAM_MEMBER": "TeamMember",
    "NOTIFICATION_SERVICE": "NotificationServiceWebhook",
}
_ACTORS = {"user": ("USER", "User"), "agent": ("AGENT", "Agent")}


def show_event(entry: Entry) -> Thing:
    """An event as an object."""
    event = entry.event
    values = {
        "id": ids.encode("AuditEvent", event.id),
        "uuid": event.id,
        "type": entry.type,
        "occurredAt": event.at,
        "data": dict(entry.data),
        "actor": _actor(entry),
        "subject": _subject(entry),
        "context": _context(entry),
    }
    return Thing("AuditEvent", event.organization_id, entry, values)


def _actor(entry: Entry) -> dict[str, object] | None:
    event = entry.event
    if event.actor_kind not in _ACTORS:
        return None
    word, of = _ACTORS[event.actor_kind]

    async def found(call: Call, _arguments: Arguments) -> Thing | None:
        return await thing_of(call, of, event.actor_id)

    return {
        "id": ids.encode(of, event.actor_id),
        "uuid": event.actor_id,
        "name": event.actor_name or None,
        "type": word,
        "node": found,
    }


def _subject(entry: Entry) -> dict[str, object]:
    event = entry.event
    of = _SUBJECTS.get(entry.subject_type, "")

    async def found(call: Call, _arguments: Arguments) -> Thing | None:
        return await thing_of(call, of, event.subject_id) if of in NODES else None

    return {
        "id": ids.encode(of or "AuditSubject", event.subject_id),
        "uuid": event.subject_id,
        "name": entry.subject_name or None,
        "type": entry.subject_type if entry.subject_type in _subject_words() else None,
        "node": found,
    }


@cache
def _subject_words() -> frozenset[str]:
    """Words that the schema has."""
    from watchword.graphql.schema import executable  # noqa: PLC0415 - made of this module too

    known = executable().type_map["AuditSubjectType"]
    return frozenset(known.values) if isinstance(known, GraphQLEnumType) else frozenset()


def _context(entry: Entry) -> Thing | None:
    """How it came about; nothing where the server itself did it."""
    event = entry.event
    if event.actor_kind == "system":
        return None
    if event.actor_kind != "user":
        values: dict[str, object] = {
            "agentUuid": event.actor_id if event.actor_kind == "agent" else None,
            "authenticationType": None,
            "connectionState": None,
            "organizationUuid": event.organization_id,
            "requestIpAddress": event.address or None,
            "sessionIpAddress": None,
        }
        return Thing("AuditAgentAPIContext", None, entry, values)
    asked: dict[str, object] = {
        "requestIpAddress": event.address or None,
        "requestUserAgent": event.user_agent or None,
    }
    if event.token_id:
        return Thing("AuditAPIContext", None, entry, {**asked, "requestApiAccessTokenUuid": event.token_id})
    session = ("sessionCreatedAt", "sessionEscalatedAt", "sessionUser")
    web = {**asked, **dict.fromkeys(session), "sessionUserUuid": event.actor_id}
    return Thing("AuditWebContext", None, entry, web)


@node("AuditEvent", "audit_event.read")
async def find(tx: Unit, access: Access, uuid: str) -> Thing | None:
    """An event of an organization's trail."""
    entry = await find_event(tx, access.id, uuid)
    return show_event(entry) if entry is not None else None


@query("auditEvent", "audit_event.read")
async def event_at(call: Call, arguments: Arguments) -> Thing | None:
    """By UUID."""
    uuid = str(arguments["uuid"])
    return await thing_of(call, "AuditEvent", uuid.lower() if is_uuid(uuid) else "")


def _filter(arguments: Arguments) -> EventFilter | None:
    """Which events are asked for; None where all are."""
    asked = {name: arguments[name] for name in arguments if arguments[name] is not None}
    actors = {_uuid(one) for one in asked.get("actor", ())}
    subjects = {_uuid(one) for one in (*asked.get("subject", ()), *asked.get("subjectUUID", ()))}
    wanted = EventFilter(
        types=frozenset(asked.get("type", ())),
        actors=frozenset(actors),
        subjects=frozenset(subjects),
        since=read_time("occurredAtFrom", asked.get("occurredAtFrom")),
        until=read_time("occurredAtTo", asked.get("occurredAtTo")),
    )
    return wanted if wanted != EventFilter() else None


def _uuid(given: object) -> str:
    found = ids.read(str(given))
    return found.uuid if found is not None else str(given).strip().lower()


def _kinds(arguments: Arguments, entry: Entry) -> bool:
    """Whether actor and subject are of the kinds asked for."""
    actor = _ACTORS.get(entry.event.actor_kind, ("", ""))[0]
    actors, subjects = arguments.get("actorType"), arguments.get("subjectType")
    return (actors is None or actor in actors) and (subjects is None or entry.subject_type in subjects)


def _sequence(arguments: Arguments, name: str) -> int:
    cursor = arguments.get(name)
    if not cursor:
        return 0
    text = decode(cursor)
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):  # noqa: PLR2004 - fits 63 bits
        raise Malformed("The cursor is not of this list.", code="invalid_cursor")
    return int(text)


_ALL = 20_000


@field("Organization", "auditEvents", "audit_event.read")
async def events_of_organization(
    call: Call, organization: accounts.Organization, arguments: Arguments
) -> object:
    """Events, newest first; a filter looks at the newest 20,000."""
    first, last = sizes(arguments)
    size = first if first is not None else last or 0
    wanted = _filter(arguments)
    kinds = arguments.get("actorType") is not None or arguments.get("subjectType") is not None
    if kinds and wanted is None:
        wanted = EventFilter()
    after, before = _sequence(arguments, "after"), _sequence(arguments, "before")

    async def read(tx: Unit) -> list[Entry]:
        if before and wanted is None and first is None:
            return await earlier(tx, organization.id, before, size + 1)
        limit = _ALL if before or kinds else size + 1
        found = await latest(tx, organization.id, after, limit, wanted)
        return [entry for entry in found if entry.event.sequence > before and _kinds(arguments, entry)]

    rows = await call.read(read)
    part = rows[:size] if first is not None else rows[max(len(rows) - size, 0) :]

    async def count(again: Call, _arguments: Arguments) -> int:
        everything = await again.read(lambda tx: latest(tx, organization.id, 0, _ALL, wanted))
        return sum(1 for entry in everything if _kinds(arguments, entry))

    newer = bool(after) if first is not None else len(rows) > size
    older = len(rows) > size if first is not None else bool(before)
    shown = [(encode(str(entry.event.sequence)), show_event(entry)) for entry in part]
    return connection(shown, count, before=newer, after=older)
