"""Searching cases of leaks as people look at them: filtered, counted, the most urgent first."""

import json

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ClauseElement,
    ColumnElement,
    Text,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
)

from watchword.domain.leaks import Leak, LeakState, Outcome, Visibility
from watchword.store.base_leaks import LeakQuery
from watchword.store.engine import Statement, in_list, one_of
from watchword.store.mapping import Mapper
from watchword.store.tables import tokens
from watchword.store.tables_leaks import leaks

LEAKS = Mapper(leaks, Leak)

_l, _t = leaks.c, tokens.c
# Nothing has been done about these: whoever has the value may use it.
_LOOSE = (Outcome.NONE, Outcome.NOTIFIED, Outcome.RELEASED, Outcome.WOULD, Outcome.FAILED)
_STATES = tuple(LeakState)


def _flag(name: str) -> ColumnElement[bool]:
    return bindparam(name, type_=BigInteger) == 1


def _word(name: str) -> BindParameter[str]:
    return bindparam(name, type_=Text)


def _fitting(dialect: str) -> ColumnElement[bool]:
    """Whether a case is asked for, states aside; a parameter that is empty asks for nothing."""
    return and_(
        _l.organization_id == bindparam("organization_id_"),
        or_(_word("kind_") == "", _l.kind == _word("kind_")),
        or_(_word("reporter_") == "", _l.reporter == _word("reporter_")),
        or_(_flag("everywhere_"), in_list(_t.cluster_id, "clusters_", dialect)),
        or_(_word("owner_") == "", _t.user_id == _word("owner_")),
    )


_WITH_TOKENS = leaks.outerjoin(tokens, and_(_t.organization_id == _l.organization_id, _t.id == _l.token_id))


def _searched(dialect: str) -> ClauseElement:
    states = or_(*(and_(_flag(f"{each.value}_"), _l.state == each.value) for each in _STATES))
    urgency = (
        case((_l.state == LeakState.HELD.value, 0), (_l.state == LeakState.OPEN.value, 1), else_=2),
        case((one_of(_l.outcome, [each.value for each in _LOOSE]), 0), else_=1),
        case((_l.visibility == Visibility.PUBLIC.value, 0), else_=1),
    )
    return (
        select(*LEAKS.columns)
        .select_from(_WITH_TOKENS)
        .where(_fitting(dialect), states)
        .order_by(*urgency, _l.id.desc())
        .limit(bindparam("limit_"))
        .offset(bindparam("offset_"))
    )


def _tallied(dialect: str) -> ClauseElement:
    return (
        select(_l.state, func.count()).select_from(_WITH_TOKENS).where(_fitting(dialect)).group_by(_l.state)
    )


SEARCH, TALLY = Statement(_searched), Statement(_tallied)


def parameters_of(asked: LeakQuery) -> dict[str, object]:
    """A query's parameters."""
    return {
        "organization_id_": asked.organization_id,
        "kind_": asked.kind.value if asked.kind is not None else "",
        "reporter_": asked.reporter,
        "everywhere_": int(asked.clusters is None),
        "clusters_": json.dumps(sorted(asked.clusters or ())),
        "owner_": asked.owner or "",
    }
