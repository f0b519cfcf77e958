"""An organization's people in the database, each with what is known of their signing in."""

from collections.abc import Sequence

from sqlalchemy import BigInteger, ColumnElement, Text, and_, bindparam, cast, func, or_, select

from watchword.domain.ids import OrganizationId
from watchword.store.accounts import MEMBERS, USERS
from watchword.store.base_directory import Arrival, DirectoryEntry
from watchword.store.engine import Connection, Row, Statement, pattern
from watchword.store.page import Page
from watchword.store.tables import members, users
from watchword.store.tables_people import user_sign_ins, web_sessions

_m, _u, _d, _s = (table.c for table in (members, users, user_sign_ins, web_sessions))
_FROM = members.join(users, _u.id == _m.user_id).outerjoin(user_sign_ins, _d.user_id == _m.user_id)
_OWN = _m.organization_id == bindparam("organization_id_")
_FACTOR = or_(func.coalesce(_d.totp_confirmed_at, 0) > 0, func.coalesce(_d.passkeys, 0) > 0)
_SIGNED_IN = (
    select(func.coalesce(func.max(_s.created_at), 0))
    .where(_s.user_id == _m.user_id, _s.complete == 1)
    .scalar_subquery()
)
_PATTERN: ColumnElement[str] = cast(bindparam("pattern_"), Text)


def _like(column: ColumnElement[str]) -> ColumnElement[bool]:
    return func.lower(column).like(_PATTERN, escape="\\")


_MEMBERS = Statement(
    select(
        *MEMBERS.columns,
        *USERS.columns,
        _FACTOR,
        func.coalesce(_d.disabled_at, 0),
        _SIGNED_IN,
    )
    .select_from(_FROM)
    .where(
        _OWN,
        or_(_PATTERN == "%", _like(_u.name), _like(_u.email)),
        or_(cast(bindparam("lacking_"), BigInteger) == 0, ~_FACTOR),
    )
    .order_by(_m.created_at, _m.user_id)
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
_LACKING = Statement(select(func.count()).select_from(_FROM).where(and_(_OWN, ~_FACTOR)))
_ARRIVALS = Statement(
    select(*USERS.columns, _s.address, _s.seen_at)
    .select_from(members.join(users, _u.id == _m.user_id).join(web_sessions, _s.user_id == _m.user_id))
    .where(_OWN, _s.complete == 1, _s.ended_at == 0, _s.seen_at >= bindparam("since_"))
    .order_by(_s.seen_at.desc(), _s.id)
    .limit(bindparam("limit_"))
)
_AT_USER = len(MEMBERS.columns)
_AT_REST = _AT_USER + len(USERS.columns)


def _entry(row: Row) -> DirectoryEntry:
    factor, disabled_at, signed_in_at = row[_AT_REST:]
    return DirectoryEntry(
        MEMBERS.decode(row[:_AT_USER]),
        USERS.decode(row[_AT_USER:_AT_REST]),
        bool(factor),
        int(disabled_at),
        int(signed_in_at),
    )


class DirectoryRows:
    """`store.base_directory.Directory` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def members(
        self, organization_id: OrganizationId, page: Page, text: str = "", *, lacking: bool = False
    ) -> Sequence[DirectoryEntry]:
        parameters = {
            "organization_id_": organization_id,
            "pattern_": pattern(text.lower(), anywhere=True),
            "lacking_": int(lacking),
            "limit_": page.limit,
            "offset_": page.offset,
        }
        return [_entry(row) for row in await self._cx.all(_MEMBERS, parameters)]

    async def lacking(self, organization_id: OrganizationId) -> int:
        row = await self._cx.one(_LACKING, {"organization_id_": organization_id})
        return int(row[0]) if row else 0

    async def arrivals(self, organization_id: OrganizationId, since: int, limit: int) -> Sequence[Arrival]:
        parameters = {"organization_id_": organization_id, "since_": since, "limit_": limit}
        cut = len(USERS.columns)
        return [
            Arrival(USERS.decode(row[:cut]), str(row[cut]), int(row[cut + 1]))
            for row in await self._cx.all(_ARRIVALS, parameters)
        ]
