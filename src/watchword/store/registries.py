"""Package registries in the database."""

from collections.abc import Sequence

from sqlalchemy import bindparam, insert, or_, select, text, update

from watchword.domain.ids import OrganizationId, RegistryId
from watchword.domain.registries import Registry
from watchword.domain.tokens import State, Token
from watchword.store.engine import Connection, Statement
from watchword.store.mapping import Mapper
from watchword.store.page import Page
from watchword.store.tables import tokens
from watchword.store.tables_registries import package_files, packages, registries
from watchword.store.tokens import TOKENS

REGISTRIES = Mapper(registries, Registry)

_r, _p, _f, _t = registries.c, packages.c, package_files.c, tokens.c
_KEPT = text("registries.deleted_at = 0")
_OWNER = _r.organization_id == bindparam("organization_id_")
_ONE = (_OWNER, _r.id == bindparam("id_"), _KEPT)
_CHANGED = (
    "slug",
    "name",
    "description",
    "emoji",
    "color",
    "public",
    "oidc_policy",
    "team_ids",
    "updated_at",
)

_ADD = Statement(insert(registries))
_FIND = Statement(select(*REGISTRIES.columns).where(*_ONE))
_BY_SLUG = Statement(select(*REGISTRIES.columns).where(_OWNER, _r.slug == bindparam("slug_"), _KEPT))
_LIST = Statement(
    select(*REGISTRIES.columns)
    .where(_OWNER, _KEPT)
    .order_by(_r.id)
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
_SAVE = Statement(
    update(registries)
    .where(_OWNER, _r.id == bindparam("id_"), text("deleted_at = 0"))
    .values({name: bindparam(f"{name}_") for name in _CHANGED})
)
_GROW = Statement(
    update(registries)
    .where(
        _OWNER,
        _r.id == bindparam("id_"),
        text("deleted_at = 0"),
        _r.size + bindparam("size_") <= bindparam("limit_"),
    )
    .values(size=_r.size + bindparam("size_"))
)
_END = Statement(
    update(registries)
    .where(_OWNER, _r.id == bindparam("id_"), text("deleted_at = 0"))
    .values(deleted_at=bindparam("at_"))
)
_END_PACKAGES = Statement(
    update(packages)
    .where(
        _p.organization_id == bindparam("organization_id_"),
        _p.registry_id == bindparam("id_"),
        text("deleted_at = 0"),
    )
    .values(deleted_at=bindparam("at_"))
)
_END_FILES = Statement(
    update(package_files)
    .where(
        _f.organization_id == bindparam("organization_id_"),
        _f.registry_id == bindparam("id_"),
        text("deleted_at = 0"),
    )
    .values(deleted_at=bindparam("at_"))
)


_LIVE_TOKENS = Statement(
    select(*TOKENS.columns)
    .where(
        _t.organization_id == bindparam("organization_id_"),
        _t.resource_id == bindparam("id_"),
        text("tokens.resource_id IS NOT NULL"),
        _t.state == State.ACTIVE.value,
        or_(_t.expires_at == 0, _t.expires_at > bindparam("now_")),
    )
    .order_by(_t.id)
)


class RegistryRows:
    """`store.base_registries.Registries` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def add(self, registry: Registry) -> None:
        await self._cx.run(_ADD, REGISTRIES.encode(registry))

    async def find(self, organization_id: OrganizationId, registry_id: RegistryId) -> Registry | None:
        row = await self._cx.one(_FIND, {"organization_id_": organization_id, "id_": registry_id})
        return REGISTRIES.decode(row) if row else None

    async def by_slug(self, organization_id: OrganizationId, slug: str) -> Registry | None:
        row = await self._cx.one(_BY_SLUG, {"organization_id_": organization_id, "slug_": slug})
        return REGISTRIES.decode(row) if row else None

    async def list(self, organization_id: OrganizationId, page: Page) -> Sequence[Registry]:
        parameters = {"organization_id_": organization_id, "limit_": page.limit, "offset_": page.offset}
        return [REGISTRIES.decode(row) for row in await self._cx.all(_LIST, parameters)]

    async def save(self, registry: Registry) -> None:
        row = REGISTRIES.encode(registry)
        names = ("organization_id", "id", *_CHANGED)
        await self._cx.run(_SAVE, {f"{name}_": row[name] for name in names})

    async def grow(
        self, organization_id: OrganizationId, registry_id: RegistryId, size: int, limit: int
    ) -> bool:
        parameters = {
            "organization_id_": organization_id,
            "id_": registry_id,
            "size_": size,
            "limit_": limit,
        }
        return await self._cx.run(_GROW, parameters) == 1

    async def live_tokens(
        self, organization_id: OrganizationId, registry_id: RegistryId, now: int
    ) -> Sequence[Token]:
        parameters = {"organization_id_": organization_id, "id_": registry_id, "now_": now}
        return [TOKENS.decode(row) for row in await self._cx.all(_LIVE_TOKENS, parameters)]

    async def end(self, organization_id: OrganizationId, registry_id: RegistryId, at: int) -> bool:
        parameters = {"organization_id_": organization_id, "id_": registry_id, "at_": at}
        if await self._cx.run(_END, parameters) != 1:
            return False
        await self._cx.run(_END_PACKAGES, parameters)
        await self._cx.run(_END_FILES, parameters)
        return True
