"""Finding: things by global ids and slugs, and the permissions that objects show."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from watchword.domain.errors import NotFound
from watchword.domain.ids import ClusterId, TeamId, is_uuid
from watchword.graphql import ids
from watchword.graphql.binding import Thing
from watchword.graphql.call import Call, Order
from watchword.services.queries import Access, Unit

T = TypeVar("T")
Finder = Callable[[Unit, Access, str], Awaitable[Thing | None]]


@dataclass(frozen=True, slots=True)
class Findable:
    """A type that `node` finds.

    Attributes:
        operation: what reading one performs.
        find: one of an organization by its UUID.
        cluster: the cluster that the right depends on, from the record.
    """

    operation: str
    find: Finder
    cluster: Callable[[Any], ClusterId | None] | None = None

    def seen(self, access: Access, thing: Thing) -> bool:
        """Whether the person may see it."""
        return access.may(self.operation, cluster=self.cluster(thing.record) if self.cluster else None)


NODES: dict[str, Findable] = {}


def node(
    of: str, operation: str, cluster: Callable[[Any], ClusterId | None] | None = None
) -> Callable[[Finder], Finder]:
    """Let `node` find things of a type."""

    def bind(find: Finder) -> Finder:
        NODES[of] = Findable(operation, find, cluster)
        return find

    return bind


async def maybe(found: Awaitable[T]) -> T | None:
    """What was found; None where there is no such thing."""
    try:
        return await found
    except NotFound:
        return None


async def thing_of(call: Call, of: str, uuid: str) -> Thing | None:
    """A thing by type and UUID, of whichever organization has it and lets the person see it."""
    findable = NODES.get(of)
    if findable is None or not uuid:
        return None

    async def find(tx: Unit, access: Access) -> Thing | None:
        found = await findable.find(tx, access, uuid)
        return found if found is not None and findable.seen(access, found) else None

    found = await call.find(find)
    return found[1] if found is not None else None


async def at_slug(call: Call, slug: str, of: str) -> Thing | None:
    """A thing by `organization-slug/uuid`; None where there is none.

    Raises:
        Forbidden: the person may see no such thing.
    """
    where, _, uuid = slug.strip().partition("/")
    access = await maybe(call.access_of(where))
    if access is None or not is_uuid(uuid):
        return None
    findable = NODES[of]
    found = await call.read(lambda tx: findable.find(tx, access, uuid.lower()))
    if findable.cluster is None:
        access.require(findable.operation)
    return found if found is not None and findable.seen(access, found) else None


def organization_id(order: Order, name: str = "organizationId") -> str:
    """The organization that an input names; empty where its id names none."""
    return ids.uuid_of(str(order.input[name]), "Organization")


def permission(
    access: Access, operation: str, *, cluster: ClusterId | None = None, team: TeamId | None = None
) -> dict[str, object]:
    """Whether the person may perform an operation, as objects show it."""
    if access.may(operation, cluster=cluster, team=team):
        return {"allowed": True, "code": None, "message": None}
    return denied("You're not allowed to do that")


def denied(message: str, code: str = "forbidden") -> dict[str, object]:
    """That nobody or not this person may do something."""
    return {"allowed": False, "code": code, "message": message}
