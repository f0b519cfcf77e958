"""Binding: which field asks for which right, and who answers it. The authorization rows come from here."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ariadne import InterfaceType, UnionType
from graphql import GraphQLResolveInfo

from watchword.domain.errors import Forbidden
from watchword.domain.exchanges import MUTATIONS
from watchword.domain.ids import ClusterId, OrganizationId, TeamId
from watchword.domain.kinds import Kind
from watchword.graphql.call import Call, Order
from watchword.graphql.failures import unsupported

Info = GraphQLResolveInfo[Any]
Resolver = Callable[..., Awaitable[object]]
Arguments = Mapping[str, Any]

# Names of the interfaces and unions whose things say themselves what they are.
_ABSTRACT = (
    InterfaceType("Node"),
    InterfaceType("Connection"),
    InterfaceType("NotificationService"),
    InterfaceType("RepositoryProvider"),
    InterfaceType("RepositoryProviderWebhook"),
    InterfaceType("JobInterface"),
    InterfaceType("Step"),
    InterfaceType("BuildSource"),
    UnionType("Job"),
    UnionType("ClusterPermissionActor"),
    UnionType("AuditActorNode"),
    UnionType("AuditSubjectNode"),
    UnionType("AuditContext"),
    UnionType("BuildCreator"),
    UnionType("RuleSource"),
    UnionType("RuleTarget"),
)
NOT_SUPPORTED = "not supported"


@dataclass(frozen=True, slots=True)
class Thing:
    """One object of an answer.

    Attributes:
        type: its type's name.
        organization_id: whose it is; None for what belongs to none.
        record: what the services gave.
        values: fields that need no further reading.
    """

    type: str
    organization_id: OrganizationId | None
    record: Any
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Guarded:
    """A field with its resolver; `operation` is a row of `domain.operations`, None where none is asked."""

    operation: str | None
    resolve: Resolver


GUARDED: dict[str, dict[str, Guarded]] = {}


def resolve_plain(source: object, info: Info, **arguments: object) -> object:
    """A field that nobody bound: it stands in its object, as a value or a function of the arguments."""
    values = source.values if isinstance(source, Thing) else source
    if not isinstance(values, Mapping):
        raise TypeError(f"{info.parent_type.name} is no object here")
    value = values[info.field_name]
    return value(info.context, arguments) if callable(value) else value


def type_of(source: object, *_: object) -> str | None:
    """The type of an object where a field may hold several."""
    return source.type if isinstance(source, Thing) else None


def abstract_types() -> list[InterfaceType | UnionType]:
    """The interfaces and unions, each asking the object itself."""
    for one in _ABSTRACT:
        one.set_type_resolver(type_of)
    return list(_ABSTRACT)


def _bind(of: str, name: str, operation: str | None, resolve: Resolver) -> None:
    fields = GUARDED.setdefault(of, {})
    if name in fields:
        raise ValueError(f"{of}.{name} is bound already")
    fields[name] = Guarded(operation, resolve)


def query(
    name: str, operation: str | None
) -> Callable[[Callable[[Call, Arguments], Awaitable[object]]], object]:
    """Bind a field of the query root; what it names asks for the right itself, in its organization."""

    def bind(work: Callable[[Call, Arguments], Awaitable[object]]) -> object:
        async def resolve(_root: object, info: Info, **arguments: object) -> object:
            return await work(info.context, arguments)

        _bind("Query", name, operation, resolve)
        return work

    return bind


def field(
    of: str,
    name: str,
    operation: str | None = None,
    *,
    cluster: Callable[[Any], ClusterId | None] | None = None,
    team: Callable[[Any], TeamId | None] | None = None,
) -> Callable[[Callable[[Call, Any, Arguments], Awaitable[object]]], object]:
    """Bind a field of an object, behind the right that it asks for.

    Args:
        of: the object's type.
        name: the field.
        operation: what reading it performs; None where whoever has the object may read it.
        cluster: the cluster that the right depends on, from the object's record.
        team: the team that it depends on.
    """

    def bind(work: Callable[[Call, Any, Arguments], Awaitable[object]]) -> object:
        async def resolve(thing: Thing, info: Info, **arguments: object) -> object:
            call: Call = info.context
            if operation is not None and thing.organization_id is not None:
                access = await call.access(thing.organization_id)
                access.require(
                    operation,
                    cluster=cluster(thing.record) if cluster else None,
                    team=team(thing.record) if team else None,
                )
            return await work(call, thing.record, arguments)

        _bind(of, name, operation, resolve)
        return work

    return bind


def mutation(
    name: str, operation: str
) -> Callable[[Callable[[Order], Awaitable[Mapping[str, object]]]], object]:
    """Bind a mutation; `clientMutationId` goes back as it came."""

    def bind(work: Callable[[Order], Awaitable[Mapping[str, object]]]) -> object:
        async def resolve(_root: object, info: Info, **arguments: Any) -> object:  # noqa: ANN401 - GraphQL's
            _refuse_exchanged(info.context, name)
            given = arguments["input"]
            payload = await work(Order(info.context, operation, given))
            return {**payload, "clientMutationId": given.get("clientMutationId")}

        _bind("Mutation", name, operation, resolve)
        return work

    return bind


def _refuse_exchanged(call: Call, name: str) -> None:
    """Refuse a mutation that an exchanged token may not do (contract rest-graphql §5.7).

    Raises:
        Forbidden: it is one.
    """
    if call.presented.kind is Kind.TOKEN_EXCHANGE and name not in MUTATIONS:
        raise Forbidden(f"A token that was exchanged may not do {name}.", code="exchanged_token")


def refuse(of: str, *names: str) -> None:
    """Bind fields that this server does not serve: each answers an error that says so."""
    for name in names:

        async def resolve(_source: object, info: Info, **_arguments: object) -> object:
            raise unsupported(info.field_name)

        _bind(of, name, NOT_SUPPORTED, resolve)


def nothing(of: str, *names: str) -> None:
    """Bind fields of things that this server does not have: each is null."""
    for name in names:

        async def resolve(_source: object, _info: Info, **_arguments: object) -> object:
            return None

        _bind(of, name, None, resolve)
