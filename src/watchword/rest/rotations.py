"""Rotations of tokens: Watchword's own paths below each kind of token; the value stands in one answer."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar import Response, delete, get, post, route
from litestar.handlers import HTTPRouteHandler

from watchword.domain import fleet, rotations
from watchword.domain.tokens import Token
from watchword.domain.use import Use
from watchword.rest.bodies import Body
from watchword.rest.call import Call, RestRequest, needs
from watchword.rest.clusters import CLUSTER
from watchword.rest.formats import Site, instant, maybe_instant, read_time, whole_seconds
from watchword.rest.withdrawals import TokenCaller, show_callers
from watchword.services.queries import Access, Unit, any_agent_token, find_cluster
from watchword.services.rotating import Standing

AGENT_TOKEN = CLUSTER + "/tokens/{token:str}"
UNCLUSTERED_TOKEN = "/v2/organizations/{org:str}/agent-tokens/{token:str}"  # noqa: S105 - a path

Find = Callable[[Call, Unit, Access], Awaitable[Token]]
Ready = Callable[[Unit, Token], Awaitable[None]]


class Holder(msgspec.Struct, kw_only=True):
    """A live agent that joined with the predecessor."""

    id: str
    url: str
    name: str
    hostname: str
    ip_address: str | None
    version: str
    connected: bool
    last_seen_at: str


class RotationSide(msgspec.Struct, kw_only=True):
    """One of the two tokens of a rotation, and its last use."""

    id: str
    expires_at: str | None
    last_used_at: str | None
    last_used_from: str | None


class Rotation(msgspec.Struct, kw_only=True):
    """A rotation: its state (`open`, `committed` or `aborted`), what ended it, and how far it is.

    `moved` of `total` live holders are on the successor; `holders` are the first hundred that are not.
    Of a Dagster agent token `callers` used the old value within ten minutes; they are what is left.
    """

    state: str
    cause: str | None
    kind: str
    predecessor: RotationSide
    successor: RotationSide
    started_at: str
    deadline: str
    first_used_at: str | None
    ended_at: str | None
    moved: int
    total: int
    holders: list[Holder]
    callers: list[TokenCaller]


class StartedRotation(Rotation, kw_only=True):
    """A fresh rotation with the successor's value, which is shown this once."""

    token: str


class NewRotation(Body):
    """When a rotation commits at the latest: 10 minutes to 90 days ahead, 7 days unless set."""

    deadline: str | None = None


class RotationChange(Body):
    """Another deadline of an open rotation; 7 days from now unless set."""

    deadline: str | None = None


def _side(token: Token) -> RotationSide:
    return RotationSide(
        id=token.id, expires_at=whole_seconds(token.expires_at), last_used_at=None, last_used_from=None
    )


def _holder(site: Site, slug: str, agent: fleet.Agent) -> Holder:
    return Holder(
        id=agent.id,
        url=site.rest("organizations", slug, "agents", agent.id),
        name=agent.name,
        hostname=agent.hostname,
        ip_address=agent.address or None,
        version=agent.version,
        connected=agent.state is fleet.AgentState.CONNECTED,
        last_seen_at=instant(agent.seen_at),
    )


def show_rotation(call: Call, access: Access, standing: Standing) -> Rotation:
    """A rotation as JSON; `used` fills in the last uses."""
    rotation, slug = standing.rotation, access.organization.slug
    return Rotation(
        state=rotation.state.value,
        cause=rotation.cause.value or None,
        kind=rotation.kind.value,
        predecessor=_side(standing.predecessor),
        successor=_side(standing.successor),
        started_at=instant(rotation.started_at),
        deadline=instant(rotation.deadline),
        first_used_at=maybe_instant(rotation.first_used_at),
        ended_at=maybe_instant(rotation.ended_at),
        moved=standing.progress.moved,
        total=standing.progress.total,
        holders=[_holder(call.site, slug, agent) for agent in standing.holders],
        callers=show_callers(standing.callers),
    )


def _fill(side: RotationSide, use: Use | None) -> None:
    if use is not None:
        side.last_used_at = instant(use.last_at)
        side.last_used_from = use.address or None


async def _used(call: Call, standing: Standing, shown: Rotation) -> Rotation:
    """Fill in the last uses, which the ledger knows."""
    ledger = call.authority.ledger
    for side, token in ((shown.predecessor, standing.predecessor), (shown.successor, standing.successor)):
        _fill(side, await ledger.last_used(token.organization_id, token.id))
    return shown


async def _standing(call: Call, tx: Unit, access: Access, find: Find) -> Standing:
    token = await find(call, tx, access)
    rotator = call.authority.rotator
    return await rotator.standing_in(tx, await rotator.find_in(tx, token.organization_id, token.id))


async def start(
    call: Call, find: Find, *, defer: bool, ready: Ready | None = None
) -> Response[StartedRotation]:
    """Start a rotation; see `handlers`."""

    async def work(tx: Unit, access: Access) -> StartedRotation:
        token = await find(call, tx, access)
        if ready is not None:
            await ready(tx, token)
        asked = call.decode(NewRotation)
        rotator = call.authority.rotator
        started = await rotator.start_in(
            tx,
            access.caller,
            token,
            by=access.user.id,
            asker=call.presented.id,
            deadline=read_time("Deadline", asked.deadline),
        )
        standing = await rotator.standing_in(tx, started.rotation)
        shown = show_rotation(call, access, standing)
        return StartedRotation(**_fields(shown), token=started.value.reveal())

    return await call.create(work, defer=defer)


