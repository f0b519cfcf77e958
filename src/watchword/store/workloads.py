"""Trusted issuers, used identity tokens and agents' identities in the database."""

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, func, insert, select, update

from watchword.domain.ids import AgentId, ClusterId, OrganizationId, ResourceId
from watchword.domain.tokens import State
from watchword.domain.workloads import AgentIdentity, IdentityUse, TrustedIssuer
from watchword.store.engine import Connection, Statement, insert_missing
from watchword.store.mapping import Mapper
from watchword.store.page import Page
from watchword.store.tables import tokens
from watchword.store.tables_workloads import (
    agent_identities,
    identity_uses,
    issuer_audiences,
    trusted_issuers,
)

ISSUERS = Mapper(trusted_issuers, TrustedIssuer)
USES = Mapper(identity_uses, IdentityUse)
IDENTITIES = Mapper(agent_identities, AgentIdentity)

_i, _u, _a, _n = trusted_issuers.c, identity_uses.c, issuer_audiences.c, agent_identities.c
_MINE = _i.organization_id == bindparam("organization_id_")
_LIVE = (
    tokens.c.organization_id == _i.organization_id,
    tokens.c.id == _i.token_id,
    tokens.c.state == State.ACTIVE.value,
)
_ONE_USE = (_u.organization_id == bindparam("organization_id_"), _u.digest == bindparam("digest_"))

_ADD = Statement(insert(trusted_issuers))
_FIND = Statement(select(*ISSUERS.columns).where(_MINE, _i.id == bindparam("id_")))
_LIST = Statement(
    select(*ISSUERS.columns)
    .where(_MINE, _i.cluster_id == bindparam("cluster_id_"), *_LIVE)
    .order_by(_i.id)
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
_COUNT = Statement(select(func.count()).select_from(trusted_issuers).where(_MINE, *_LIVE))
_SAVE = Statement(
    update(trusted_issuers)
    .where(_MINE, _i.id == bindparam("id_"))
    .values(name=bindparam("name_"), terms=bindparam("terms_"), updated_at=bindparam("updated_at_"))
)
_OF_ISSUER = Statement(
    select(*ISSUERS.columns)
    .where(_i.issuer == bindparam("issuer_"), *_LIVE)
    .order_by(_i.id)
    .limit(bindparam("limit_"))
)
_FOR_AUDIENCE = Statement(
    select(*ISSUERS.columns)
    .where(
        _a.issuer == bindparam("issuer_"),
        _a.audience == bindparam("audience_"),
        _i.issuer == bindparam("issuer_"),
        _i.organization_id == _a.organization_id,
        *_LIVE,
    )
    .order_by(_i.id)
)
_TAKE_AUDIENCE = insert_missing(issuer_audiences)
_OWNER = Statement(
    select(_a.organization_id).where(_a.issuer == bindparam("issuer_"), _a.audience == bindparam("audience_"))
)
_FIRST_USE = insert_missing(identity_uses)
_FURTHER_USE = Statement(
    update(identity_uses)
    .where(
        *_ONE_USE,
        _u.holder == bindparam("holder_"),
        _u.uses < bindparam("most_"),
        _u.first_at > bindparam("since_"),
    )
    .values(uses=_u.uses + 1)
)
_USE = Statement(select(*USES.columns).where(*_ONE_USE))
_FORGET = Statement(delete(identity_uses).where(_u.expires_at <= bindparam("now_")))
_ADD_IDENTITY = Statement(insert(agent_identities))
_IDENTITY = Statement(
    select(*IDENTITIES.columns).where(
        _n.organization_id == bindparam("organization_id_"), _n.agent_id == bindparam("agent_id_")
    )
)


class WorkloadRows:
    """`store.base_workloads.Workloads` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def add(self, issuer: TrustedIssuer) -> None:
        await self._cx.run(_ADD, ISSUERS.encode(issuer))

    async def find(self, organization_id: OrganizationId, issuer_id: ResourceId) -> TrustedIssuer | None:
        row = await self._cx.one(_FIND, {"organization_id_": organization_id, "id_": issuer_id})
        return ISSUERS.decode(row) if row else None

    async def list(
        self, organization_id: OrganizationId, cluster_id: ClusterId, page: Page
    ) -> Sequence[TrustedIssuer]:
        parameters = {
            "organization_id_": organization_id,
            "cluster_id_": cluster_id,
            "limit_": page.limit,
            "offset_": page.offset,
        }
        return [ISSUERS.decode(row) for row in await self._cx.all(_LIST, parameters)]

    async def count(self, organization_id: OrganizationId) -> int:
        row = await self._cx.one(_COUNT, {"organization_id_": organization_id})
        return int(row[0]) if row else 0

    async def save(self, issuer: TrustedIssuer) -> None:
        row = ISSUERS.encode(issuer)
        await self._cx.run(
            _SAVE,
            {
                "organization_id_": issuer.organization_id,
                "id_": issuer.id,
                "name_": issuer.name,
                "terms_": row["terms"],
                "updated_at_": issuer.updated_at,
            },
        )

    async def of_issuer(self, issuer: str, limit: int) -> Sequence[TrustedIssuer]:
        rows = await self._cx.all(_OF_ISSUER, {"issuer_": issuer, "limit_": limit})
        return [ISSUERS.decode(row) for row in rows]

    async def for_audience(self, issuer: str, audience: str) -> Sequence[TrustedIssuer]:
        rows = await self._cx.all(_FOR_AUDIENCE, {"issuer_": issuer, "audience_": audience})
        return [ISSUERS.decode(row) for row in rows]

    async def take_audience(
        self, issuer: str, audience: str, organization_id: OrganizationId, at: int
    ) -> OrganizationId:
        row = {"issuer": issuer, "audience": audience, "organization_id": organization_id, "taken_at": at}
        await self._cx.run(_TAKE_AUDIENCE, row)
        found = await self._cx.one(_OWNER, {"issuer_": issuer, "audience_": audience})
        return OrganizationId(found[0]) if found else organization_id

    async def first_use(self, use: IdentityUse) -> bool:
        return await self._cx.run(_FIRST_USE, USES.encode(use)) == 1

    async def further_use(
        self, organization_id: OrganizationId, digest: str, holder: str, most: int, since: int
    ) -> bool:
        parameters = {
            "organization_id_": organization_id,
            "digest_": digest,
            "holder_": holder,
            "most_": most,
            "since_": since,
        }
        return await self._cx.run(_FURTHER_USE, parameters) == 1

    async def use(self, organization_id: OrganizationId, digest: str) -> IdentityUse | None:
        row = await self._cx.one(_USE, {"organization_id_": organization_id, "digest_": digest})
        return USES.decode(row) if row else None

    async def forget_uses(self, now: int) -> int:
        return await self._cx.run(_FORGET, {"now_": now})

    async def add_identity(self, identity: AgentIdentity) -> None:
        await self._cx.run(_ADD_IDENTITY, IDENTITIES.encode(identity))

    async def identity(self, organization_id: OrganizationId, agent_id: AgentId) -> AgentIdentity | None:
        row = await self._cx.one(_IDENTITY, {"organization_id_": organization_id, "agent_id_": agent_id})
        return IDENTITIES.decode(row) if row else None
