"""Organization Settings → Tokens of Dagster+: agent tokens and people's own; made, described, revealed."""

from typing import Any

from litestar import get, post

from watchword.crypto.values import Secret
from watchword.domain.accounts import Organization, User
from watchword.domain.errors import NotFound, WatchwordError
from watchword.domain.ids import OrganizationId, TokenId, UserId, is_uuid
from watchword.domain.kinds import Kind
from watchword.domain.tokens import Token
from watchword.services.access import Access
from watchword.services.dagstercare import (
    KeptToken,
    find_agent_token_in,
    find_user_token_in,
    require_owner,
    tokens_in,
)
from watchword.services.dagstertokens import create_agent_token_in, create_user_token_in, describe_in
from watchword.services.issuing import Issued
from watchword.services.lookups import EVERYTHING
from watchword.services.members import find_member, members_of
from watchword.services.queries import Unit
from watchword.services.revealing import reveal
from watchword.web.forms import Problem
from watchword.web.needs import page
from watchword.web.once import first_time, fresh_once, mint_once
from watchword.web.rendering import segment
from watchword.web.visit import Page, Visit, WebRequest

DAGSTER = "/organizations/{org:str}/dagster"
AGENT_TOKENS = DAGSTER + "/tokens"
USER_TOKENS = DAGSTER + "/tokens/user"
AGENT_TOKEN = DAGSTER + "/tokens/agent/{token:str}"
USER_TOKEN = USER_TOKENS + "/{token:str}"
_REASON = "Reveal token, on the console"


def base(visit: Visit) -> str:
    """Address of Dagster+'s pages."""
    return f"/organizations/{segment(visit.path('org'))}/dagster"


async def find_agent_token(visit: Visit) -> Token:
    """The agent token of the path.

    Raises:
        NotFound: there is none.
    """

    async def work(tx: Unit, access: Access) -> Token:
        return await find_agent_token_in(tx, access, visit.path("token"))

    return await visit.read(work)


async def find_own_token(visit: Visit) -> Token:
    """The visitor's own user token of the path.

    Raises:
        NotFound: there is none.
        Forbidden: it is somebody else's.
    """

    async def work(tx: Unit, access: Access) -> Token:
        return await find_user_token_in(tx, access, visit.path("token"), own=True)

    return await visit.read(work)


# -- agent tokens --------------------------------------------------------------------------------


async def _agent_page(
    visit: Visit, *errors: WatchwordError, shown: dict[TokenId, Secret] | None = None, told: str = ""
) -> Page:
    async def work(tx: Unit, access: Access) -> list[KeptToken]:
        window = visit.paging.window
        return await tokens_in(tx, visit.authority.ledger, access, Kind.DAGSTER_AGENT, None, window)

    paging, rows = visit.paging.cut(await visit.read(work))
    return _show(visit, "dagster/agent_tokens.html", errors, shown, told, rows=rows, paging=paging)


def _show(
    visit: Visit,
    template: str,
    errors: tuple[WatchwordError, ...],
    shown: dict[TokenId, Secret] | None,
    told: str,
    **values: Any,  # noqa: ANN401 - what a template gets
) -> Page:
    """A list with the values that are shown in this answer alone."""
    return visit.show(
        template,
        status=next((error.status for error in errors), 200),
        problems=[Problem.of(error, "") for error in errors],
        shown={token_id: value.reveal() for token_id, value in (shown or {}).items()},
        told=told,
        once=fresh_once(),
        **values,
    )


@get(AGENT_TOKENS, opt=page("dagster_user_token.list"))
async def list_agent_tokens(request: WebRequest) -> Page:
    """All agent tokens, newest first; others than administrators go on to their own tokens."""
    visit = Visit.of(request)

    async def work(_tx: Unit, access: Access) -> bool:
        return access.may("dagster_agent_token.read")

    if not await visit.read(work):
        return visit.go(f"{base(visit)}/tokens/user")
    return await _agent_page(visit)