def _fields(shown: msgspec.Struct) -> dict[str, Any]:
    return {name: getattr(shown, name) for name in shown.__struct_fields__}


async def progress(call: Call, find: Find, *, defer: bool) -> Rotation:
    """How far a rotation is; see `handlers`."""

    async def work(tx: Unit, access: Access) -> tuple[Standing, Rotation]:
        standing = await _standing(call, tx, access, find)
        return standing, show_rotation(call, access, standing)

    return await _used(call, *await call.read(work, defer=defer))


Change = Callable[[Unit, Access, rotations.Rotation], Awaitable[rotations.Rotation]]


async def _change(call: Call, find: Find, change: Change, *, defer: bool) -> Rotation:
    async def work(tx: Unit, access: Access) -> tuple[Standing, Rotation]:
        token = await find(call, tx, access)
        rotator = call.authority.rotator
        rotation = await rotator.find_in(tx, token.organization_id, token.id)
        standing = await rotator.standing_in(tx, await change(tx, access, rotation))
        return standing, show_rotation(call, access, standing)

    return await _used(call, *await call.write(work, defer=defer))


async def extend(call: Call, find: Find, *, defer: bool) -> Rotation:
    """Set another deadline; see `handlers`."""

    async def change(tx: Unit, access: Access, rotation: rotations.Rotation) -> rotations.Rotation:
        until = read_time("Deadline", call.decode(RotationChange).deadline)
        return await call.authority.rotator.extend_in(tx, access.caller, rotation, until)

    return await _change(call, find, change, defer=defer)


async def finish(call: Call, find: Find, *, defer: bool) -> Rotation:
    """Commit now; see `handlers`."""

    async def change(tx: Unit, access: Access, rotation: rotations.Rotation) -> rotations.Rotation:
        return await call.authority.rotator.finish_in(tx, access.caller, rotation, access.user.id)

    return await _change(call, find, change, defer=defer)


async def abort(call: Call, find: Find, *, defer: bool) -> None:
    """Revoke the successor; see `handlers`."""

    async def change(tx: Unit, access: Access, rotation: rotations.Rotation) -> rotations.Rotation:
        return await call.authority.rotator.abort_in(tx, access.caller, rotation, access.user.id)

    await _change(call, find, change, defer=defer)


def handlers(
    token: str,
    what: str,
    read: str,
    rotate: str,
    find: Find,
    *,
    defer: bool = False,
    ready: Ready | None = None,
) -> tuple[HTTPRouteHandler, ...]:
    """The handlers of rotations of one kind of token.

    Args:
        token: path of the token.
        what: what people call the token, with its article.
        read: operation that shows the token.
        rotate: operation that rotates it.
        find: finds the token of the path, and refuses what the caller may not see.
        defer: whether `find` itself requires the operation's right.
        ready: refuses a token that may not be rotated now, beyond what holds for every kind.
    """
    path = token + "/rotation"

    @post(path, opt=needs(rotate, body=NewRotation, keyed=True), summary=f"Rotate {what}")
    async def start_rotation(request: RestRequest) -> Response[StartedRotation]:
        """Start a rotation: the answer alone carries the successor's value.

        The same caller who repeats it within five minutes gets the same answer.
        """
        return await start(await Call.with_body(request), find, defer=defer, ready=ready)

    @get(path, opt=needs(read), summary=f"Get the rotation of {what}")
    async def get_rotation(request: RestRequest) -> Rotation:
        """How far a rotation is, and who still holds the old value; either token's id will do."""
        return await progress(Call.of(request), find, defer=defer)

    @route(
        path,
        http_method=["PUT", "PATCH"],
        status_code=200,
        opt=needs(rotate, body=RotationChange),
        summary=f"Extend the rotation of {what}",
    )
    async def extend_rotation(request: RestRequest) -> Rotation:
        """Set another deadline of an open rotation."""
        return await extend(await Call.with_body(request), find, defer=defer)

    @post(
        f"{path}/finish",
        status_code=200,
        opt=needs(rotate),
        summary=f"Finish the rotation of {what}",
    )
    async def finish_rotation(request: RestRequest) -> Rotation:
        """Commit now, whoever still holds the old value; connected agents stay connected."""
        return await finish(Call.of(request), find, defer=defer)

    @delete(path, opt=needs(rotate), summary=f"Abort the rotation of {what}")
    async def abort_rotation(request: RestRequest) -> None:
        """Revoke the successor; the old value goes on. Refused once the rotation is committed."""
        await abort(Call.of(request), find, defer=defer)

    return start_rotation, get_rotation, extend_rotation, finish_rotation, abort_rotation


async def _find_clustered(call: Call, tx: Unit, access: Access) -> Token:
    cluster = await find_cluster(tx, access.id, call.path("cluster"))
    return await any_agent_token(tx, access.id, cluster, call.path("token"))


async def _find_unclustered(call: Call, tx: Unit, access: Access) -> Token:
    return await any_agent_token(tx, access.id, None, call.path("token"))


HANDLERS = (
    *handlers(AGENT_TOKEN, "an agent token", "agent_token.read", "agent_token.rotate", _find_clustered),
    *handlers(
        UNCLUSTERED_TOKEN,
        "an unclustered agent token",
        "unclustered_agent_token.read",
        "unclustered_agent_token.rotate",
        _find_unclustered,
    ),
)
