"""Binding: which field is answered by whom, for whose tokens (contract §9, rules 2 and 3)."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from graphql import GraphQLNonNull, GraphQLResolveInfo, GraphQLUnionType

from watchword.dagster.answers import Barred
from watchword.dagster.call import Call
from watchword.domain.errors import Forbidden, WatchwordError

Info = GraphQLResolveInfo[Any]
Arguments = Mapping[str, Any]
Resolver = Callable[..., Awaitable[object]]
RootWork = Callable[[Call, Arguments], Awaitable[object]]
UNAUTHORIZED = "UnauthorizedError"
FAILED = "PythonError"


class Audience(StrEnum):
    """Whose tokens a field takes."""

    AGENTS = "agents"
    PEOPLE = "people"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Bound:
    """A field with its resolver."""

    audience: Audience
    resolve: Resolver


BOUND: dict[str, dict[str, Bound]] = {}


def query(name: str, audience: Audience) -> Callable[[RootWork], RootWork]:
    """Bind a field of the query root."""
    return _root("Query", name, audience)


def mutation(name: str, audience: Audience) -> Callable[[RootWork], RootWork]:
    """Bind a field of the mutation root."""
    return _root("Mutation", name, audience)


def _root(of: str, name: str, audience: Audience) -> Callable[[RootWork], RootWork]:
    def bind(work: RootWork) -> RootWork:
        async def resolve(_source: object, info: Info, **arguments: object) -> object:
            call: Call = info.context
            try:
                _admit(call, audience, name)
                return await work(call, arguments)
            except WatchwordError as error:
                return _as_value(error, info)

        _bind(of, name, audience, resolve)
        return work

    return bind


def field(
    of: str, name: str, audience: Audience = Audience.BOTH
) -> Callable[[Callable[[Call, Any, Arguments], Awaitable[object]]], object]:
    """Bind a field of an object; whoever has the object may read it, unless the audience is narrower."""

    def bind(work: Callable[[Call, Any, Arguments], Awaitable[object]]) -> object:
        async def resolve(source: object, info: Info, **arguments: object) -> object:
            call: Call = info.context
            try:
                _admit(call, audience, name)
                return await work(call, source, arguments)
            except WatchwordError as error:
                return _as_value(error, info)

        _bind(of, name, audience, resolve)
        return work

    return bind


def _bind(of: str, name: str, audience: Audience, resolve: Resolver) -> None:
    fields = BOUND.setdefault(of, {})
    if name in fields:
        raise ValueError(f"{of}.{name} is bound already")
    fields[name] = Bound(audience, resolve)


def _admit(call: Call, audience: Audience, name: str) -> None:
    """Require that a token's kind may ask for a field.

    Raises:
        Barred: it is a person's, on a field of agents: the whole call is refused.
        Forbidden: it is an agent's, on a field of people.
    """
    if audience is Audience.AGENTS and not call.guest.is_agent:
        raise Barred(f"{name} is for agents: it takes an agent token, not a user token.", code="agents_only")
    if audience is Audience.PEOPLE and call.guest.is_agent:
        raise Forbidden(
            f"{name} is for people: it takes a user token, not an agent token.", code="people_only"
        )


def _as_value(error: WatchwordError, info: Info) -> object:
    """An error as a member of the field's union, where that has one for it; else it is raised."""
    kind = info.return_type
    kind = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
    if isinstance(error, Barred) or not isinstance(kind, GraphQLUnionType):
        raise error
    members = {one.name for one in kind.types}
    word = UNAUTHORIZED if isinstance(error, Forbidden) else FAILED
    if word not in members:
        raise error
    return {
        "__typename": word,
        "message": error.message,
        "className": type(error).__name__,
        "stack": [],
        "cause": None,
        "causes": [],
        "errorChain": [],
    }


def resolve_plain(source: object, info: Info, **arguments: object) -> object:
    """A field that nobody bound: it stands in its object, as a value or a function of the arguments."""
    if not isinstance(source, Mapping):
        raise TypeError(f"{info.parent_type.name} is no object here")
    value = source[info.field_name]
    return value(info.context, arguments) if callable(value) else value


def type_of(source: object, *_: object) -> str | None:
    """The type of an object where a field may hold several."""
    name = source.get("__typename") if isinstance(source, Mapping) else None
    return name if isinstance(name, str) else None
