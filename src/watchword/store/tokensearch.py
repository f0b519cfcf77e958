"""One list of an organization's tokens of all kinds, in the database: a page is one statement."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ClauseElement,
    ColumnElement,
    FromClause,
    Select,
    Text,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
    text,
    tuple_,
    union_all,
)

from watchword.domain.accounts import Role
from watchword.domain.hygiene import REMINDER_DAYS
from watchword.domain.kinds import Kind
from watchword.domain.tokenlists import Condition, Order
from watchword.domain.tokens import DAY_US
from watchword.store.accounts import USERS
from watchword.store.base_tokensearch import ListedToken, TokenQuery
from watchword.store.engine import Connection, Row, Statement, in_list
from watchword.store.tables import clusters, members, token_grants, tokens, users, uses
from watchword.store.tokens import TOKENS

_t, _g, _u = tokens.c, token_grants.c, uses.c
_OF_RESOURCES = (
    Kind.PORTAL_SERVICE,
    Kind.PORTAL_SECRET,
    Kind.PORTAL_EPHEMERAL,
    Kind.PORTAL_USER,
    Kind.REGISTRY,
    Kind.TEMPORARY_PACKAGE,
)
_KINDS = (
    Kind.AGENT,
    Kind.UNCLUSTERED_AGENT,
    Kind.API_ACCESS,
    Kind.DAGSTER_AGENT,
    Kind.DAGSTER_USER,
    Kind.PORTAL_SERVICE,
    Kind.PORTAL_SECRET,
    Kind.REGISTRY,
)
_NEVER = 2**62
# What memory knows, or nothing is asked of.
_BY_IDS = (Condition.ROTATING, Condition.QUARANTINED, Condition.DRAINING, Condition.LEAKED, Condition.ANY)


def _asked(name: str) -> BindParameter[int]:
    return bindparam(name, type_=BigInteger)


def _word(name: str) -> BindParameter[str]:
    return bindparam(name, type_=Text)


_OWNER = _word("organization_id_")
_NOW = _asked("now_")
# As the index has it, word for word; SQLite uses a partial index only then.
_LISTED = text("tokens.kind <> 'agent_session'")


def _kind(kind: Kind) -> ColumnElement[bool]:
    return _t.kind == literal_column(f"'{kind.value}'", Text)


def _every(dialect: str) -> FromClause:
    """Tokens that somebody sees, before they are narrowed down."""
    columns = (
        _t.organization_id,
        _t.id,
        _t.kind,
        _t.state,
        _t.description,
        _t.cluster_id,
        _t.user_id,
        _t.created_by,
        _t.scopes,
        _t.created_at,
        _t.expires_at,
        _t.not_before,
        _t.max_uses,
        _t.uses,
    )
    whole = _asked("everything_") == 1
    clustered = select(*columns).where(
        _asked("agents_") == 1,
        _t.organization_id == _OWNER,
        _kind(Kind.AGENT),
        _LISTED,
        or_(whole, in_list(_t.cluster_id, "clusters_", dialect)),
    )
    loose = select(*columns).where(
        _asked("unclustered_") == 1,
        whole,
        _t.organization_id == _OWNER,
        _kind(Kind.UNCLUSTERED_AGENT),
        _LISTED,
    )
    reaching = (
        select(*columns)
        .select_from(token_grants.join(tokens, and_(_t.organization_id == _g.home_id, _t.id == _g.token_id)))
        .where(
            _asked("people_") == 1,
            _g.organization_id == _OWNER,
            _g.ended_at == 0,
            or_(whole, _t.user_id == _word("person_")),
        )
    )
    dagster_agents = select(*columns).where(
        _asked("dagster_agents_") == 1,
        whole,
        _t.organization_id == _OWNER,
        _kind(Kind.DAGSTER_AGENT),
        _LISTED,
    )
    dagster_people = select(*columns).where(
        _asked("dagster_people_") == 1,
        _t.organization_id == _OWNER,
        _kind(Kind.DAGSTER_USER),
        _LISTED,
        or_(whole, _t.user_id == _word("person_")),
    )
    of_resources = [
        select(*columns).where(
            _asked(f"{kind.value}_") == 1,
            whole,
            _t.organization_id == _OWNER,
            _kind(kind),
            _LISTED,
        )
        for kind in _OF_RESOURCES
    ]
    return union_all(clustered, loose, reaching, dagster_agents, dagster_people, *of_resources).subquery(
        "every"
    )


def _in_state(every: FromClause) -> ColumnElement[bool]:
    """Whether a token is in the state asked for."""
    t, asked = every.c, _word("condition_")
    active = t.state == "active"
    over = and_(t.expires_at > 0, t.expires_at <= _NOW)
    live, left, life = and_(active, ~over), t.expires_at - _NOW, t.expires_at - t.created_at
    # The rule of `domain.hygiene.reminder_due`: whose whole life is shorter is not announced at its birth.
    due = case(
        *((left <= days * DAY_US, life > days * DAY_US) for days in sorted(REMINDER_DAYS)), else_=False
    )
    used = exists().where(_u.organization_id == t.organization_id, _u.token_id == t.id)
    meanings = {
        Condition.CURRENT: active,
        Condition.ACTIVE: live,
        Condition.EXPIRING: and_(live, t.expires_at > 0, due),
        Condition.EXPIRED: and_(active, over),
        Condition.REVOKED: t.state == "revoked",
        Condition.SUPERSEDED: t.state == "superseded",
        Condition.NEVER_USED: and_(live, ~used),
        Condition.NOT_YET_VALID: and_(live, t.not_before > _NOW),
        Condition.USED_UP: and_(live, t.max_uses > 0, t.uses >= t.max_uses),
    }
    named = [and_(asked == word.value, holds) for word, holds in meanings.items()]
    return or_(asked == "", *named)


def _fits(every: FromClause, dialect: str) -> ColumnElement[bool]:
    """Whether a token is asked for; a parameter that is empty asks for nothing."""
    t = every.c
    part = func.strpos if dialect == "postgresql" else func.instr
    name, low, high = func.lower(t.description), _word("low_"), _word("high_")
    scope = _word("scope_")
    return and_(
        or_(_asked("some_") == 0, in_list(t.id, "only_", dialect)),
        or_(low == "", part(name, low) > 0, part(name, high) > 0, part(t.id, low) == 1),
        or_(_word("owner_") == "", t.user_id == _word("owner_"), t.created_by == _word("owner_")),
        or_(_word("cluster_") == "", t.cluster_id == _word("cluster_")),
        or_(scope == "", part(" " + t.scopes + " ", " " + scope + " ") > 0),
        _in_state(every),
    )


def _key(every: FromClause, order: Order) -> ColumnElement[Any]:
    """What a list is ordered by; what never expires comes after all that does."""
    t = every.c
    if order is Order.NAME:
        return func.lower(t.description)
    if order is Order.EXPIRES:
        return case((t.expires_at == 0, literal_column(str(_NEVER), BigInteger)), else_=t.expires_at)
    if order is Order.LAST_USED:
        latest = (
            select(_u.last_at)
            .where(_u.organization_id == t.organization_id, _u.token_id == t.id)
            .order_by(_u.hour.desc(), _u.last_at.desc())
            .limit(1)
            .scalar_subquery()
        )
        return func.coalesce(latest, 0)
    return t.created_at


def _page(dialect: str, order: Order, *, descending: bool) -> ClauseElement:
    every = _every(dialect)
    key = _key(every, order)
    found = select(every.c.organization_id, every.c.id, key.label("key")).where(_fits(every, dialect))
    if order is not Order.CREATED:
        inner = found.subquery("found")
        found = select(inner.c.organization_id, inner.c.id, inner.c.key)
        key, row = inner.c.key, inner.c.id
    else:
        row = every.c.id
    mark: BindParameter[Any] = _word("key_") if order is Order.NAME else _asked("key_")
    place = tuple_(mark, _word("row_"))
    here = tuple_(key, row)
    beyond = here < place if descending else here > place
    found = found.where(or_(_asked("placed_") == 0, beyond))
    ordered = _ordered(found, key, row, descending=descending).limit(bindparam("limit_")).subquery("page")
    return _ordered(_named(ordered), ordered.c.key, ordered.c.id, descending=descending)


def _ordered(
    found: "Select[Any]", key: ColumnElement[Any], row: ColumnElement[Any], *, descending: bool
) -> "Select[Any]":
    return found.order_by(key.desc(), row.desc()) if descending else found.order_by(key, row)


def _named(page: FromClause) -> "Select[Any]":
    """The whole rows of a page, and the names that stand beside them."""
    owner, creator = users.alias("owner"), users.alias("creator")
    return select(
        *TOKENS.columns,
        *(owner.c[column.name] for column in USERS.columns),
        *(creator.c[column.name] for column in USERS.columns),
        members.c.role,
        clusters.c.name,
        page.c.key,
    ).select_from(
        page.join(tokens, and_(_t.organization_id == page.c.organization_id, _t.id == page.c.id))
        .outerjoin(owner, owner.c.id == _t.user_id)
        .outerjoin(creator, creator.c.id == _t.created_by)
        .outerjoin(members, and_(members.c.organization_id == _OWNER, members.c.user_id == _t.user_id))
        .outerjoin(clusters, and_(clusters.c.organization_id == _OWNER, clusters.c.id == _t.cluster_id))
    )


def _statement(order: Order, *, descending: bool) -> Statement:
    return Statement(lambda dialect: _page(dialect, order, descending=descending))


PAGES = {
    (order, descending): _statement(order, descending=descending)
    for order in Order
    for descending in (False, True)
}


def _counts(dialect: str) -> ClauseElement:
    every = _every(dialect)
    return select(every.c.kind, func.count()).where(_fits(every, dialect)).group_by(every.c.kind)


COUNTS = Statement(_counts)
_AT_OWNER = len(TOKENS.columns)
_AT_CREATOR = _AT_OWNER + len(USERS.columns)
_AT_ROLE = _AT_CREATOR + len(USERS.columns)


def _decode(row: Row) -> ListedToken:
    owner, creator = row[_AT_OWNER:_AT_CREATOR], row[_AT_CREATOR:_AT_ROLE]
    role, cluster_name, key = row[_AT_ROLE:]
    return ListedToken(
        TOKENS.decode(row[:_AT_OWNER]),
        USERS.decode(owner) if owner[0] is not None else None,
        Role(role) if role is not None else None,
        USERS.decode(creator) if creator[0] is not None else None,
        cluster_name or "",
        key,
    )


def _ascii_lower(text: str) -> str:
    """Lower case as both databases have it: other letters than ASCII's stay as they are."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


