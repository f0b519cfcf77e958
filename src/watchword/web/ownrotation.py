"""Rotating one's own API access token: two values for a while, the new one shown once."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from litestar import get, post

from watchword.crypto.values import Secret
from watchword.domain.errors import Invalid, NotFound, WatchwordError
from watchword.domain.ids import TokenId
from watchword.domain.rotations import Rotation, RotationState
from watchword.domain.tokens import DAY_US
from watchword.services.access import Access
from watchword.services.apitokens import require_rotation
from watchword.services.owntokens import Own, enter_with, find_own
from watchword.services.queries import Unit
from watchword.services.rotating import Standing
from watchword.web.apitokenrows import badges
from watchword.web.needs import PERSONAL, page
from watchword.web.newapitoken import OWN_TOKEN, OWN_TOKENS, show_value
from watchword.web.once import ONCE_FIELD, fresh_once, mint_once
from watchword.web.visit import Page, Visit, WebRequest

ROTATION = OWN_TOKEN + "/rotation"
DAYS = (("1", "1 day"), ("7", "7 days"), ("30", "30 days"), ("90", "90 days"))
_USUAL = "7"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two values; None where it reaches nothing of the person's any more."""

    old: Own | None
    new: Own | None


async def _own(tx: Unit, visit: Visit, token_id: str = "") -> Own:
    return await find_own(tx, visit.authority.ledger, visit.user, token_id or visit.path("token"))


async def _maybe_own(tx: Unit, visit: Visit, token_id: str) -> Own | None:
    try:
        return await _own(tx, visit, token_id)
    except NotFound:
        return None


async def _standing(tx: Unit, visit: Visit, own: Own) -> Standing | None:
    rotator = visit.authority.rotator
    try:
        rotation = await rotator.find_in(tx, own.token.organization_id, own.token.id)
    except NotFound:
        return None
    return await rotator.standing_in(tx, rotation)


@get(ROTATION, opt=page(PERSONAL))
async def show_rotation(request: WebRequest) -> Page:
    """How far a rotation is, old value beside new; or the form that starts one."""
    return await _page(Visit.of(request))


async def _page(visit: Visit, error: WatchwordError | None = None) -> Page:
    async def work(tx: Unit) -> tuple[Own, Standing | None, Side]:
        own = await _own(tx, visit)
        standing = await _standing(tx, visit, own)
        if standing is None:
            return own, None, Side(None, None)
        old = await _maybe_own(tx, visit, standing.predecessor.id)
        return own, standing, Side(old, await _maybe_own(tx, visit, standing.successor.id))

    own, standing, sides = await visit.context.store.read(work)
    # A successor whose rotation is over may be rotated again.
    over = standing is not None and not standing.rotation.open and standing.successor.id == own.token.id
    values: dict[str, Any] = {
        "own": own,
        "standing": standing if not over else None,
        "sides": sides,
        "days": DAYS,
        "once": fresh_once(),
        "badges": badges(visit),
    }
    if error is not None:
        return visit.show_again("apitokens/rotation.html", error, **values)
    return visit.show("apitokens/rotation.html", **values)


def _deadline(visit: Visit) -> int:
    """When the rotation is to commit at the latest.

    Raises:
        Invalid: it is none of the choices.
    """
    days = visit.form.text("days", _USUAL)
    if days not in dict(DAYS):
        raise Invalid("Choose how long both values are to work.", code="invalid_deadline")
    return visit.now + int(days) * DAY_US


@post(ROTATION, opt=page(PERSONAL, fresh=True), status_code=200)
async def start_rotation(request: WebRequest) -> Page:
    """Make the new value and show it, in this one answer; the old one goes on for now."""
    visit = Visit.of(request)
    own = await visit.context.store.read(lambda tx: _own(tx, visit))

    async def work(tx: Unit) -> tuple[TokenId, Secret]:
        current = await _own(tx, visit)
        access = await enter_with(tx, visit.user, visit.caller, current)
        access.require("api_token.rotate")
        await require_rotation(tx, access, current.token)
        started = await visit.authority.rotator.start_in(
            tx,
            access.caller,
            current.token,
            by=visit.user.id,
            # Never the same twice: a repeated form is known by `mint_once`, which shows no value again.
            asker=f"form:{visit.form.raw(ONCE_FIELD)}",
            deadline=_deadline(visit),
        )
        return started.successor.id, started.value

    try:
        minted = await mint_once(visit, own.token.organization_id, work)
    except WatchwordError as error:
        return await _page(visit, error)
    return await show_value(visit, minted)


Change = Callable[[Unit, Access, Rotation], Awaitable[Rotation]]


async def _change(visit: Visit, change: Change, done: str) -> Page:
    """Change a rotation; where that ends it, go on to the token that remains."""

    async def work(tx: Unit) -> Rotation:
        own = await _own(tx, visit)
        access = await enter_with(tx, visit.user, visit.caller, own)
        access.require("api_token.rotate")
        rotation = await visit.authority.rotator.find_in(tx, own.token.organization_id, own.token.id)
        return await change(tx, access, rotation)

    try:
        changed = await visit.context.store.write(work)
    except WatchwordError as error:
        return await _page(visit, error)
    if changed.open:
        return visit.go(f"{OWN_TOKENS}/{visit.path('token')}/rotation", done=done)
    committed = changed.state is RotationState.COMMITTED
    return visit.go(
        f"{OWN_TOKENS}/{changed.successor_id if committed else changed.predecessor_id}", done=done
    )


@post(ROTATION + "/extend", opt=page(PERSONAL), status_code=200)
async def extend_rotation(request: WebRequest) -> Page:
    """Let both values work for longer, or for less long."""
    visit = Visit.of(request)

    async def change(tx: Unit, access: Access, rotation: Rotation) -> Rotation:
        return await visit.authority.rotator.extend_in(tx, access.caller, rotation, _deadline(visit))

    return await _change(visit, change, "rotation-extended")


@post(ROTATION + "/finish", opt=page(PERSONAL, fresh=True), status_code=200)
async def finish_rotation(request: WebRequest) -> Page:
    """End the old value now."""
    visit = Visit.of(request)

    async def change(tx: Unit, access: Access, rotation: Rotation) -> Rotation:
        return await visit.authority.rotator.finish_in(tx, access.caller, rotation, access.user.id)

    return await _change(visit, change, "rotation-finished")


@post(ROTATION + "/abort", opt=page(PERSONAL, fresh=True), status_code=200)
async def abort_rotation(request: WebRequest) -> Page:
    """Revoke the new value; the old one goes on."""
    visit = Visit.of(request)

    async def change(tx: Unit, access: Access, rotation: Rotation) -> Rotation:
        return await visit.authority.rotator.abort_in(tx, access.caller, rotation, access.user.id)

    return await _change(visit, change, "rotation-aborted")


HANDLERS = (show_rotation, start_rotation, extend_rotation, finish_rotation, abort_rotation)
