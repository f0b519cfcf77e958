"""Rotating a Dagster agent token: a second value with the same permissions, until nobody uses the first."""

from collections.abc import Awaitable, Callable

from litestar import get, post

from watchword.crypto.values import Secret
from watchword.domain.errors import Invalid, NotFound, WatchwordError
from watchword.domain.ids import TokenId
from watchword.domain.kinds import Kind
from watchword.domain.rotations import Rotation
from watchword.domain.tokens import DAY_US, State, Token
from watchword.services.access import Access
from watchword.services.dagstercare import find_agent_token_in
from watchword.services.queries import Unit
from watchword.services.rotating import Standing
from watchword.web.dagstertokens import AGENT_TOKEN, base, find_agent_token
from watchword.web.forms import Problem
from watchword.web.needs import page
from watchword.web.once import ONCE_FIELD, fresh_once, mint_once
from watchword.web.visit import Page, Visit, WebRequest

ROTATION = AGENT_TOKEN + "/rotate"
DAYS = (("1", "1 day"), ("7", "7 days"), ("30", "30 days"), ("90", "90 days"))
Step = Callable[[Unit, Access, Rotation], Awaitable[Rotation]]


async def _page(visit: Visit, *errors: WatchwordError, value: Secret | None = None, told: str = "") -> Page:
    async def work(tx: Unit, access: Access) -> tuple[Token, Standing | None]:
        token = await find_agent_token_in(tx, access, visit.path("token"))
        rotator = visit.authority.rotator
        try:
            return token, await rotator.standing_in(tx, await rotator.find_in(tx, access.id, token.id))
        except NotFound:
            return token, None

    token, standing = await visit.read(work)
    return visit.show(
        "dagster/rotate.html",
        status=next((error.status for error in errors), 200),
        problems=[
            Problem.of(error, "days") if error.code == "invalid_deadline" else Problem.of(error)
            for error in errors
        ],
        token=token,
        standing=standing,
        days=DAYS,
        once=fresh_once(),
        value=value.reveal() if value is not None else "",
        told=told,
        live=token.state_at(visit.now) is State.ACTIVE,
    )


@get(ROTATION, opt=page("dagster_agent_token.rotate"))
async def show_rotation(request: WebRequest) -> Page:
    """How far it is, or the form that starts one."""
    return await _page(Visit.of(request))


@post(ROTATION, opt=page("dagster_agent_token.rotate", fresh=True), status_code=200)
async def start_rotation(request: WebRequest) -> Page:
    """Make the second value; both work for now. Where it can be revealed later it is not shown here."""
    visit = Visit.of(request)
    days = visit.form.text("days", "7")

    async def work(tx: Unit, access: Access) -> tuple[TokenId, Secret]:
        token = await find_agent_token_in(tx, access, visit.path("token"))
        if days not in dict(DAYS):
            raise Invalid("Choose how long both values are to work.", code="invalid_deadline")
        started = await visit.authority.rotator.start_in(
            tx,
            access.caller,
            token,
            by=access.user.id,
            asker=f"form:{visit.form.raw(ONCE_FIELD)}",
            deadline=visit.now + int(days) * DAY_US,
        )
        return started.successor.id, started.value

    try:
        token = await find_agent_token(visit)
        minted = await mint_once(visit, token.organization_id, visit.unit(work))
    except NotFound:
        raise
    except WatchwordError as error:
        return await _page(visit, error)
    kept = visit.access is not None and Kind.DAGSTER_AGENT.value in visit.access.policy.revealable
    if kept or minted.value is None:
        return visit.go(f"{base(visit)}/tokens/agent/{visit.path('token')}/rotate", done="rotation-started")
    return await _page(visit, value=minted.value, told="once")


async def _step(visit: Visit, step: Step, done: str) -> Page:
    async def work(tx: Unit, access: Access) -> Rotation:
        token = await find_agent_token_in(tx, access, visit.path("token"))
        return await step(tx, access, await visit.authority.rotator.find_in(tx, access.id, token.id))

    try:
        await visit.write(work)
    except NotFound:
        raise
    except WatchwordError as error:
        return await _page(visit, error)
    return visit.go(f"{base(visit)}/tokens/agent/{visit.path('token')}/rotate", done=done)


@post(ROTATION + "/finish", opt=page("dagster_agent_token.rotate", fresh=True), status_code=200)
async def finish_rotation(request: WebRequest) -> Page:
    """Retire the first value now."""
    visit = Visit.of(request)

    async def step(tx: Unit, access: Access, rotation: Rotation) -> Rotation:
        rotator = visit.authority.rotator
        left = (await rotator.standing_in(tx, rotation)).progress.left
        if rotation.open and left and not visit.form.ticked("sure"):
            raise Invalid("The old value is still in use: tick the box that you know.", code="not_confirmed")
        return await rotator.finish_in(tx, access.caller, rotation, access.user.id)

    return await _step(visit, step, "rotation-finished")


@post(ROTATION + "/abort", opt=page("dagster_agent_token.rotate", fresh=True), status_code=200)
async def abort_rotation(request: WebRequest) -> Page:
    """Revoke the second value; the first goes on."""
    visit = Visit.of(request)

    async def step(tx: Unit, access: Access, rotation: Rotation) -> Rotation:
        return await visit.authority.rotator.abort_in(tx, access.caller, rotation, access.user.id)

    return await _step(visit, step, "rotation-aborted")


HANDLERS = (show_rotation, start_rotation, finish_rotation, abort_rotation)
