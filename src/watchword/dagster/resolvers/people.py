"""People with their roles, and what was done in the organization (contract §10, §13)."""

from typing import Any

from watchword.dagster.binding import Arguments, Audience, field, query
from watchword.dagster.call import Call
from watchword.dagster.rights import person
from watchword.dagster.shapes import roles, seconds
from watchword.domain.dagsterroles import Act, DagsterStanding
from watchword.domain.errors import Invalid
from watchword.domain.ids import UserId
from watchword.services.auditing import Entry, latest
from watchword.services.dagsterpeople import members_in, number_in, people_in
from watchword.services.dagstertokens import NUMBERED_TOKEN
from watchword.services.queries import Unit

_MOST = 200
_USUAL = 50


@query("viewer", Audience.PEOPLE)
async def viewer(call: Call, _arguments: Arguments) -> object:
    """Whoever asks, with their roles."""
    asking = person(call, Act.VIEW)
    numbered = await call.write(lambda tx: number_in(tx, call.guest.id, asking))
    standing = call.guest.standing or DagsterStanding(admin=False, roles={})
    return roles(numbered, standing, call.guest.place.deployments)


@query("usersOrError", Audience.PEOPLE)
async def users(call: Call, _arguments: Arguments) -> object:
    """Every member with their roles, first come first."""
    person(call, Act.ADD_USERS)
    found = await call.write(lambda tx: members_in(tx, call.guest.id))
    deployments = call.guest.place.deployments
    return {
        "__typename": "DagsterCloudUsers",
        "users": [roles(one.numbered, one.standing, deployments) for one in found],
    }


@query("auditLog", Audience.PEOPLE)
async def audit_log(_call: Call, _arguments: Arguments) -> object:
    """Where the trail's fields hang."""
    return {}


@field("AuditLog", "auditLogEntries", Audience.PEOPLE)
async def entries(call: Call, _source: Any, arguments: Arguments) -> object:  # noqa: ANN401 - an object
    """What was done, the latest first; `cursor` is the id of the last entry that was seen.

    Raises:
        Invalid: the cursor is none.
    """
    person(call, Act.AUDIT)
    limit, cursor = arguments.get("limit"), arguments.get("cursor") or "0"
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 15:  # noqa: PLR2004 - digits of a number
        raise Invalid("Validation failed: a cursor is the id of an entry", code="invalid_cursor")
    most = min(max(limit if limit is not None else _USUAL, 0), _MOST)

    async def work(tx: Unit) -> list[dict[str, Any]]:
        found = await latest(tx, call.guest.id, int(cursor), most) if most else []
        return [await _entry_in(call, tx, one) for one in found]

    return {"__typename": "AuditLogEntries", "entries": await call.write(work)}


async def _entry_in(call: Call, tx: Unit, entry: Entry) -> dict[str, Any]:
    event = entry.event
    author, number = None, None
    if event.actor_kind == "user":
        author = (await people_in(tx, call.guest.id, [UserId(event.actor_id)])).get(UserId(event.actor_id))
    elif event.actor_kind == "token" and event.actor_id:
        number = await tx.deployments.number_of(call.guest.id, NUMBERED_TOKEN, event.actor_id)
    return {
        "id": str(event.sequence),
        "eventType": entry.type,
        "authorUserEmail": author.user.email if author is not None else None,
        "authorAgentTokenId": number,
        "timestamp": seconds(event.at),
        "deploymentName": entry.data.get("deployment") or None,
        "eventMetadata": dict(entry.data),
    }
