"""Deployments in the database, with what agent tokens and people may do in them."""

from collections.abc import Sequence

from sqlalchemy import and_, bindparam, delete, insert, select, text, update

from watchword.domain.dagsterroles import RoleGrant
from watchword.domain.deployments import (
    DagsterOrganization,
    Deployment,
    DeploymentGrant,
    DeploymentKind,
    GrantScope,
)
from watchword.domain.ids import DeploymentId, OrganizationId, TokenId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.tokens import Token
from watchword.store.counters import count_up
from watchword.store.engine import Connection, Statement, insert_missing, upsert
from watchword.store.mapping import Mapper
from watchword.store.page import Page
from watchword.store.tables import tokens
from watchword.store.tables_dagster import code_locations, work_items
from watchword.store.tables_deployments import (
    client_numbers,
    dagster_organizations,
    deployment_grants,
    deployment_roles,
    deployments,
)
from watchword.store.tokens import TOKENS

ORGANIZATIONS = Mapper(dagster_organizations, DagsterOrganization)
DEPLOYMENTS = Mapper(deployments, Deployment)
GRANTS = Mapper(deployment_grants, DeploymentGrant)
ROLES = Mapper(deployment_roles, RoleGrant)

_d, _g, _r, _n, _t = deployments.c, deployment_grants.c, deployment_roles.c, client_numbers.c, tokens.c
# As the indexes have it, word for word; SQLite uses a partial index only then.
_KEPT = text("deployments.deleted_at = 0")
_LISTED = text("tokens.kind <> 'agent_session'")
_OURS = _d.organization_id == bindparam("organization_id_")
_ONE = and_(_OURS, _d.id == bindparam("id_"))

