"""Rotations of agent tokens, Watchword's own: start, follow, extend, finish, abort."""

from collections.abc import Awaitable, Callable, Mapping

from watchword.domain.formats import read_time
from watchword.domain.ids import ClusterId, TokenId
from watchword.domain.kinds import Kind
from watchword.domain.rotations import Rotation
from watchword.domain.tokens import Token
from watchword.graphql import ids
from watchword.graphql.binding import Arguments, Thing, field, mutation
from watchword.graphql.call import Call, Find, Order
from watchword.graphql.finding import maybe
from watchword.graphql.resolvers.agents import show_agent
from watchword.services.lookups import token_by_id
from watchword.services.queries import Access, Unit
from watchword.services.rotating import Standing, Started

_KINDS = {"ClusterToken": Kind.AGENT, "AgentToken": Kind.UNCLUSTERED_AGENT}
_MISSING = {"ClusterToken": "No cluster token found", "AgentToken": "No agent token found"}


def show_rotation(standing: Standing) -> Thing:
    """A rotation as an object."""
    rotation = standing.rotation
    values = {
        "state": rotation.state.name,
        "cause": rotation.cause.value or None,
        "startedAt": rotation.started_at,
        "deadline": rotation.deadline,
        "firstUsedAt": rotation.first_used_at or None,
        "endedAt": rotation.ended_at or None,
        "predecessorUuid": standing.predecessor.id,
        "successorUuid": standing.successor.id,
        "moved": standing.progress.moved,
        "total": standing.progress.total,
        "holders": [show_agent(agent) for agent in standing.holders],
    }
    return Thing("TokenRotation", standing.predecessor.organization_id, standing, values)


def _cluster(token: Token) -> ClusterId | None:
    return token.cluster_id


def _finder(order: Order, of: str) -> Find[Token]:
    """Finds the token that the input names, in whatever state."""
    uuid = ids.uuid_of(str(order.input["id"]), of)

    async def look(tx: Unit, access: Access) -> Token | None:
        token = await token_by_id(tx, access.id, TokenId(uuid))
        return token if token is not None and token.kind is _KINDS[of] else None

    return look


Change = Callable[[Order, Unit, Access, Rotation], Awaitable[Rotation]]


async def _extend(order: Order, tx: Unit, access: Access, rotation: Rotation) -> Rotation:
    until = read_time("Deadline", order.input.get("deadline"))
    return await order.call.authority.rotator.extend_in(tx, access.caller, rotation, until)


async def _finish(order: Order, tx: Unit, access: Access, rotation: Rotation) -> Rotation:
    return await order.call.authority.rotator.finish_in(tx, access.caller, rotation, access.user.id)


async def _abort(order: Order, tx: Unit, access: Access, rotation: Rotation) -> Rotation:
    return await order.call.authority.rotator.abort_in(tx, access.caller, rotation, access.user.id)


def _bind(of: str, prefix: str, noun: str) -> None:
    """Bind the rotation of one type of token."""

    @field(of, "rotation", f"{noun}.read", cluster=_cluster)
    async def rotation_of_token(call: Call, token: Token, _arguments: Arguments) -> Thing | None:
        rotator = call.authority.rotator

        async def read(tx: Unit) -> Standing | None:
            found = await maybe(rotator.find_in(tx, token.organization_id, token.id))
            return await rotator.standing_in(tx, found) if found is not None else None

        standing = await call.read(read)
        return show_rotation(standing) if standing is not None else None

    @mutation(f"{prefix}RotationStart", f"{noun}.rotate")
    async def start(order: Order) -> Mapping[str, object]:
        rotator = order.call.authority.rotator
        deadline = read_time("Deadline", order.input.get("deadline"))

        async def work(tx: Unit, access: Access, token: Token) -> tuple[Started, Standing]:
            started = await rotator.start_in(
                tx,
                access.caller,
                token,
                by=access.user.id,
                asker=order.call.presented.id,
                deadline=deadline,
            )
            return started, await rotator.standing_in(tx, started.rotation)

        started, standing = await order.write_found(_finder(order, of), _MISSING[of], work, cluster=_cluster)
        return {
            "rotation": show_rotation(standing),
            "successorId": ids.encode(of, started.successor.id),
            "tokenValue": started.value.reveal(),
        }

    for name, change in (("Extend", _extend), ("Finish", _finish), ("Abort", _abort)):
        _bind_change(of, f"{prefix}Rotation{name}", f"{noun}.rotate", change)


def _bind_change(of: str, name: str, operation: str, change: Change) -> None:
    @mutation(name, operation)
    async def resolve(order: Order) -> Mapping[str, object]:
        rotator = order.call.authority.rotator

        async def work(tx: Unit, access: Access, token: Token) -> Standing:
            found = await rotator.find_in(tx, token.organization_id, token.id)
            return await rotator.standing_in(tx, await change(order, tx, access, found))

        standing = await order.write_found(_finder(order, of), _MISSING[of], work, cluster=_cluster)
        return {"rotation": show_rotation(standing)}


_bind("ClusterToken", "clusterAgentToken", "agent_token")
_bind("AgentToken", "agentToken", "unclustered_agent_token")
