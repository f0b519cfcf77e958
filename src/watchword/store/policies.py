"""Security policies, and the organizations that API access tokens reach, in the database."""

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, insert, select, update

from watchword.domain.ids import OrganizationId, TokenId, UserId
from watchword.domain.securitypolicy import Grant, SecurityPolicy
from watchword.store.engine import Connection, Statement
from watchword.store.mapping import Mapper
from watchword.store.page import Page
from watchword.store.tables_policies import security_policies, token_grants

POLICIES = Mapper(security_policies, SecurityPolicy)
GRANTS = Mapper(token_grants, Grant)

_p, _g = security_policies.c, token_grants.c
_ONE_GRANT = (_g.organization_id == bindparam("organization_id_"), _g.token_id == bindparam("id_"))

_POLICY = Statement(select(*POLICIES.columns).where(_p.organization_id == bindparam("organization_id_")))
_DROP = Statement(delete(security_policies).where(_p.organization_id == bindparam("organization_id_")))
_ADD = Statement(insert(security_policies))
_ADD_GRANT = Statement(insert(token_grants))
_GRANT = Statement(select(*GRANTS.columns).where(*_ONE_GRANT))
_GRANTS = Statement(
    select(*GRANTS.columns)
    .where(_g.organization_id == bindparam("organization_id_"), _g.ended_at == 0)
    .order_by(_g.token_id)
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
_GRANTS_OF = Statement(
    select(*GRANTS.columns).where(_g.token_id == bindparam("id_")).order_by(_g.granted_at, _g.organization_id)
)
_END_GRANT = Statement(
    update(token_grants)
    .where(*_ONE_GRANT, _g.ended_at == 0)
    .values(ended_at=bindparam("at_"), ended_by=bindparam("by_"))
)


class PolicyRows:
    """`store.base_policies.Policies` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def policy(self, organization_id: OrganizationId) -> SecurityPolicy:
        row = await self._cx.one(_POLICY, {"organization_id_": organization_id})
        return POLICIES.decode(row) if row else SecurityPolicy(organization_id)

    async def save(self, policy: SecurityPolicy) -> None:
        await self._cx.run(_DROP, {"organization_id_": policy.organization_id})
        await self._cx.run(_ADD, POLICIES.encode(policy))

    async def add_grant(self, grant: Grant) -> None:
        await self._cx.run(_ADD_GRANT, GRANTS.encode(grant))

    async def grant(self, organization_id: OrganizationId, token_id: TokenId) -> Grant | None:
        row = await self._cx.one(_GRANT, {"organization_id_": organization_id, "id_": token_id})
        return GRANTS.decode(row) if row else None

    async def grants(self, organization_id: OrganizationId, page: Page) -> Sequence[Grant]:
        parameters = {"organization_id_": organization_id, "limit_": page.limit, "offset_": page.offset}
        return [GRANTS.decode(row) for row in await self._cx.all(_GRANTS, parameters)]

    async def grants_of(self, token_id: TokenId) -> Sequence[Grant]:
        return [GRANTS.decode(row) for row in await self._cx.all(_GRANTS_OF, {"id_": token_id})]

    async def end_grant(
        self, organization_id: OrganizationId, token_id: TokenId, at: int, by: UserId | None
    ) -> bool:
        parameters = {"organization_id_": organization_id, "id_": token_id, "at_": at, "by_": by}
        return await self._cx.run(_END_GRANT, parameters) == 1
