"""Looking at many tokens at once, in the database: every list is one statement."""

import json
from collections.abc import Collection, Mapping, Sequence
from importlib import import_module

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ClauseElement,
    Text,
    and_,
    bindparam,
    cast,
    func,
    literal_column,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSONB

from watchword.domain.accounts import Role, User
from watchword.domain.ids import OrganizationId, TokenId, UserId
from watchword.domain.tokens import Token
from watchword.domain.use import Use
from watchword.store.accounts import USERS
from watchword.store.audit import USES
from watchword.store.base_hygiene import FIRST_DIGEST, LAST_DIGEST, Holder, Reaching
from watchword.store.engine import Connection, Row, Statement
from watchword.store.page import Page
from watchword.store.policies import GRANTS
from watchword.store.tables import members, token_digests, token_grants, tokens, user_sign_ins, users, uses
from watchword.store.tables_hygiene import token_reminders
from watchword.store.tokens import TOKENS

_t, _g, _u, _m, _d, _r, _s = (
    table.c for table in (tokens, token_grants, users, members, token_digests, token_reminders, user_sign_ins)
)
_OWNER: BindParameter[str] = bindparam("organization_id_")
_LIVE = and_(_g.ended_at == 0, _t.state != "revoked")
_TOKEN_OF_GRANT = and_(_t.organization_id == _g.home_id, _t.id == _g.token_id)
_FROM = (
    token_grants.join(tokens, _TOKEN_OF_GRANT)
    .outerjoin(users, _u.id == _t.user_id)
    .outerjoin(members, and_(_m.organization_id == _g.organization_id, _m.user_id == _t.user_id))
)
_SELECT = select(*TOKENS.columns, *GRANTS.columns, *USERS.columns, _m.role)
_USER: ClauseElement = bindparam("user_id_", type_=Text)
_PAGED = (
    _SELECT.where(_g.organization_id == _OWNER, _LIVE, or_(cast(_USER, Text) == "", _t.user_id == _USER))
    .order_by(_g.token_id)
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
_REACHING = Statement(_PAGED.select_from(_FROM))
_DIGEST_OF_TOKEN = and_(_d.organization_id == _t.organization_id, _d.token_id == _t.id)
_REACHING_BY_DIGEST = Statement(
    _PAGED.select_from(_FROM.join(token_digests, _DIGEST_OF_TOKEN)).where(
        _d.digest.between(bindparam("low_"), bindparam("high_"))
    )
)
_REACHING_ONE = Statement(
    _SELECT.select_from(_FROM).where(
        _g.organization_id == _OWNER, _g.token_id == bindparam("token_id_"), _g.ended_at == 0
    )
)
_AT_GRANT = len(TOKENS.columns)
_AT_USER = _AT_GRANT + len(GRANTS.columns)


def _last_uses(dialect: str) -> ClauseElement:
    """Latest hour of each of the tokens in a JSON list of pairs; each by a look into the index."""
    given = cast(bindparam("pairs_"), Text)
    if dialect == "postgresql":
        pairs = func.jsonb_array_elements(cast(given, JSONB)).table_valued("value", name="pairs")
        names = literal_column("pairs.value ->> 0", Text), literal_column("pairs.value ->> 1", Text)
    else:
        pairs = func.json_each(given).table_valued("value", name="pairs")
        names = (
            literal_column("json_extract(pairs.value, '$[0]')", Text),
            literal_column("json_extract(pairs.value, '$[1]')", Text),
        )
    wanted = select(names[0].label("owner"), names[1].label("token")).select_from(pairs).subquery("wanted")
    same = uses.alias("same")
    latest = (
        select(func.max(same.c.hour))
        .where(same.c.organization_id == wanted.c.owner, same.c.token_id == wanted.c.token)
        .scalar_subquery()
    )
    return select(*USES.columns).select_from(
        wanted.join(
            uses,
            and_(
                uses.c.organization_id == wanted.c.owner,
                uses.c.token_id == wanted.c.token,
                uses.c.hour == latest,
            ),
        )
    )


_LAST_USES = Statement(_last_uses)


def _disabled(dialect: str) -> ClauseElement:
    """Disabled accounts among the people in a JSON list, each by its key."""
    if dialect == "postgresql":
        given = func.jsonb_array_elements_text(cast(bindparam("people_", type_=Text), JSONB))
    else:
        given = func.json_each(bindparam("people_", type_=Text))
    people = given.table_valued("value", name="people")
    return (
        select(_s.user_id)
        .select_from(people.join(user_sign_ins, _s.user_id == people.c.value))
        .where(_s.disabled_at > 0)
    )


_DISABLED = Statement(_disabled)
_CALLERS = Statement(
    select(*USES.columns)
    .select_from(
        token_grants.join(tokens, _TOKEN_OF_GRANT).join(
            uses, and_(uses.c.organization_id == _g.home_id, uses.c.token_id == _g.token_id)
        )
    )
    .where(_g.organization_id == _OWNER, _LIVE, uses.c.hour >= bindparam("hour_"))
    .order_by(uses.c.last_at.desc())
    .limit(bindparam("limit_"))
)
_ADMINISTRATORS = Statement(
    select(*USERS.columns)
    .select_from(members.join(users, _u.id == _m.user_id))
    .where(_m.organization_id == _OWNER, _m.role == Role.ADMIN.value)
    .order_by(_u.email)
)
_REMINDED = (
    select(func.coalesce(func.min(_r.days), 0))
    .where(_r.organization_id == _t.organization_id, _r.token_id == _t.id)
    .scalar_subquery()
)
_EXPIRING = Statement(
    select(*TOKENS.columns, _REMINDED)
    .where(
        text("tokens.expires_at > 0"),  # as the index has it, word for word
        tuple_(_t.expires_at, _t.id) > tuple_(bindparam("expiry_", type_=BigInteger), bindparam("id_")),
        _t.expires_at >= bindparam("expiry_", type_=BigInteger),
        _t.expires_at <= bindparam("until_"),
        _t.state == "active",
    )
    .order_by(_t.expires_at, _t.id)
    .limit(bindparam("limit_"))
)


def _remind(dialect: str) -> ClauseElement:
    """Insert a reminder unless it is there."""
    clause: ClauseElement = (
        import_module(f"sqlalchemy.dialects.{dialect}").insert(token_reminders).on_conflict_do_nothing()
    )
    return clause


_REMIND = Statement(_remind)


def _decode(row: Row) -> Reaching:
    owner = row[_AT_USER:-1]
    return Reaching(
        TOKENS.decode(row[:_AT_GRANT]),
        GRANTS.decode(row[_AT_GRANT:_AT_USER]),
        USERS.decode(owner) if owner[0] is not None else None,
        Role(row[-1]) if row[-1] is not None else None,
    )


class HygieneRows:
    """`store.base_hygiene.Hygiene` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def reaching(
        self,
        organization_id: OrganizationId,
        page: Page,
        user_id: UserId | None = None,
        digests: tuple[bytes, bytes] = (FIRST_DIGEST, LAST_DIGEST),
    ) -> Sequence[Reaching]:
        parameters: dict[str, object] = {
            "organization_id_": organization_id,
            "user_id_": user_id or "",
            "limit_": page.limit,
            "offset_": page.offset,
        }
        if digests == (FIRST_DIGEST, LAST_DIGEST):
            return [_decode(row) for row in await self._cx.all(_REACHING, parameters)]
        parameters |= {"low_": digests[0], "high_": digests[1]}
        return [_decode(row) for row in await self._cx.all(_REACHING_BY_DIGEST, parameters)]

    async def reaching_one(self, organization_id: OrganizationId, token_id: TokenId) -> Reaching | None:
        row = await self._cx.one(_REACHING_ONE, {"organization_id_": organization_id, "token_id_": token_id})
        return _decode(row) if row else None

    async def last_uses(self, holders: Sequence[Holder]) -> Mapping[Holder, Use]:
        found: dict[Holder, Use] = {}
        if not holders:
            return found
        for row in await self._cx.all(_LAST_USES, {"pairs_": json.dumps(holders)}):
            use = USES.decode(row)
            holder = use.organization_id, use.token_id
            if holder not in found or found[holder].last_at < use.last_at:
                found[holder] = use
        return found

    async def disabled(self, user_ids: Collection[UserId]) -> frozenset[UserId]:
        if not user_ids:
            return frozenset()
        rows = await self._cx.all(_DISABLED, {"people_": json.dumps(sorted(user_ids))})
        return frozenset(UserId(user_id) for (user_id,) in rows)

    async def callers(self, organization_id: OrganizationId, hour: int, limit: int) -> Sequence[Use]:
        parameters = {"organization_id_": organization_id, "hour_": hour, "limit_": limit}
        return [USES.decode(row) for row in await self._cx.all(_CALLERS, parameters)]

    async def administrators(self, organization_id: OrganizationId) -> Sequence[User]:
        rows = await self._cx.all(_ADMINISTRATORS, {"organization_id_": organization_id})
        return [USERS.decode(row) for row in rows]

    async def expiring(self, after: tuple[int, str], until: int, limit: int) -> Sequence[tuple[Token, int]]:
        parameters = {"expiry_": after[0], "id_": after[1], "until_": until, "limit_": limit}
        rows = await self._cx.all(_EXPIRING, parameters)
        return [(TOKENS.decode(row[:-1]), int(row[-1])) for row in rows]

    async def remind(self, organization_id: OrganizationId, token_id: TokenId, days: int, at: int) -> bool:
        row = {"organization_id": organization_id, "token_id": token_id, "days": days, "at": at}
        return await self._cx.run(_REMIND, row) == 1
