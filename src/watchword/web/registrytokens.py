"""Registry tokens: made, described, revealed, rotated, revoked; each value stands in one answer."""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import get, post

from watchword.crypto.values import Secret
from watchword.domain.errors import Invalid, NotFound, WatchwordError
from watchword.domain.ids import TokenId
from watchword.domain.kinds import Kind
from watchword.domain.lifecycle import BlastRadius
from watchword.domain.registries import Registry
from watchword.domain.rotations import Rotation
from watchword.domain.tokens import DAY_US, State, Token
from watchword.services.narrowing import narrow
from watchword.services.queries import Access, Unit
from watchword.services.registries import find_registry
from watchword.services.registrytokens import (
    RegistryTokenRow,
    create_registry_token,
    describe_registry_token,
    find_registry_token,
    shown_tokens,
)
from watchword.services.revealing import reveal
from watchword.services.rotating import Standing
from watchword.services.withdrawing import Withdrawn
from watchword.web.forms import Form, Problem
from watchword.web.needs import page
from watchword.web.once import ONCE_FIELD, first_time, fresh_once, mint_once
from watchword.web.registries import REGISTRY, at, found, show_page
from watchword.web.rendering import segment
from watchword.web.visit import Page, Visit, WebRequest
from watchword.web.withdrawal import read_withdrawal

TOKENS = REGISTRY + "/tokens"
TOKEN = TOKENS + "/{token:str}"
DAYS = (("1", "1 day"), ("7", "7 days"), ("30", "30 days"), ("90", "90 days"))
_UNSAID = "revoked on the console"
_REASON = "Reveal token, on the console"
Step = Callable[[Unit, Access, Rotation], Awaitable[Rotation]]


def _path(visit: Visit) -> str:
    return f"{at(visit)}/tokens/{segment(visit.path('token'))}"


async def _find(tx: Unit, access: Access, visit: Visit) -> Token:
    registry = await find_registry(tx, access, visit.path("registry"))
    return await find_registry_token(tx, registry, visit.path("token"))


async def _found(visit: Visit) -> Token:
    async def work(tx: Unit, access: Access) -> Token:
        return await _find(tx, access, visit)

    return await visit.read(work)


def _kept(visit: Visit) -> bool:
    """Whether a fresh value can be revealed later."""
    return visit.access is not None and Kind.REGISTRY.value in visit.access.policy.revealable


@post(TOKENS, opt=page("registry_token.create", fresh=True), status_code=200)
async def create_token(request: WebRequest) -> Page:
    """Make a token that reads the registry's packages; its value stands in this one answer."""
    visit = Visit.of(request)
    registry = await found(visit)

    async def work(tx: Unit, access: Access) -> tuple[TokenId, Secret]:
        known = await find_registry(tx, access, visit.path("registry"))
        limits = narrow(visit.form.text("allowed_ip_addresses"), "", ())
        description = visit.form.text("description")
        issued = await create_registry_token(visit.context, tx, access, known, description, limits)
        return issued.token.id, issued.value

    try:
        minted = await mint_once(visit, registry.organization_id, visit.unit(work))
    except WatchwordError as error:
        return await show_page(visit, error)
    if minted.value is None:
        return visit.go(at(visit))
    told = "later" if _kept(visit) else "once"
    return await show_page(
        visit, value=minted.value.reveal(), value_of=visit.form.text("description"), told=told
    )


async def _show(visit: Visit, *errors: WatchwordError, **shown: Any) -> Page:  # noqa: ANN401
    async def work(
        tx: Unit, access: Access
    ) -> tuple[Registry, RegistryTokenRow, BlastRadius, Standing | None]:
        registry = await find_registry(tx, access, visit.path("registry"))
        token = await find_registry_token(tx, registry, visit.path("token"))
        (row,) = await shown_tokens(tx, visit.authority.ledger, [token])
        rotator = visit.authority.rotator
        try:
            rotation = await rotator.find_in(tx, access.id, token.id)
            standing = await rotator.standing_in(tx, rotation)
        except NotFound:
            standing = None
        return registry, row, await visit.authority.blast.radius_in(tx, token), standing

    registry, row, radius, standing = await visit.read(work)
    return visit.show(
        "registries/token.html",
        status=next((error.status for error in errors), 200),
        problems=[Problem.of(error) for error in errors],
        registry=registry,
        row=row,
        token=row.token,
        radius=radius,
        standing=standing,
        days=DAYS,
        once=fresh_once(),
        revealable=_kept(visit),
        live=row.token.state_at(visit.now) is State.ACTIVE,
        **{"value": "", "told": ""} | shown,
    )


