"""Hourly counts in the database."""

from collections.abc import Sequence

from sqlalchemy import BigInteger, BindParameter, bindparam, delete, func, select, tuple_

from watchword.domain.ids import OrganizationId
from watchword.domain.tallies import HourlyCount
from watchword.store.engine import Connection, Statement, upsert
from watchword.store.mapping import Mapper
from watchword.store.tables_tallies import hourly_counts

COUNTS = Mapper(hourly_counts, HourlyCount)

_c = hourly_counts.c
_OWN = _c.organization_id == bindparam("organization_id_")
_STEP: BindParameter[int] = bindparam("step_", type_=BigInteger)
_ADD = upsert(hourly_counts, add=("count",), replace=())
_FIRST = (_c.hour // _STEP * _STEP).label("first")
_SINCE = Statement(
    select(_c.organization_id, _FIRST, _c.name, func.sum(_c.count))
    .where(_OWN, _c.hour >= bindparam("hour_"))
    .group_by(_c.organization_id, _FIRST, _c.name)
    .order_by(_FIRST, _c.name)
)
_KEYS = (_c.organization_id, _c.hour, _c.name)
_DROP = Statement(
    delete(hourly_counts).where(
        tuple_(*_KEYS).in_(
            select(*_KEYS)
            .where(_OWN, _c.hour < bindparam("before_"))
            .order_by(_c.hour)
            .limit(bindparam("limit_"))
        )
    )
)


class TallyRows:
    """`store.base_tallies.Tallies` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def add(self, counts: Sequence[HourlyCount]) -> None:
        await self._cx.run_many(_ADD, [COUNTS.encode(each) for each in counts])

    async def since(self, organization_id: OrganizationId, hour: int, step: int = 1) -> Sequence[HourlyCount]:
        parameters = {"organization_id_": organization_id, "hour_": hour, "step_": step}
        rows = await self._cx.all(_SINCE, parameters)
        return [
            HourlyCount(OrganizationId(owner), int(at), name, int(count)) for owner, at, name, count in rows
        ]

    async def drop(self, organization_id: OrganizationId, before: int, limit: int) -> int:
        return await self._cx.run(
            _DROP, {"organization_id_": organization_id, "before_": before, "limit_": limit}
        )
