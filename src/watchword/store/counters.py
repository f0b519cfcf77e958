"""Counters of an organization: numbers without gaps, taken inside the unit of work that uses them."""

from sqlalchemy import bindparam, insert, update

from watchword.domain.ids import OrganizationId
from watchword.store.engine import Connection, Statement
from watchword.store.tables import counters

_c = counters.c
_ONE = (_c.organization_id == bindparam("organization_id_"), _c.name == bindparam("name_"))
_UP = Statement(update(counters).where(*_ONE).values(value=_c.value + 1).returning(_c.value))
_FIRST = Statement(insert(counters))


async def count_up(connection: Connection, organization_id: OrganizationId, name: str) -> int:
    """Add one to a counter and return it; the first answer is 1."""
    row = await connection.one(_UP, {"organization_id_": organization_id, "name_": name})
    if row is not None:
        return int(row[0])
    await connection.run(_FIRST, {"organization_id": organization_id, "name": name, "value": 1})
    return 1