@get(TOKEN, opt=page("registry_token.read"))
async def show_token(request: WebRequest) -> Page:
    """One token: who uses it, its rotation, its end."""
    return await _show(Visit.of(request))


@post(TOKEN + "/description", opt=page("registry_token.update"), status_code=200)
async def describe_token(request: WebRequest) -> Page:
    """Change the description."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        token = await _find(tx, access, visit)
        await describe_registry_token(visit.context, tx, access, token, visit.form.text("description"))

    try:
        await visit.write(work)
    except NotFound:
        raise
    except WatchwordError as error:
        return await _show(visit, error)
    return visit.go(_path(visit), done="registry-token-described")


@post(TOKEN + "/reveal", opt=page("registry_token.reveal", fresh=True), status_code=200)
async def reveal_token(request: WebRequest) -> Page:
    """Show the value in this one answer; the trail has it first."""
    visit = Visit.of(request)
    token = await _found(visit)
    if not await first_time(visit, token.organization_id):
        return visit.go(_path(visit))
    try:
        _, value = await reveal(
            visit.context, visit.caller, visit.signed_in, token.organization_id, token.id, _REASON
        )
    except WatchwordError as error:
        return await _show(visit, error)
    return await _show(visit, value=value.reveal(), told="later")


@post(TOKEN + "/revoke", opt=page("registry_token.revoke", fresh=True), status_code=200)
async def revoke_token(request: WebRequest) -> Page:
    """Revoke a token, for good."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> Withdrawn:
        token = await _find(tx, access, visit)
        if not visit.form.ticked("sure"):
            raise Invalid("Tick the box that you know what stops.", code="not_confirmed")
        asked = read_withdrawal(Form([("reason", visit.form.text("reason"))]), reason=_UNSAID)
        return await visit.authority.revoker.revoke_in(tx, access.caller, token, access.user.id, asked)

    try:
        made = await visit.write(work)
    except NotFound:
        raise
    except WatchwordError as error:
        return await _show(visit, error)
    visit.authority.revoker.settle(made)
    await visit.authority.revoker.confirm(made.revocation.organization_id, made.revocation.id)
    return visit.go(at(visit), done="registry-token-revoked")


@post(TOKEN + "/rotate", opt=page("registry_token.rotate", fresh=True), status_code=200)
async def start_rotation(request: WebRequest) -> Page:
    """Make the second value, shown in this one answer; both work for now."""
    visit = Visit.of(request)
    days = visit.form.text("days", "7")

    async def work(tx: Unit, access: Access) -> tuple[TokenId, Secret]:
        token = await _find(tx, access, visit)
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

    token = await _found(visit)
    try:
        minted = await mint_once(visit, token.organization_id, visit.unit(work))
    except WatchwordError as error:
        return await _show(visit, error)
    if minted.value is None:
        return visit.go(_path(visit))
    return await _show(visit, value=minted.value.reveal(), told="later" if _kept(visit) else "once")


async def _step(visit: Visit, step: Step, done: str) -> Page:
    async def work(tx: Unit, access: Access) -> Rotation:
        token = await _find(tx, access, visit)
        return await step(tx, access, await visit.authority.rotator.find_in(tx, access.id, token.id))

    try:
        await visit.write(work)
    except NotFound:
        raise
    except WatchwordError as error:
        return await _show(visit, error)
    return visit.go(_path(visit), done=done)


@post(TOKEN + "/rotate/finish", opt=page("registry_token.rotate", fresh=True), status_code=200)
async def finish_rotation(request: WebRequest) -> Page:
    """Retire the first value now."""
    visit = Visit.of(request)

    async def step(tx: Unit, access: Access, rotation: Rotation) -> Rotation:
        return await visit.authority.rotator.finish_in(tx, access.caller, rotation, access.user.id)

    return await _step(visit, step, "rotation-finished")


@post(TOKEN + "/rotate/abort", opt=page("registry_token.rotate", fresh=True), status_code=200)
async def abort_rotation(request: WebRequest) -> Page:
    """Revoke the second value; the first goes on."""
    visit = Visit.of(request)

    async def step(tx: Unit, access: Access, rotation: Rotation) -> Rotation:
        return await visit.authority.rotator.abort_in(tx, access.caller, rotation, access.user.id)

    return await _step(visit, step, "rotation-aborted")


HANDLERS = (
    create_token,
    show_token,
    describe_token,
    reveal_token,
    revoke_token,
    start_rotation,
    finish_rotation,
    abort_rotation,
)
