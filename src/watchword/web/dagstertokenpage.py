"""One token of Dagster+: the permissions of an agent token, what a person's may do, and their end."""

from typing import Any

from litestar import get, post

from watchword.domain.dagsterroles import DagsterRole
from watchword.domain.deployments import Deployment, DeploymentKind, Permitted
from watchword.domain.errors import Invalid, WatchwordError
from watchword.domain.ids import UserId
from watchword.domain.kinds import Kind
from watchword.domain.lifecycle import BlastRadius
from watchword.domain.tokens import DAY_US, State, Token
from watchword.services.access import Access
from watchword.services.dagstercare import (
    Ability,
    KeptToken,
    abilities_in,
    deployments_in,
    find_agent_token_in,
    find_user_token_in,
    kept_in,
    set_permissions_in,
)
from watchword.services.queries import Unit
from watchword.services.tokenuse import Usage, usage_of
from watchword.services.withdrawing import Withdrawn
from watchword.web.dagstertokens import AGENT_TOKEN, USER_TOKEN, base
from watchword.web.forms import Form
from watchword.web.needs import page
from watchword.web.visit import Page, Visit, WebRequest
from watchword.web.withdrawal import read_withdrawal

USED_DAYS = 30
_UNSAID = "revoked on the console"


# -- permissions of an agent token ---------------------------------------------------------------


async def _permissions(visit: Visit, *errors: WatchwordError) -> Page:
    async def work(tx: Unit, access: Access) -> tuple[KeptToken, list[Deployment], BlastRadius]:
        token = await find_agent_token_in(tx, access, visit.path("token"))
        (kept,) = await kept_in(tx, visit.authority.ledger, access, [token])
        radius = await visit.authority.blast.radius_in(tx, token)
        return kept, await deployments_in(tx, access, DeploymentKind.FULL), radius

    kept, places, radius = await visit.read(work)
    values: dict[str, Any] = {
        "kept": kept,
        "token": kept.token,
        "permitted": kept.permitted or Permitted(),
        "places": places,
        "radius": radius,
        "live": kept.token.state_at(visit.now) is State.ACTIVE,
    }
    if errors:
        return visit.show_again("dagster/agent_token.html", *errors, **values)
    return visit.show("dagster/agent_token.html", **values)


@get(AGENT_TOKEN, opt=page("dagster_agent_token.read"))
async def show_agent_token(request: WebRequest) -> Page:
    """Edit: which deployments the token may serve; its end is at the bottom left."""
    return await _permissions(Visit.of(request))


def wanted(form: Form, now: Permitted) -> Permitted:
    """What the form gives: single permissions are there only while Org Agent is off."""
    if form.ticked("org_agent"):
        return Permitted(True, now.branches, now.deployments)
    if not form.ticked("listed"):  # they could not be edited: it was on when the form was made
        return Permitted(False, now.branches, now.deployments)
    return Permitted(False, form.ticked("branches"), frozenset(form.texts("deployment")))


@post(AGENT_TOKEN, opt=page("dagster_agent_token.update", fresh=True), status_code=200)
async def change_permissions(request: WebRequest) -> Page:
    """Change the permissions; an agent has them at its next call."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        token = await find_agent_token_in(tx, access, visit.path("token"))
        now = Permitted.of(await tx.deployments.grants(access.id, token.id))
        await set_permissions_in(visit.context, tx, access, token, wanted(visit.form, now))

    try:
        await visit.write(work)
    except WatchwordError as error:
        return await _permissions(visit, error)
    return visit.go(f"{base(visit)}/tokens/agent/{visit.path('token')}", done="dagster-permissions-changed")


# -- a person's token ----------------------------------------------------------------------------


@get(USER_TOKEN, opt=page("dagster_user_token.list"))
async def show_user_token(request: WebRequest) -> Page:
    """What a person's token may do right now, and who used it."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> tuple[KeptToken, list[Ability], list[Usage], bool]:
        token = await find_user_token_in(tx, access, visit.path("token"))
        (kept,) = await kept_in(tx, visit.authority.ledger, access, [token])
        usage = await usage_of(tx, visit.authority.ledger, token, visit.now - USED_DAYS * DAY_US)
        can = await abilities_in(tx, access, token.user_id or UserId(""))
        return kept, can, usage, token.user_id == access.user.id

    kept, can, usage, own = await visit.read(work)
    return visit.show(
        "dagster/user_token.html",
        kept=kept,
        token=kept.token,
        can=can,
        usage=usage,
        days=USED_DAYS,
        own=own,
        live=kept.token.state_at(visit.now) is State.ACTIVE,
        organization_admin=DagsterRole.ORGANIZATION_ADMIN,
    )


