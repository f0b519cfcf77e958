"""Leaks in the database: cases, sightings, reports, policies."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    ClauseElement,
    Text,
    and_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from watchword.domain.fleet import Agent
from watchword.domain.ids import RANDOM_BYTES, LeakId, OrganizationId, TokenId, uuid7
from watchword.domain.leakpolicy import LeakPolicy
from watchword.domain.leaks import Leak, LeakState, Outcome, Report, Sighting
from watchword.domain.tokens import State, Token
from watchword.domain.use import HOUR_US
from watchword.store.base_leaks import LeakQuery, UsedSince
from watchword.store.engine import Connection, Statement, insert_missing, one_of
from watchword.store.fleet import AGENTS
from watchword.store.leaksearch import LEAKS, SEARCH, TALLY, parameters_of
from watchword.store.mapping import Mapper
from watchword.store.page import Page
from watchword.store.tables import agents, token_digests, tokens, uses
from watchword.store.tables_leaks import leak_policies, leak_reports, leak_sightings, leaks
from watchword.store.tokens import TOKENS

SIGHTINGS = Mapper(leak_sightings, Sighting)
REPORTS = Mapper(leak_reports, Report)
POLICIES = Mapper(leak_policies, LeakPolicy)

_l, _s, _r, _p = leaks.c, leak_sightings.c, leak_reports.c, leak_policies.c
_t, _d, _a, _u = tokens.c, token_digests.c, agents.c, uses.c
# As the indexes have them, word for word; SQLite uses a partial index only then.
_TELLING = text("leaks.telling = 1")
_HELD = text("leaks.state = 'held'")
_QUARANTINED = text(f"leaks.outcome = '{Outcome.QUARANTINED.value}'")
_ACTED = text("leaks.acted_at > 0")
_LISTED = text("tokens.kind <> 'agent_session'")

_OURS = _l.organization_id == bindparam("organization_id_")
_ONE = and_(_OURS, _l.id == bindparam("id_"))
_ADD = Statement(insert(leaks))
_FIND = Statement(select(*LEAKS.columns).where(_ONE))
_OF_TOKEN = Statement(select(*LEAKS.columns).where(_OURS, _l.token_id == bindparam("id_")))
_UNTOLD = Statement(
    select(*LEAKS.columns)
    .where(_TELLING)
    .order_by(_l.first_at, _l.id)
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)


def _told(dialect: str) -> ClauseElement:
    """Note cases as told, each named with the revision under which it was read, in one statement."""
    if dialect == "postgresql":
        given = func.jsonb_array_elements_text(cast(bindparam("known_", type_=Text), JSONB))
    else:
        given = func.json_each(bindparam("known_", type_=Text))
    known = given.table_valued("value", name="known")
    return (
        update(leaks)
        .where(_TELLING, (_l.id + ":" + cast(_l.revision, Text)).in_(select(known.c.value)))
        .values(telling=0, revision=_l.revision + 1)
        .returning(_l.id)
    )


_TOLD = Statement(_told)
_ALL_HELD = Statement(select(*LEAKS.columns).where(_HELD).order_by(_l.held_until, _l.id))
_ALL_QUARANTINED = Statement(select(*LEAKS.columns).where(_QUARANTINED).order_by(_l.id))
_ACTED_SINCE = Statement(
    select(func.count())
    .select_from(leaks)
    .where(_ACTED, _l.reporter == bindparam("reporter_"), _l.acted_at > bindparam("since_"))
)
_LIVE = Statement(
    select(func.count()).select_from(
        select(_t.id)
        .where(_LISTED, _t.state == State.ACTIVE.value)
        .limit(bindparam("limit_"))
        .subquery("live")
    )
)
_PLACE = and_(
    _s.organization_id == bindparam("organization_id_"),
    _s.leak_id == bindparam("leak_id_"),
)
_NOTE = insert_missing(leak_sightings)
_COUNT_PLACE = Statement(
    update(leak_sightings)
    .where(_PLACE, _s.key == bindparam("key_"))
    .values(count=_s.count + bindparam("count_"), last_at=bindparam("at_"))
)
_SIGHTINGS = Statement(
    select(*SIGHTINGS.columns)
    .where(_PLACE)
    .order_by(_s.first_at, _s.key)
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
_COUNT_SIGHTINGS = Statement(select(func.count()).select_from(leak_sightings).where(_PLACE))
_POLICY = Statement(select(*POLICIES.columns).where(_p.organization_id == bindparam("organization_id_")))
_DROP_POLICY = Statement(delete(leak_policies).where(_p.organization_id == bindparam("organization_id_")))
_ADD_POLICY = Statement(insert(leak_policies))
_REPORT = Statement(select(*REPORTS.columns).where(_r.digest == bindparam("digest_")))
_ADD_REPORT = insert_missing(leak_reports)
_REPORTS = Statement(
    select(*REPORTS.columns)
    .order_by(_r.received_at.desc(), _r.digest)
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
_DROP_REPORTS = Statement(
    delete(leak_reports).where(
        _r.digest.in_(
            select(_r.digest)
            .where(_r.received_at < bindparam("before_"))
            .order_by(_r.received_at)
            .limit(bindparam("limit_"))
            .scalar_subquery()
        )
    )
)
_BY_PREFIX = Statement(
    select(*TOKENS.columns)
    .join(token_digests, and_(_d.organization_id == _t.organization_id, _d.token_id == _t.id))
    .where(_d.digest.between(bindparam("low_"), bindparam("high_")))
    .order_by(_d.digest)
    .limit(bindparam("limit_"))
)
# Ids rise with time, so that only agents of that time are read.
_JOINED_SINCE = Statement(
    select(*AGENTS.columns)
    .where(
        _a.organization_id == bindparam("organization_id_"),
        _a.id >= bindparam("low_"),
        _a.token_id == bindparam("token_id_"),
        _a.registered_at >= bindparam("since_"),
    )
    .order_by(_a.id.desc())
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
_UNANSWER = Statement(
    update(leaks)
    .where(_OURS, _l.token_id == bindparam("id_"), _l.outcome == Outcome.ROTATING.value)
    .values(
        outcome=Outcome.NONE.value,
        state=LeakState.OPEN.value,
        closed_at=0,
        closed_by=None,
        telling=1,
        revision=_l.revision + 1,
    )
)
_LISTS: dict[tuple[str, ...], tuple[Statement, Statement]] = {}
_REPORTERS = Statement(select(_l.reporter).where(_OURS).distinct().order_by(_l.reporter))
_UNCLOSED = Statement(select(_l.token_id).where(_OURS, _l.state != LeakState.CLOSED.value))
_HELD_BY = and_(_u.organization_id == bindparam("organization_id_"), _u.token_id == bindparam("token_id_"))
# An hour of the ledger is a row: `hour_` is that of the moment.
_USED_SINCE = Statement(
    select(_u.address, _u.version, func.min(_u.first_at), func.max(_u.last_at), func.sum(_u.count))
    .where(_HELD_BY, _u.hour >= bindparam("hour_"), _u.last_at >= bindparam("since_"))
    .group_by(_u.address, _u.version)
    .order_by(func.max(_u.last_at).desc(), _u.address, _u.version)
    .limit(bindparam("limit_"))
)
_ADDRESSES_BEFORE = Statement(
    select(_u.address)
    .where(_HELD_BY, _u.hour <= bindparam("hour_"), _u.first_at < bindparam("before_"))
    .distinct()
)
# The revision grows, so that nobody who read the case before writes the value back.
_DROP_HANDOVER = Statement(
    update(leaks)
    .where(_OURS, _l.token_id == bindparam("id_"), func.length(_l.handover) > 0)
    .values(handover=b"", revision=_l.revision + 1)
)


def _changes() -> Statement:
    fixed = ("organization_id", "id")
    values: dict[str, Any] = {
        column.name: bindparam(column.name + "_") for column in leaks.columns if column.name not in fixed
    }
    return Statement(update(leaks).where(_ONE, _l.revision == bindparam("known_")).values(values))


_SAVE = _changes()


def _lists(states: Collection[LeakState]) -> tuple[Statement, Statement]:
    """Statements that list and count cases in some states."""
    key = tuple(sorted(state.value for state in states))
    if key not in _LISTS:
        where = and_(_OURS, one_of(_l.state, key))
        listed = select(*LEAKS.columns).where(where).order_by(_l.id.desc())
        _LISTS[key] = (
            Statement(listed.limit(bindparam("limit_")).offset(bindparam("offset_"))),
            Statement(select(func.count()).select_from(leaks).where(where)),
        )
    return _LISTS[key]


class LeakRows:
    """`store.base_leaks.Leaks` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def add(self, leak: Leak) -> None:
        await self._cx.run(_ADD, LEAKS.encode(leak))

    async def save(self, known: Leak, leak: Leak) -> bool:
        encoded = LEAKS.encode(replace(leak, revision=known.revision + 1))
        parameters = {f"{name}_": value for name, value in encoded.items()} | {"known_": known.revision}
        return await self._cx.run(_SAVE, parameters) == 1

    async def find(self, organization_id: OrganizationId, leak_id: LeakId) -> Leak | None:
        return await self._one(_FIND, organization_id, leak_id)

    async def of_token(self, organization_id: OrganizationId, token_id: TokenId) -> Leak | None:
        return await self._one(_OF_TOKEN, organization_id, token_id)

    async def _one(self, statement: Statement, organization_id: OrganizationId, id_: str) -> Leak | None:
        row = await self._cx.one(statement, {"organization_id_": organization_id, "id_": id_})
        return LEAKS.decode(row) if row else None

    async def list(
        self, organization_id: OrganizationId, states: Collection[LeakState], page: Page
    ) -> Sequence[Leak]:
        parameters = {"organization_id_": organization_id, "limit_": page.limit, "offset_": page.offset}
        return [LEAKS.decode(row) for row in await self._cx.all(_lists(states)[0], parameters)]

    async def count(self, organization_id: OrganizationId, states: Collection[LeakState]) -> int:
        return await self._number(_lists(states)[1], {"organization_id_": organization_id})

    async def _number(self, statement: Statement, parameters: dict[str, object]) -> int:
        row = await self._cx.one(statement, parameters)
        return int(row[0]) if row else 0

    async def search(self, asked: LeakQuery, page: Page) -> Sequence[Leak]:
        wanted = {f"{each.value}_": int(not asked.states or each in asked.states) for each in LeakState}
        parameters = {**parameters_of(asked), **wanted, "limit_": page.limit, "offset_": page.offset}
        return [LEAKS.decode(row) for row in await self._cx.all(SEARCH, parameters)]

    async def tally(self, asked: LeakQuery) -> Mapping[LeakState, int]:
        return {LeakState(row[0]): int(row[1]) for row in await self._cx.all(TALLY, parameters_of(asked))}

    async def reporters(self, organization_id: OrganizationId) -> Sequence[str]:
        rows = await self._cx.all(_REPORTERS, {"organization_id_": organization_id})
        return [str(row[0]) for row in rows]

    async def unclosed(self, organization_id: OrganizationId) -> frozenset[TokenId]:
        rows = await self._cx.all(_UNCLOSED, {"organization_id_": organization_id})
        return frozenset(TokenId(row[0]) for row in rows)

    async def used_since(
        self, organization_id: OrganizationId, token_id: TokenId, since: int, limit: int
    ) -> Sequence[UsedSince]:
        parameters = {
            "organization_id_": organization_id,
            "token_id_": token_id,
            "hour_": since // HOUR_US,
            "since_": since,
            "limit_": limit,
        }
        rows = await self._cx.all(_USED_SINCE, parameters)
        return [UsedSince(row[0], row[1], int(row[2]), int(row[3]), int(row[4])) for row in rows]

    async def addresses_before(
        self, organization_id: OrganizationId, token_id: TokenId, before: int
    ) -> frozenset[str]:
        parameters = {
            "organization_id_": organization_id,
            "token_id_": token_id,
            "hour_": before // HOUR_US,
            "before_": before,
        }
        return frozenset(str(row[0]) for row in await self._cx.all(_ADDRESSES_BEFORE, parameters))

    async def drop_handover(self, organization_id: OrganizationId, token_id: TokenId) -> bool:
        parameters = {"organization_id_": organization_id, "id_": token_id}
        return await self._cx.run(_DROP_HANDOVER, parameters) == 1

    async def unanswer(self, organization_id: OrganizationId, token_id: TokenId) -> bool:
        parameters = {"organization_id_": organization_id, "id_": token_id}
        return await self._cx.run(_UNANSWER, parameters) == 1

    async def untold(self, limit: int, offset: int = 0) -> Sequence[Leak]:
        rows = await self._cx.all(_UNTOLD, {"limit_": limit, "offset_": offset})
        return [LEAKS.decode(row) for row in rows]

    async def told(self, known: Collection[Leak]) -> frozenset[LeakId]:
        if not known:
            return frozenset()
        given = json.dumps([f"{leak.id}:{leak.revision}" for leak in known])
        return frozenset(LeakId(row[0]) for row in await self._cx.all(_TOLD, {"known_": given}))

    async def held(self) -> Sequence[Leak]:
        return [LEAKS.decode(row) for row in await self._cx.all(_ALL_HELD, {})]

    async def quarantined(self) -> Sequence[Leak]:
        return [LEAKS.decode(row) for row in await self._cx.all(_ALL_QUARANTINED, {})]

    async def acted_since(self, reporter: str, since: int) -> int:
        return await self._number(_ACTED_SINCE, {"reporter_": reporter, "since_": since})

    async def live_tokens(self, limit: int) -> int:
        return await self._number(_LIVE, {"limit_": limit})

    async def note(self, sighting: Sighting) -> bool:
        if await self._cx.run(_NOTE, SIGHTINGS.encode(sighting)):
            return True
        parameters = {
            "organization_id_": sighting.organization_id,
            "leak_id_": sighting.leak_id,
            "key_": sighting.key,
            "count_": sighting.count,
            "at_": sighting.last_at,
        }
        await self._cx.run(_COUNT_PLACE, parameters)
        return False

    async def sightings(
        self, organization_id: OrganizationId, leak_id: LeakId, page: Page
    ) -> Sequence[Sighting]:
        parameters = {
            "organization_id_": organization_id,
            "leak_id_": leak_id,
            "limit_": page.limit,
            "offset_": page.offset,
        }
        return [SIGHTINGS.decode(row) for row in await self._cx.all(_SIGHTINGS, parameters)]

    async def count_sightings(self, organization_id: OrganizationId, leak_id: LeakId) -> int:
        parameters: dict[str, object] = {"organization_id_": organization_id, "leak_id_": leak_id}
        return await self._number(_COUNT_SIGHTINGS, parameters)

    async def policy(self, organization_id: OrganizationId) -> LeakPolicy:
        row = await self._cx.one(_POLICY, {"organization_id_": organization_id})
        return POLICIES.decode(row) if row else LeakPolicy(organization_id)

    async def save_policy(self, policy: LeakPolicy) -> None:
        await self._cx.run(_DROP_POLICY, {"organization_id_": policy.organization_id})
        await self._cx.run(_ADD_POLICY, POLICIES.encode(policy))

    async def report(self, digest: bytes) -> Report | None:
        row = await self._cx.one(_REPORT, {"digest_": digest})
        return REPORTS.decode(row) if row else None

    async def add_report(self, report: Report) -> bool:
        return await self._cx.run(_ADD_REPORT, REPORTS.encode(report)) == 1

    async def reports(self, page: Page) -> Sequence[Report]:
        parameters = {"limit_": page.limit, "offset_": page.offset}
        return [REPORTS.decode(row) for row in await self._cx.all(_REPORTS, parameters)]

    async def drop_reports(self, before: int, limit: int) -> int:
        return await self._cx.run(_DROP_REPORTS, {"before_": before, "limit_": limit})

    async def by_prefix(self, low: bytes, high: bytes, limit: int) -> Sequence[Token]:
        parameters = {"low_": low, "high_": high, "limit_": limit}
        return [TOKENS.decode(row) for row in await self._cx.all(_BY_PREFIX, parameters)]

    async def joined_since(
        self, organization_id: OrganizationId, token_id: TokenId, since: int, page: Page
    ) -> Sequence[Agent]:
        parameters = {
            "organization_id_": organization_id,
            "low_": uuid7(since, bytes(RANDOM_BYTES)) if since > 0 else "",
            "token_id_": token_id,
            "since_": since,
            "limit_": page.limit,
            "offset_": page.offset,
        }
        return [AGENTS.decode(row) for row in await self._cx.all(_JOINED_SINCE, parameters)]
