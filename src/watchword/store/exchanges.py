"""Applications that exchange assertions, in the database."""

from collections.abc import Sequence

from sqlalchemy import bindparam, insert, select, update

from watchword.domain.exchanges import ExchangeApplication
from watchword.domain.ids import OrganizationId, ResourceId
from watchword.store.engine import Connection, Statement
from watchword.store.mapping import Mapper
from watchword.store.page import Page
from watchword.store.tables_exchanges import exchange_applications

APPLICATIONS = Mapper(exchange_applications, ExchangeApplication)
_CHANGED = (
    "name",
    "description",
    "jwks_url",
    "jwks",
    "grantable",
    "defaults",
    "exchange_networks",
    "use_networks",
    "max_ttl",
    "require_jti",
    "enabled",
    "updated_at",
    "ended_at",
)

_c = exchange_applications.c
_LIVE = _c.ended_at == 0
_ONE = (_c.organization_id == bindparam("organization_id_"), _c.id == bindparam("id_"), _LIVE)

_ADD = Statement(insert(exchange_applications))
_FIND = Statement(select(*APPLICATIONS.columns).where(*_ONE))
_BY_CLIENT = Statement(select(*APPLICATIONS.columns).where(_c.client_id == bindparam("client_id_"), _LIVE))
_LIST = Statement(
    select(*APPLICATIONS.columns)
    .where(_c.organization_id == bindparam("organization_id_"), _LIVE)
    .order_by(_c.id)
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
_SAVE = Statement(
    update(exchange_applications).where(*_ONE).values({name: bindparam(f"{name}_") for name in _CHANGED})
)


class ExchangeRows:
    """`store.base_exchanges.Exchanges` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def add(self, application: ExchangeApplication) -> None:
        await self._cx.run(_ADD, APPLICATIONS.encode(application))

    async def find(
        self, organization_id: OrganizationId, application_id: ResourceId
    ) -> ExchangeApplication | None:
        row = await self._cx.one(_FIND, {"organization_id_": organization_id, "id_": application_id})
        return APPLICATIONS.decode(row) if row else None

    async def by_client(self, client_id: str) -> ExchangeApplication | None:
        row = await self._cx.one(_BY_CLIENT, {"client_id_": client_id})
        return APPLICATIONS.decode(row) if row else None

    async def list(self, organization_id: OrganizationId, page: Page) -> Sequence[ExchangeApplication]:
        parameters = {"organization_id_": organization_id, "limit_": page.limit, "offset_": page.offset}
        return [APPLICATIONS.decode(row) for row in await self._cx.all(_LIST, parameters)]

    async def save(self, application: ExchangeApplication) -> bool:
        row = APPLICATIONS.encode(application)
        parameters = {f"{name}_": row[name] for name in ("organization_id", "id", *_CHANGED)}
        return await self._cx.run(_SAVE, parameters) == 1