async def _organization(visit: Visit) -> Organization:
    async def work(_tx: Unit, access: Access) -> Organization:
        return access.organization

    return await visit.read(work)


async def _minted(visit: Visit, owner: OrganizationId, issue: Any) -> tuple[TokenId, Secret | None]:  # noqa: ANN401
    async def work(tx: Unit, access: Access) -> tuple[TokenId, Secret]:
        issued: Issued = await issue(tx, access)
        return issued.token.id, issued.value

    minted = await mint_once(visit, owner, visit.unit(work))
    return minted.token_id, minted.value


def _kept(visit: Visit, kind: Kind) -> bool:
    """Whether a fresh value of a kind can be revealed later; else its one answer shows it."""
    return visit.access is not None and kind.value in visit.access.policy.revealable


@post(AGENT_TOKENS, opt=page("dagster_agent_token.create", fresh=True), status_code=200)
async def create_agent_token(request: WebRequest) -> Page:
    """Make an agent token in one click: its row appears, its value hidden where it can be revealed later."""
    visit = Visit.of(request)

    async def issue(tx: Unit, access: Access) -> Issued:
        description = visit.form.text("description")
        return await create_agent_token_in(
            visit.context, tx, access.caller, access.organization, description, access.user.id
        )

    try:
        token_id, value = await _minted(visit, (await _organization(visit)).id, issue)
    except WatchwordError as error:
        return await _agent_page(visit, error)
    # Entered before it was made: the first token of an organization may have begun with Dagster+ itself.
    await _organization(visit)
    if value is None or _kept(visit, Kind.DAGSTER_AGENT):
        return visit.go(f"{base(visit)}/tokens", done="dagster-token-created")
    return await _agent_page(visit, shown={token_id: value}, told="once")


@post(AGENT_TOKEN + "/description", opt=page("dagster_agent_token.update"), status_code=200)
async def describe_agent_token(request: WebRequest) -> Page:
    """The pencil: change the description."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        token = await find_agent_token_in(tx, access, visit.path("token"))
        await describe_in(visit.context, tx, access.caller, token, visit.form.text("description"))

    try:
        await visit.write(work)
    except NotFound:
        raise
    except WatchwordError as error:
        return await _agent_page(visit, error)
    return visit.go(f"{base(visit)}/tokens", done="dagster-token-described")


@get(AGENT_TOKEN + "/reveal", opt=page("dagster_agent_token.reveal"))
async def back_to_agent_tokens(request: WebRequest) -> Page:
    """A value stands in the answer to a click alone: this address leads back to the list."""
    visit = Visit.of(request)
    await find_agent_token(visit)
    return visit.go(f"{base(visit)}/tokens")


@post(AGENT_TOKEN + "/reveal", opt=page("dagster_agent_token.reveal", fresh=True), status_code=200)
async def reveal_agent_token(request: WebRequest) -> Page:
    """Reveal token: the list with this one value; the trail has it first."""
    visit = Visit.of(request)
    token = await find_agent_token(visit)
    value, error = await _revealed(visit, token)
    if error is not None:
        return await _agent_page(visit, error)
    shown = {token.id: value} if value is not None else None
    return await _agent_page(visit, shown=shown, told="" if shown else "again")


async def _revealed(visit: Visit, token: Token) -> tuple[Secret | None, WatchwordError | None]:
    """A value, once for each click; None where this very form was sent before."""
    if not await first_time(visit, token.organization_id):
        return None, None
    try:
        _, value = await reveal(
            visit.context, visit.caller, visit.signed_in, token.organization_id, token.id, _REASON
        )
    except WatchwordError as error:
        return None, error
    return value, None


# -- user tokens ---------------------------------------------------------------------------------


async def _user_page(
    visit: Visit, *errors: WatchwordError, shown: dict[TokenId, Secret] | None = None, told: str = ""
) -> Page:
    asked = visit.query.text("user").lower()
    owner = UserId(asked) if is_uuid(asked) else visit.user.id

    async def work(tx: Unit, access: Access) -> tuple[User, list[KeptToken], list[User]]:
        require_owner(access, owner)
        person = access.user if owner == access.user.id else (await find_member(tx, access.id, owner))[1]
        window = visit.paging.window
        rows = await tokens_in(tx, visit.authority.ledger, access, Kind.DAGSTER_USER, owner, window)
        members: list[User] = []
        if access.may("dagster_user_token.read"):
            members = [user for _, user in await members_of(tx, access.id, EVERYTHING)]
        return person, rows, sorted(members, key=lambda one: (one.name.lower(), one.id))

    person, rows, members = await visit.read(work)
    paging, cut = visit.paging.cut(rows)
    return _show(
        visit,
        "dagster/user_tokens.html",
        errors,
        shown,
        told,
        rows=cut,
        paging=paging,
        person=person,
        own=person.id == visit.user.id,
        members=members,
    )


@get(USER_TOKENS, opt=page("dagster_user_token.list"))
async def list_user_tokens(request: WebRequest) -> Page:
    """One's own tokens, newest first; those of whom an administrator chose in "Manage tokens for"."""
    return await _user_page(Visit.of(request))


