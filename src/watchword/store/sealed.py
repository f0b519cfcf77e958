"""Values that may be revealed, in the database: overwritten before they are deleted."""

from sqlalchemy import bindparam, delete, func, insert, select, update

from watchword.domain.ids import OrganizationId, TokenId
from watchword.domain.kinds import Kind
from watchword.domain.people import SealedValue
from watchword.domain.tokens import DAY_US
from watchword.store.engine import Connection, Statement
from watchword.store.mapping import Mapper
from watchword.store.tables_people import reveals, sealed_values

VALUES = Mapper(sealed_values, SealedValue)
_v, _r = sealed_values.c, reveals.c
_OWN = _v.organization_id == bindparam("organization_id_")
_ONE = (_OWN, _v.token_id == bindparam("token_id_"))
_KIND = (_OWN, _v.kind == bindparam("kind_"))
_EXPIRED = (_v.expires_at > 0, _v.expires_at <= bindparam("now_"))

_ADD = Statement(insert(sealed_values))
_FIND = Statement(select(*VALUES.columns).where(*_ONE))
DROP_SEALED = Statement(delete(sealed_values).where(*_ONE))
_BLANK_KIND = Statement(update(sealed_values).where(*_KIND).values(sealed=bindparam("nothing_")))
_DROP_KIND = Statement(delete(sealed_values).where(*_KIND))
_COUNT = Statement(select(func.count()).where(*_KIND))
_DROP_EXPIRED = Statement(delete(sealed_values).where(*_EXPIRED))
_REVEALS = Statement(
    select(func.count()).where(_r.person == bindparam("person_"), _r.at > bindparam("since_"))
)
_ADD_REVEAL = Statement(insert(reveals))
_FORGET_REVEALS = Statement(
    delete(reveals).where(_r.person == bindparam("person_"), _r.at < bindparam("before_"))
)


class SealedRows:
    """`store.base_people.SealedValues` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def add(self, value: SealedValue) -> None:
        await self._cx.run(_ADD, VALUES.encode(value))

    async def find(self, organization_id: OrganizationId, token_id: TokenId) -> SealedValue | None:
        row = await self._cx.one(_FIND, {"organization_id_": organization_id, "token_id_": token_id})
        return VALUES.decode(row) if row else None

    async def drop_kind(self, organization_id: OrganizationId, kind: Kind) -> int:
        parameters = {"organization_id_": organization_id, "kind_": kind.value}
        await self._cx.run(_BLANK_KIND, parameters | {"nothing_": b""})
        return await self._cx.run(_DROP_KIND, parameters)

    async def count(self, organization_id: OrganizationId, kind: Kind) -> int:
        row = await self._cx.one(_COUNT, {"organization_id_": organization_id, "kind_": kind.value})
        return int(row[0]) if row else 0

    async def drop_expired(self, now: int) -> int:
        return await self._cx.run(_DROP_EXPIRED, {"now_": now})

    async def reveals(self, person: str, since: int) -> int:
        row = await self._cx.one(_REVEALS, {"person_": person, "since_": since})
        return int(row[0]) if row else 0

    async def add_reveal(self, person: str, at: int, token_id: TokenId) -> None:
        await self._cx.run(_FORGET_REVEALS, {"person_": person, "before_": at - DAY_US})
        await self._cx.run(_ADD_REVEAL, {"person": person, "at": at, "token_id": token_id})
