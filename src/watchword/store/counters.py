"""Counters of an organization: numbers without gaps, taken inside the unit of work that uses them."""

from sqlalchemy import bindparam, insert, update

from watchword.domain.ids import OrganizationId
from watchword.store.engine import Connection, Statement
from watchword.store.tables import counters

_c = counters.c
_ONE = (_c.organization_id == bindparam("organization_id_"), _c.name == bindparam("name_"))
_UP = Statement(update(counters).where(*_ONE).values(value=_c.value + bindparam("by_")).returning(_c.value))
_FIRST = Statement(insert(counters))


async def count_up(connection: Connection, organization_id: OrganizationId, name: str, by: int = 1) -> int:
    """Add to a counter and return it; it begins at 0."""
    row = await connection.one(_UP, {"organization_id_": organization_id, "name_": name, "by_": by})
    if row is not None:
        return int(row[0])
    await connection.run(_FIRST, {"organization_id": organization_id, "name": name, "value": by})
    return by
