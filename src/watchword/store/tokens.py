"""Tokens in the database: one table for all kinds, one directory of digests."""

from collections.abc import Sequence

from sqlalchemy import and_, bindparam, insert, or_, select, text, update

from watchword.domain.ids import ClusterId, OrganizationId, ResourceId, TokenId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.tokens import State, Token
from watchword.store.base import Page
from watchword.store.engine import Connection, Statement
from watchword.store.mapping import Mapper
from watchword.store.sealed import DROP_SEALED
from watchword.store.tables import token_digests, tokens

TOKENS = Mapper(tokens, Token)
_t = tokens.c
_ONE = (_t.organization_id == bindparam("organization_id_"), _t.id == bindparam("id_"))
_ACTIVE = _t.state == State.ACTIVE.value

# As the index has it, word for word; SQLite uses a partial index only then.
_LISTED = text("tokens.kind <> 'agent_session'")

_ADD_DIGEST = Statement(insert(token_digests))
_ADD = Statement(insert(tokens))
_FIND = Statement(select(*TOKENS.columns).where(*_ONE))
_BY_DIGEST = Statement(
    select(*TOKENS.columns)
    .join(
        token_digests,
        (token_digests.c.organization_id == _t.organization_id) & (token_digests.c.token_id == _t.id),
    )
    .where(token_digests.c.digest == bindparam("digest_"))
)
_LIST = (
    select(*TOKENS.columns)
    .where(
        _t.organization_id == bindparam("organization_id_"),
        _t.kind == bindparam("kind_"),
        _ACTIVE,
        _LISTED,
    )
    .order_by(_t.id)
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
_LIST_IN = (
    select(*TOKENS.columns)
    .where(_t.organization_id == bindparam("organization_id_"), _t.kind == bindparam("kind_"), _LISTED)
    .order_by(_t.id)
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
_OVER = (_t.expires_at > 0, _t.expires_at <= bindparam("now_"))
_SEEN = {
    None: (),
    State.ACTIVE: (_ACTIVE, ~and_(*_OVER)),
    State.EXPIRED: (_ACTIVE, *_OVER),
    State.REVOKED: (_t.state == State.REVOKED.value,),
    State.SUPERSEDED: (_t.state == State.SUPERSEDED.value,),
}
_LISTS_IN = {
    (state, here): Statement(
        _LIST_IN.where(*seen, *((_t.cluster_id == bindparam("cluster_id_"),) if here else ()))
    )
    for state, seen in _SEEN.items()
    for here in (False, True)
}
# As the index has it, word for word; SQLite uses a partial index only then.
_OF_RESOURCE = (
    select(*TOKENS.columns)
    .where(
        _t.organization_id == bindparam("organization_id_"),
        _t.resource_id == bindparam("resource_id_"),
        text("tokens.resource_id IS NOT NULL"),
    )
    .order_by(_t.id)
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
_ALL_OF_RESOURCE = Statement(_OF_RESOURCE)
_ACTIVE_OF_RESOURCE = Statement(_OF_RESOURCE.where(_ACTIVE))
_IMPORTED = Statement(select(_t.digest).where(text("tokens.imported = 1")))
_LIST_ALL = Statement(_LIST)
_LIST_CLUSTER = Statement(_LIST.where(_t.cluster_id == bindparam("cluster_id_")))
_EDIT = Statement(
    update(tokens)
    .where(*_ONE, _ACTIVE)
    .values(description=bindparam("description_"), restrictions=bindparam("restrictions_"))
)
_END = Statement(
    update(tokens)
    .where(*_ONE, _ACTIVE)
    .values(
        state=bindparam("state_"),
        ended_at=bindparam("at_"),
        ended_by=bindparam("by_"),
        ended_reason=bindparam("reason_"),
    )
)
_TAKE_USE = Statement(
    update(tokens)
    .where(
        *_ONE,
        _ACTIVE,
        or_(_t.expires_at == 0, _t.expires_at > bindparam("now_")),
        _t.not_before <= bindparam("now_"),
        or_(_t.max_uses == 0, _t.uses < _t.max_uses),
    )
    .values(uses=_t.uses + 1)
)
_RETURN_USE = Statement(update(tokens).where(*_ONE, _t.uses > 0).values(uses=_t.uses - 1))


class TokenRows:
    """`store.base.Tokens` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def add(self, token: Token) -> None:
        row = TOKENS.encode(token)
        directory = {
            "digest": token.digest,
            "organization_id": token.organization_id,
            "token_id": token.id,
        }
        await self._cx.run(_ADD_DIGEST, directory)
        await self._cx.run(_ADD, row)

    async def find(self, organization_id: OrganizationId, token_id: TokenId) -> Token | None:
        row = await self._cx.one(_FIND, {"organization_id_": organization_id, "id_": token_id})
        return TOKENS.decode(row) if row else None

    async def by_digest(self, digest: bytes) -> Token | None:
        row = await self._cx.one(_BY_DIGEST, {"digest_": digest})
        return TOKENS.decode(row) if row else None

    async def list(
        self, organization_id: OrganizationId, kind: Kind, cluster_id: ClusterId | None, page: Page
    ) -> Sequence[Token]:
        parameters = {
            "organization_id_": organization_id,
            "kind_": kind.value,
            "cluster_id_": cluster_id,
            "limit_": page.limit,
            "offset_": page.offset,
        }
        statement = _LIST_ALL if cluster_id is None else _LIST_CLUSTER
        return [TOKENS.decode(row) for row in await self._cx.all(statement, parameters)]

    async def list_in(
        self,
        organization_id: OrganizationId,
        kind: Kind,
        cluster_id: ClusterId | None,
        state: State | None,
        now: int,
        page: Page,
    ) -> Sequence[Token]:
        parameters = {
            "organization_id_": organization_id,
            "kind_": kind.value,
            "cluster_id_": cluster_id,
            "now_": now,
            "limit_": page.limit,
            "offset_": page.offset,
        }
        statement = _LISTS_IN[state, cluster_id is not None]
        return [TOKENS.decode(row) for row in await self._cx.all(statement, parameters)]

    async def of_resource(
        self, organization_id: OrganizationId, resource_id: ResourceId, page: Page, *, active: bool = False
    ) -> Sequence[Token]:
        parameters = {
            "organization_id_": organization_id,
            "resource_id_": resource_id,
            "limit_": page.limit,
            "offset_": page.offset,
        }
        statement = _ACTIVE_OF_RESOURCE if active else _ALL_OF_RESOURCE
        return [TOKENS.decode(row) for row in await self._cx.all(statement, parameters)]

    async def imported(self) -> Sequence[bytes]:
        return [bytes(row[0]) for row in await self._cx.all(_IMPORTED, {})]

    async def edit(
        self, organization_id: OrganizationId, token_id: TokenId, description: str, restrictions: str
    ) -> bool:
        parameters = {
            "organization_id_": organization_id,
            "id_": token_id,
            "description_": description,
            "restrictions_": restrictions,
        }
        return await self._cx.run(_EDIT, parameters) == 1

    async def end(
        self,
        organization_id: OrganizationId,
        token_id: TokenId,
        state: State,
        at: int,
        by: UserId | None,
        reason: str,
    ) -> bool:
        parameters = {
            "organization_id_": organization_id,
            "id_": token_id,
            "state_": state.value,
            "at_": at,
            "by_": by,
            "reason_": reason,
        }
        if await self._cx.run(_END, parameters) != 1:
            return False
        # Here, so that no way to end a token leaves its value behind.
        await self._cx.run(DROP_SEALED, {"organization_id_": organization_id, "token_id_": token_id})
        return True

    async def take_use(self, organization_id: OrganizationId, token_id: TokenId, now: int) -> bool:
        parameters = {"organization_id_": organization_id, "id_": token_id, "now_": now}
        return await self._cx.run(_TAKE_USE, parameters) == 1

    async def return_use(self, organization_id: OrganizationId, token_id: TokenId) -> None:
        await self._cx.run(_RETURN_USE, {"organization_id_": organization_id, "id_": token_id})