def _parameters(query: TokenQuery, kinds: Sequence[Kind]) -> dict[str, object]:
    by_ids = query.condition in _BY_IDS
    return {
        "organization_id_": query.organization_id,
        "now_": query.now,
        "everything_": int(query.everything),
        "clusters_": json.dumps(sorted(query.clusters)),
        "person_": query.person or "",
        "agents_": int(Kind.AGENT in kinds),
        "unclustered_": int(Kind.UNCLUSTERED_AGENT in kinds),
        "people_": int(Kind.API_ACCESS in kinds),
        "dagster_agents_": int(Kind.DAGSTER_AGENT in kinds),
        "dagster_people_": int(Kind.DAGSTER_USER in kinds),
        **{f"{kind.value}_": int(kind in kinds) for kind in _OF_RESOURCES},
        "condition_": "" if by_ids else query.condition.value,
        "low_": _ascii_lower(query.text.lower()),
        "high_": _ascii_lower(query.text.upper()),
        "owner_": query.owner or "",
        "cluster_": query.cluster or "",
        "scope_": query.scope,
        "some_": int(query.only is not None),
        "only_": json.dumps(sorted(query.only or ())),
    }


class TokenSearchRows:
    """`store.base_tokensearch.TokenSearch` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def page(self, query: TokenQuery) -> Sequence[ListedToken]:
        place = query.place
        back = place is not None and place.back
        parameters = _parameters(query, query.kinds) | {
            "placed_": int(place is not None),
            "key_": place.key if place is not None else ("" if query.order is Order.NAME else 0),
            "row_": place.id if place is not None else "",
            "limit_": query.limit,
        }
        statement = PAGES[query.order, query.descending is not back]
        found = [_decode(row) for row in await self._cx.all(statement, parameters)]
        return found[::-1] if back else found

    async def counts(self, query: TokenQuery) -> Mapping[Kind, int]:
        rows = await self._cx.all(COUNTS, _parameters(query, _KINDS))
        return {Kind(kind): int(count) for kind, count in rows}