# -- the end -------------------------------------------------------------------------------------


async def _ending(visit: Visit, kind: Kind, *errors: WatchwordError) -> Page:
    async def work(tx: Unit, access: Access) -> tuple[KeptToken, BlastRadius]:
        token = await _find(tx, access, visit, kind)
        (kept,) = await kept_in(tx, visit.authority.ledger, access, [token])
        return kept, await visit.authority.blast.radius_in(tx, token)

    kept, radius = await visit.read(work)
    attention = visit.authority.attention
    token_id = kept.token.id
    values: dict[str, Any] = {
        "kept": kept,
        "token": kept.token,
        "radius": radius,
        "agent": kind is Kind.DAGSTER_AGENT,
        "agents": visit.authority.dagster_fleet.holders(kept.token.organization_id, token_id),
        "rotation": attention.predecessors.get(token_id) or attention.successors.get(token_id),
        "live": kept.token.state is State.ACTIVE,
    }
    if errors:
        return visit.show_again("dagster/revoke.html", *errors, **values)
    return visit.show("dagster/revoke.html", **values)


async def _find(tx: Unit, access: Access, visit: Visit, kind: Kind) -> Token:
    find = find_agent_token_in if kind is Kind.DAGSTER_AGENT else find_user_token_in
    return await find(tx, access, visit.path("token"))


async def _revoke(visit: Visit, kind: Kind) -> Page:
    async def work(tx: Unit, access: Access) -> tuple[Token, Withdrawn]:
        token = await _find(tx, access, visit, kind)
        if not visit.form.ticked("sure"):
            raise Invalid("Tick the box that you know what stops.", code="not_confirmed")
        asked = read_withdrawal(Form([("reason", visit.form.text("reason"))]), reason=_UNSAID)
        revoker, by = visit.authority.revoker, access.user.id
        return token, await revoker.revoke_in(tx, access.caller, token, by, asked)

    try:
        token, made = await visit.write(work)
    except WatchwordError as error:
        return await _ending(visit, kind, error)
    visit.authority.revoker.settle(made)
    await visit.authority.revoker.confirm(made.revocation.organization_id, made.revocation.id)
    to = f"{base(visit)}/tokens"
    if kind is Kind.DAGSTER_USER:
        to += "/user" if token.user_id == visit.user.id else f"/user?user={token.user_id}"
    return visit.go(to, done="dagster-token-revoked")


@get(AGENT_TOKEN + "/revoke", opt=page("dagster_agent_token.revoke"))
async def ask_to_revoke_agent_token(request: WebRequest) -> Page:
    """What stops with the token."""
    return await _ending(Visit.of(request), Kind.DAGSTER_AGENT)


@post(AGENT_TOKEN + "/revoke", opt=page("dagster_agent_token.revoke", fresh=True), status_code=200)
async def revoke_agent_token(request: WebRequest) -> Page:
    """Revoke an agent token, for good."""
    return await _revoke(Visit.of(request), Kind.DAGSTER_AGENT)


@get(USER_TOKEN + "/revoke", opt=page("dagster_user_token.revoke"))
async def ask_to_revoke_user_token(request: WebRequest) -> Page:
    """What stops with the token."""
    return await _ending(Visit.of(request), Kind.DAGSTER_USER)


@post(USER_TOKEN + "/revoke", opt=page("dagster_user_token.revoke", fresh=True), status_code=200)
async def revoke_user_token(request: WebRequest) -> Page:
    """Revoke one's own token, or as an administrator somebody else's, for good."""
    return await _revoke(Visit.of(request), Kind.DAGSTER_USER)


HANDLERS = (
    show_agent_token,
    change_permissions,
    show_user_token,
    ask_to_revoke_agent_token,
    revoke_agent_token,
    ask_to_revoke_user_token,
    revoke_user_token,
)