@post(USER_TOKENS, opt=page("dagster_user_token.create", fresh=True), status_code=200)
async def create_user_token(request: WebRequest) -> Page:
    """Make oneself a token; nobody makes one for somebody else."""
    visit = Visit.of(request)

    async def issue(tx: Unit, access: Access) -> Issued:
        description = visit.form.text("description")
        return await create_user_token_in(
            visit.context, tx, access.caller, access.organization, access.user, description
        )

    try:
        token_id, value = await _minted(visit, (await _organization(visit)).id, issue)
    except WatchwordError as error:
        return await _user_page(visit, error)
    await _organization(visit)
    if value is None or _kept(visit, Kind.DAGSTER_USER):
        return visit.go(f"{base(visit)}/tokens/user", done="dagster-token-created")
    return await _user_page(visit, shown={token_id: value}, told="once")


@post(USER_TOKEN + "/description", opt=page("dagster_user_token.update"), status_code=200)
async def describe_user_token(request: WebRequest) -> Page:
    """The pencil: change the description of one's own token."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        token = await find_user_token_in(tx, access, visit.path("token"), own=True)
        await describe_in(visit.context, tx, access.caller, token, visit.form.text("description"))

    await find_own_token(visit)
    try:
        await visit.write(work)
    except WatchwordError as error:
        return await _user_page(visit, error)
    return visit.go(f"{base(visit)}/tokens/user", done="dagster-token-described")


@get(USER_TOKEN + "/reveal", opt=page("dagster_user_token.reveal"))
async def back_to_user_tokens(request: WebRequest) -> Page:
    """A value stands in the answer to a click alone: this address leads back to the list."""
    visit = Visit.of(request)
    await find_own_token(visit)
    return visit.go(f"{base(visit)}/tokens/user")


@post(USER_TOKEN + "/reveal", opt=page("dagster_user_token.reveal", fresh=True), status_code=200)
async def reveal_user_token(request: WebRequest) -> Page:
    """Reveal token: the list with this one value, to its owner alone; the trail has it first."""
    visit = Visit.of(request)
    token = await find_own_token(visit)
    value, error = await _revealed(visit, token)
    if error is not None:
        return await _user_page(visit, error)
    shown = {token.id: value} if value is not None else None
    return await _user_page(visit, shown=shown, told="" if shown else "again")


HANDLERS = (
    list_agent_tokens,
    create_agent_token,
    describe_agent_token,
    back_to_agent_tokens,
    reveal_agent_token,
    list_user_tokens,
    create_user_token,
    describe_user_token,
    back_to_user_tokens,
    reveal_user_token,
)
