"""Rotating an agent token: old and new side by side, and how many agents have moved."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from litestar import get, post
from litestar.handlers import HTTPRouteHandler

from watchword.crypto.values import Secret
from watchword.domain.accounts import Cluster
from watchword.domain.errors import Invalid, NotFound, WatchwordError
from watchword.domain.ids import TokenId
from watchword.domain.rotations import Rotation
from watchword.domain.tokens import DAY_US, Token
from watchword.domain.use import Use
from watchword.services.access import Access
from watchword.services.queries import Unit
from watchword.services.rotating import Standing
from watchword.web.agenttokenpage import find
from watchword.web.forms import Problem
from watchword.web.needs import page
from watchword.web.newagenttokens import shown_before
from watchword.web.once import ONCE_FIELD, fresh_once, mint_once
from watchword.web.rendering import plural
from watchword.web.shownvalue import value_of
from watchword.web.tokenplace import PLACES, Place
from watchword.web.visit import Page, Visit, WebRequest

DAYS = (("1", "1 day"), ("7", "7 days"), ("30", "30 days"), ("90", "90 days"))
_USUAL = "7"
Step = Callable[[Unit, Access, Rotation], Awaitable[Rotation]]


@dataclass(frozen=True, slots=True)
class Ground:
    """What the page stands on.

    Attributes:
        standing: the open rotation that the token is part of, else the latest; None where there was none.
        uses: the latest use of the token and of the one on the other side.
    """

    cluster: Cluster | None
    token: Token
    standing: Standing | None
    uses: dict[TokenId, Use]

    @property
    def open(self) -> bool:
        """Whether both values work."""
        return self.standing is not None and self.standing.rotation.open


async def _ground(visit: Visit, place: Place) -> Ground:
    async def work(tx: Unit, access: Access) -> Ground:
        cluster, token = await place.find(tx, access.id, visit)
        rotator, standing = visit.authority.rotator, None
        sides = [token]
        try:
            standing = await rotator.standing_in(tx, await rotator.find_in(tx, access.id, token.id))
            sides += [standing.predecessor, standing.successor]
        except NotFound:
            pass
        holders = [(access.id, side.id) for side in sides]
        uses = await visit.authority.ledger.last_uses_in(tx, holders)
        return Ground(cluster, token, standing, {token_id: use for (_, token_id), use in uses.items()})

    return await visit.read(work)


def _values(visit: Visit, place: Place, ground: Ground) -> dict[str, Any]:
    return {
        "place": place,
        "tokens_at": place.at(visit),
        "token_at": place.of(visit),
        "cluster": ground.cluster,
        "token": ground.token,
        "ground": ground,
        "standing": ground.standing,
        "days": DAYS,
        "once": fresh_once(),
    }


async def show(visit: Visit, place: Place, *errors: WatchwordError) -> Page:
    """How far the rotation is, or the form that starts one."""
    values = _values(visit, place, await _ground(visit, place))
    if errors:
        return visit.show_again("agent_tokens/rotate.html", *map(_tied, errors), **values)
    return visit.show("agent_tokens/rotate.html", **values)


def _tied(error: WatchwordError) -> WatchwordError | Problem:
    """An error of these forms with its field, which other forms call otherwise."""
    return Problem.of(error, "days") if error.code == "invalid_deadline" else error


def _deadline(visit: Visit) -> int:
    """When the rotation is to commit at the latest.

    Raises:
        Invalid: it is none of the choices.
    """
    days = visit.form.text("days", _USUAL)
    if days not in dict(DAYS):
        raise Invalid("Choose how long both values are to work.", code="invalid_deadline")
    return visit.now + int(days) * DAY_US


async def start(visit: Visit, place: Place) -> Page:
    """Make the new value and show it, in this one answer; the old one goes on for now."""
    made: list[Token] = []

    async def work(tx: Unit, access: Access) -> tuple[TokenId, Secret]:
        _, token = await place.find(tx, access.id, visit)
        started = await visit.authority.rotator.start_in(
            tx,
            access.caller,
            token,
            by=access.user.id,
            # Never the same twice: a repeated form is known by `mint_once`, which shows no value again.
            asker=f"form:{visit.form.raw(ONCE_FIELD)}",
            deadline=_deadline(visit),
        )
        made[:] = [started.successor]
        return started.successor.id, started.value

    try:
        owner = (await find(visit, place)).token.organization_id
        minted = await mint_once(visit, owner, visit.unit(work))
    except WatchwordError as error:
        return await show(visit, place, error)
    if minted.value is None:
        return await shown_before(visit, place, minted.token_id)
    ground = await _ground(visit, place)
    return visit.show(
        "agent_tokens/rotating.html",
        **{**_values(visit, place, ground), **value_of(visit, made[0], minted.value)},
        successor=made[0],
    )


async def _step(visit: Visit, place: Place, step: Step, done: str) -> Page:
    """Change a rotation, and show how it stands then."""

    async def work(tx: Unit, access: Access) -> Rotation:
        _, token = await place.find(tx, access.id, visit)
        return await step(tx, access, await visit.authority.rotator.find_in(tx, access.id, token.id))

    try:
        await visit.write(work)
    except WatchwordError as error:
        return await show(visit, place, error)
    return visit.go(f"{place.of(visit)}/rotate", done=done)


async def extend(visit: Visit, place: Place) -> Page:
    """Let both values work for longer, or for less long."""

    async def step(tx: Unit, access: Access, rotation: Rotation) -> Rotation:
        return await visit.authority.rotator.extend_in(tx, access.caller, rotation, _deadline(visit))

    return await _step(visit, place, step, "rotation-extended")


async def finish(visit: Visit, place: Place) -> Page:
    """Retire the old value now."""

    async def step(tx: Unit, access: Access, rotation: Rotation) -> Rotation:
        rotator = visit.authority.rotator
        left = (await rotator.standing_in(tx, rotation)).progress.left
        if rotation.open and left and not visit.form.ticked("sure"):
            raise Invalid(
                f"{plural(left, 'agent')} could not join again: tick the box that you know.",
                code="not_confirmed",
            )
        return await rotator.finish_in(tx, access.caller, rotation, access.user.id)

    return await _step(visit, place, step, "rotation-finished")


async def abort(visit: Visit, place: Place) -> Page:
    """Revoke the new value; the old one goes on."""

    async def step(tx: Unit, access: Access, rotation: Rotation) -> Rotation:
        return await visit.authority.rotator.abort_in(tx, access.caller, rotation, access.user.id)

    return await _step(visit, place, step, "rotation-aborted")


def handlers(place: Place) -> tuple[HTTPRouteHandler, ...]:
    """The pages of one place."""
    path, right = place.token + "/rotate", place.can("rotate")

    @get(path, opt=page(right))
    async def show_rotation(request: WebRequest) -> Page:
        """How far it is, or the form."""
        return await show(Visit.of(request), place)

    @post(path, opt=page(right, fresh=True), status_code=200)
    async def start_rotation(request: WebRequest) -> Page:
        """Make the new value."""
        return await start(Visit.of(request), place)

    @post(path + "/extend", opt=page(right), status_code=200)
    async def extend_rotation(request: WebRequest) -> Page:
        """Set another deadline."""
        return await extend(Visit.of(request), place)

    @post(path + "/finish", opt=page(right, fresh=True), status_code=200)
    async def finish_rotation(request: WebRequest) -> Page:
        """Retire the old value."""
        return await finish(Visit.of(request), place)

    @post(path + "/abort", opt=page(right, fresh=True), status_code=200)
    async def abort_rotation(request: WebRequest) -> Page:
        """Revoke the new value."""
        return await abort(Visit.of(request), place)

    return show_rotation, start_rotation, extend_rotation, finish_rotation, abort_rotation


HANDLERS = tuple(handler for place in PLACES for handler in handlers(place))
