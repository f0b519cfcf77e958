"""Revocations and blocked registrations in the database."""

from collections.abc import Sequence

from sqlalchemy import bindparam, case, delete, func, insert, select, text, update

from watchword.domain.ids import AgentId, JobId, OrganizationId, RevocationId, TokenId
from watchword.domain.lifecycle import Revocation
from watchword.domain.pipelines import JobState
from watchword.domain.use import Use
from watchword.store.engine import Connection, Statement, one_of
from watchword.store.mapping import Mapper
from watchword.store.tables import agents, blocked_registrations, jobs, revocations, uses

REVOCATIONS = Mapper(revocations, Revocation)
USES = Mapper(uses, Use)

_r, _b, _a, _u = revocations.c, blocked_registrations.c, agents.c, uses.c
_OWNED = _r.organization_id == bindparam("organization_id_")
_ONE = (_OWNED, _r.id == bindparam("id_"))
# As the indexes have them, word for word; SQLite uses a partial index only then.
_OPEN = text("(revocations.finished_at = 0 OR revocations.effective_at = 0)")
_LIVE = text("agents.ended_at = 0")
_STARTED = (JobState.RUNNING.value, JobState.CANCELING.value, JobState.TIMING_OUT.value)

_ADD = Statement(insert(revocations))
_FIND = Statement(select(*REVOCATIONS.columns).where(*_ONE))
_OF_TOKEN = Statement(
    select(*REVOCATIONS.columns).where(_OWNED, _r.token_id == bindparam("token_id_")).order_by(_r.id.desc())
)
_ALL_OPEN = Statement(select(*REVOCATIONS.columns).where(_OPEN).order_by(_r.id))
_CHANGING = (
    "mode", "deadline", "committed_at", "effective_at", "finished_at",
    "by", "reason", "agents", "agents_cut", "jobs_lost", "jobs_returned",
)  # fmt: skip
_SAVE = Statement(
    update(revocations)
    .where(
        *_ONE,
        _r.mode == bindparam("was_mode_"),
        _r.deadline == bindparam("was_deadline_"),
        _r.finished_at == bindparam("was_finished_"),
    )
    .values({name: bindparam(f"{name}_") for name in _CHANGING})
)
_TAKE_EFFECT = Statement(
    update(revocations)
    .where(*_ONE, _r.effective_at == bindparam("unknown_"))
    .values(effective_at=bindparam("at_"))
)
_RUNNING = Statement(
    select(_a.id, jobs.c.id)
    .join(jobs, (jobs.c.organization_id == _a.organization_id) & (jobs.c.id == _a.job_id))
    .where(
        _a.organization_id == bindparam("organization_id_"),
        _a.token_id == bindparam("token_id_"),
        _LIVE,
        one_of(jobs.c.state, _STARTED),
    )
    .order_by(_a.id)
)
_USES_SINCE = Statement(
    select(*USES.columns).where(
        _u.organization_id == bindparam("organization_id_"),
        _u.token_id == bindparam("token_id_"),
        _u.hour >= bindparam("hour_"),
    )
)
_BLOCKED = (
    _b.organization_id == bindparam("organization_id_"),
    _b.token_id == bindparam("token_id_"),
    _b.hour == bindparam("hour_"),
)
_COUNT_BLOCKED = Statement(
    select(func.count(), func.max(case((_b.address == bindparam("address_"), 1), else_=0))).where(*_BLOCKED)
)
_BLOCK = Statement(insert(blocked_registrations))
_FORGET_BLOCKED = Statement(delete(blocked_registrations).where(_b.hour < bindparam("before_")))


class RevocationRows:
    """`store.base_revocations.Revocations` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def add(self, revocation: Revocation) -> None:
        await self._cx.run(_ADD, REVOCATIONS.encode(revocation))

    async def find(self, organization_id: OrganizationId, revocation_id: RevocationId) -> Revocation | None:
        row = await self._cx.one(_FIND, {"organization_id_": organization_id, "id_": revocation_id})
        return REVOCATIONS.decode(row) if row else None

    async def of_token(self, organization_id: OrganizationId, token_id: TokenId) -> Sequence[Revocation]:
        parameters = {"organization_id_": organization_id, "token_id_": token_id}
        return [REVOCATIONS.decode(row) for row in await self._cx.all(_OF_TOKEN, parameters)]

    async def open(self) -> Sequence[Revocation]:
        return [REVOCATIONS.decode(row) for row in await self._cx.all(_ALL_OPEN, {})]

    async def save(self, known: Revocation, now: Revocation) -> bool:
        row = REVOCATIONS.encode(now)
        parameters = {f"{name}_": row[name] for name in _CHANGING}
        was = {
            "organization_id_": known.organization_id,
            "id_": known.id,
            "was_mode_": known.mode.value,
            "was_deadline_": known.deadline,
            "was_finished_": known.finished_at,
        }
        return await self._cx.run(_SAVE, {**parameters, **was}) == 1

    async def take_effect(
        self, organization_id: OrganizationId, revocation_id: RevocationId, at: int
    ) -> bool:
        parameters = {
            "organization_id_": organization_id,
            "id_": revocation_id,
            "at_": at,
            "unknown_": 0,
        }
        return await self._cx.run(_TAKE_EFFECT, parameters) == 1

    async def take_effect_all(self, revocations: Sequence[Revocation], at: int) -> None:
        rows = [
            {"organization_id_": one.organization_id, "id_": one.id, "at_": at, "unknown_": 0}
            for one in revocations
        ]
        await self._cx.run_many(_TAKE_EFFECT, rows)

    async def running_jobs(
        self, organization_id: OrganizationId, token_id: TokenId
    ) -> Sequence[tuple[AgentId, JobId]]:
        parameters = {"organization_id_": organization_id, "token_id_": token_id}
        return [(AgentId(row[0]), JobId(row[1])) for row in await self._cx.all(_RUNNING, parameters)]

    async def uses_since(
        self, organization_id: OrganizationId, token_id: TokenId, hour: int
    ) -> Sequence[Use]:
        parameters = {"organization_id_": organization_id, "token_id_": token_id, "hour_": hour}
        return [USES.decode(row) for row in await self._cx.all(_USES_SINCE, parameters)]

    async def block(
        self, organization_id: OrganizationId, token_id: TokenId, hour: int, address: str, limit: int
    ) -> bool:
        parameters = {
            "organization_id_": organization_id,
            "token_id_": token_id,
            "hour_": hour,
            "address_": address,
        }
        row = await self._cx.one(_COUNT_BLOCKED, parameters)
        if row is None or row[0] >= limit or row[1]:
            return False
        made = {
            "organization_id": organization_id,
            "token_id": token_id,
            "hour": hour,
            "address": address,
        }
        await self._cx.run(_BLOCK, made)
        return True

    async def forget_blocked(self, before_hour: int) -> int:
        return await self._cx.run(_FORGET_BLOCKED, {"before_": before_hour})