_o = dagster_organizations.c
_ORGANIZATION = Statement(
    select(*ORGANIZATIONS.columns).where(_o.organization_id == bindparam("organization_id_"))
)
_BEGIN = insert_missing(dagster_organizations)
_SAVE_ORGANIZATION = Statement(
    update(dagster_organizations)
    .where(_o.organization_id == bindparam("organization_id_"))
    .values(settings=bindparam("settings_"), updated_at=bindparam("updated_at_"))
)
_ADD = Statement(insert(deployments))
_SAVE = Statement(
    update(deployments)
    .where(_ONE, _KEPT)
    .values(
        name=bindparam("name_"),
        settings=bindparam("settings_"),
        branch=bindparam("branch_"),
        updated_at=bindparam("updated_at_"),
    )
)
_DELETE = Statement(update(deployments).where(_ONE, _KEPT).values(deleted_at=bindparam("at_")))
_FIND = Statement(select(*DEPLOYMENTS.columns).where(_ONE))
_BY_NAME = Statement(select(*DEPLOYMENTS.columns).where(_OURS, _d.name == bindparam("name_"), _KEPT))
_BY_NUMBER = Statement(select(*DEPLOYMENTS.columns).where(_OURS, _d.number == bindparam("number_"), _KEPT))
_LIST = Statement(
    select(*DEPLOYMENTS.columns)
    .where(_OURS, _d.kind == bindparam("kind_"), _KEPT)
    .order_by(_d.id)
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
_GRANT = insert_missing(deployment_grants)
_OF_TOKEN = and_(_g.organization_id == bindparam("organization_id_"), _g.token_id == bindparam("token_id_"))
_UNGRANT = Statement(
    delete(deployment_grants).where(
        _OF_TOKEN, _g.scope == bindparam("scope_"), _g.deployment_id == bindparam("deployment_id_")
    )
)
_GRANTS = Statement(select(*GRANTS.columns).where(_OF_TOKEN).order_by(_g.scope, _g.deployment_id))
_DROP_GRANTS = Statement(
    delete(deployment_grants).where(
        _g.organization_id == bindparam("organization_id_"), _g.deployment_id == bindparam("deployment_id_")
    )
)
_SET_ROLE = upsert(deployment_roles, (), ("role", "granted_at", "granted_by"))
_OF_USER = and_(_r.organization_id == bindparam("organization_id_"), _r.user_id == bindparam("user_id_"))
_ON = and_(
    _r.organization_id == bindparam("organization_id_"), _r.deployment_id == bindparam("deployment_id_")
)
_DROP_ROLE = Statement(
    delete(deployment_roles).where(_OF_USER, _r.deployment_id == bindparam("deployment_id_"))
)
_DROP_ROLES = Statement(delete(deployment_roles).where(_ON))
_DROP_LOCATIONS = Statement(
    delete(code_locations).where(
        code_locations.c.organization_id == bindparam("organization_id_"),
        code_locations.c.deployment_id == bindparam("deployment_id_"),
    )
)
_DROP_WORK = Statement(
    delete(work_items).where(
        work_items.c.organization_id == bindparam("organization_id_"),
        work_items.c.deployment_id == bindparam("deployment_id_"),
    )
)
_ROLES = Statement(select(*ROLES.columns).where(_OF_USER).order_by(_r.deployment_id))
_ROLES_ON = Statement(select(*ROLES.columns).where(_ON).order_by(_r.user_id))
_NOUN = and_(_n.organization_id == bindparam("organization_id_"), _n.noun == bindparam("noun_"))
_NUMBER_OF = Statement(select(_n.number).where(_NOUN, _n.id == bindparam("id_")))
_ID_OF = Statement(select(_n.id).where(_NOUN, _n.number == bindparam("number_")))
_ADD_NUMBER = Statement(insert(client_numbers))
_TOKENS = (
    select(*TOKENS.columns)
    .where(
        _t.organization_id == bindparam("organization_id_"),
        _t.kind == bindparam("kind_"),
        _LISTED,
    )
    .order_by(_t.id.desc())
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
_ALL_TOKENS = Statement(_TOKENS)
_OWN_TOKENS = Statement(_TOKENS.where(_t.user_id == bindparam("user_id_")))


class DeploymentRows:
    """`store.base_deployments.Deployments` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def organization(self, organization_id: OrganizationId) -> DagsterOrganization | None:
        row = await self._cx.one(_ORGANIZATION, {"organization_id_": organization_id})
        return ORGANIZATIONS.decode(row) if row else None

    async def begin(self, organization: DagsterOrganization) -> bool:
        return await self._cx.run(_BEGIN, ORGANIZATIONS.encode(organization)) == 1

    async def save_organization(self, organization: DagsterOrganization) -> None:
        parameters = {
            "organization_id_": organization.organization_id,
            "settings_": organization.settings,
            "updated_at_": organization.updated_at,
        }
        await self._cx.run(_SAVE_ORGANIZATION, parameters)

    async def next_number(self, organization_id: OrganizationId) -> int:
        return await count_up(self._cx, organization_id, "deployments")

    async def add(self, deployment: Deployment) -> None:
        await self._cx.run(_ADD, DEPLOYMENTS.encode(deployment))

    async def save(self, deployment: Deployment) -> bool:
        parameters = {
            "organization_id_": deployment.organization_id,
            "id_": deployment.id,
            "name_": deployment.name,
            "settings_": deployment.settings,
            "branch_": deployment.branch,
            "updated_at_": deployment.updated_at,
        }
        return await self._cx.run(_SAVE, parameters) == 1

    async def delete(self, organization_id: OrganizationId, deployment_id: DeploymentId, at: int) -> bool:
        one = {"organization_id_": organization_id, "id_": deployment_id, "at_": at}
        if await self._cx.run(_DELETE, one) != 1:
            return False
        of = {"organization_id_": organization_id, "deployment_id_": deployment_id}
        await self._cx.run(_DROP_GRANTS, of)
        await self._cx.run(_DROP_ROLES, of)
        await self._cx.run(_DROP_LOCATIONS, of)
        await self._cx.run(_DROP_WORK, of)
        return True

    async def find(self, organization_id: OrganizationId, deployment_id: DeploymentId) -> Deployment | None:
        return await self._one(_FIND, {"organization_id_": organization_id, "id_": deployment_id})

    async def by_name(self, organization_id: OrganizationId, name: str) -> Deployment | None:
        return await self._one(_BY_NAME, {"organization_id_": organization_id, "name_": name})

    async def by_number(self, organization_id: OrganizationId, number: int) -> Deployment | None:
        return await self._one(_BY_NUMBER, {"organization_id_": organization_id, "number_": number})

    async def _one(self, statement: Statement, parameters: dict[str, object]) -> Deployment | None:
        row = await self._cx.one(statement, parameters)
        return DEPLOYMENTS.decode(row) if row else None

    async def list(
        self, organization_id: OrganizationId, kind: DeploymentKind, page: Page
    ) -> Sequence[Deployment]:
        parameters = {
            "organization_id_": organization_id,
            "kind_": kind.value,
            "limit_": page.limit,
            "offset_": page.offset,
        }
        return [DEPLOYMENTS.decode(row) for row in await self._cx.all(_LIST, parameters)]

    async def grant(self, grant: DeploymentGrant) -> bool:
        return await self._cx.run(_GRANT, GRANTS.encode(grant)) == 1

    async def ungrant(
        self,
        organization_id: OrganizationId,
        token_id: TokenId,
        scope: GrantScope,
        deployment_id: str,
    ) -> bool:
        parameters = {
            "organization_id_": organization_id,
            "token_id_": token_id,
            "scope_": scope.value,
            "deployment_id_": deployment_id,
        }
        return await self._cx.run(_UNGRANT, parameters) == 1

    async def grants(self, organization_id: OrganizationId, token_id: TokenId) -> Sequence[DeploymentGrant]:
        parameters = {"organization_id_": organization_id, "token_id_": token_id}
        return [GRANTS.decode(row) for row in await self._cx.all(_GRANTS, parameters)]

    async def set_role(self, grant: RoleGrant) -> None:
        await self._cx.run(_SET_ROLE, ROLES.encode(grant))

    async def drop_role(self, organization_id: OrganizationId, user_id: UserId, deployment_id: str) -> bool:
        parameters = {
            "organization_id_": organization_id,
            "user_id_": user_id,
            "deployment_id_": deployment_id,
        }
        return await self._cx.run(_DROP_ROLE, parameters) == 1

    async def roles(self, organization_id: OrganizationId, user_id: UserId) -> Sequence[RoleGrant]:
        parameters = {"organization_id_": organization_id, "user_id_": user_id}
        return [ROLES.decode(row) for row in await self._cx.all(_ROLES, parameters)]

    async def roles_on(self, organization_id: OrganizationId, deployment_id: str) -> Sequence[RoleGrant]:
        parameters = {"organization_id_": organization_id, "deployment_id_": deployment_id}
        return [ROLES.decode(row) for row in await self._cx.all(_ROLES_ON, parameters)]

    async def number_of(self, organization_id: OrganizationId, noun: str, id_: str) -> int:
        asked = {"organization_id_": organization_id, "noun_": noun, "id_": id_}
        row = await self._cx.one(_NUMBER_OF, asked)
        if row is not None:
            return int(row[0])
        number = await count_up(self._cx, organization_id, f"client_numbers:{noun}")
        given = {"organization_id": organization_id, "noun": noun, "number": number, "id": id_}
        await self._cx.run(_ADD_NUMBER, given)
        return number

    async def id_of(self, organization_id: OrganizationId, noun: str, number: int) -> str | None:
        asked = {"organization_id_": organization_id, "noun_": noun, "number_": number}
        row = await self._cx.one(_ID_OF, asked)
        return str(row[0]) if row else None

    async def tokens(
        self, organization_id: OrganizationId, kind: Kind, user_id: UserId | None, page: Page
    ) -> Sequence[Token]:
        parameters = {
            "organization_id_": organization_id,
            "kind_": kind.value,
            "limit_": page.limit,
            "offset_": page.offset,
        }
        if user_id is not None:
            parameters["user_id_"] = user_id
        statement = _OWN_TOKENS if user_id is not None else _ALL_TOKENS
        return [TOKENS.decode(row) for row in await self._cx.all(statement, parameters)]
