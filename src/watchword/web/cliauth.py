"""Letting a command line of Dagster+ in: a click hands it a user token (contract dagster-agents-api §12).

The command line listens on loopback and opens this page. Without the click any page in the browser could have
tokens made; and the token goes to loopback alone, from the browser, to the port that the address names.
"""

import re
from collections.abc import Awaitable, Callable

from litestar import get, post

from watchword.crypto.values import Secret
from watchword.domain.accounts import Organization
from watchword.domain.errors import Invalid, NotFound, WatchwordError
from watchword.domain.ids import TokenId
from watchword.services.access import belonging, enter_in_person
from watchword.services.dagstertokens import create_user_token_in
from watchword.services.queries import Unit
from watchword.web.forms import Problem
from watchword.web.needs import PERSONAL, page
from watchword.web.once import fresh_once, mint_once
from watchword.web.security import CONTENT_SECURITY, content_security
from watchword.web.visit import Page, Visit, WebRequest

CLI_AUTH = "/cli-auth/{nonce:str}"
_TEMPLATE = "dagster/cli_auth.html"
_OPERATION = "dagster_user_token.create"
_DESCRIPTION = "Command line (dg, dagster-cloud)"
_NONCE = re.compile(r"[A-Za-z0-9]{1,64}")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_LAST_PORT = 65_535


@get("/dagster", opt=page(None))
async def lead(request: WebRequest) -> Page:
    """Lead from the address that command lines know to the page that they ask for; else home."""
    visit = Visit.of(request)
    asked = visit.query.raw("next")
    return visit.go(asked if asked.startswith("/cli-auth/") else "/")


def _asked(visit: Visit) -> tuple[str, int]:
    """Which command line asks, and the port on which it listens.

    Raises:
        NotFound: no command line asks like that.
    """
    nonce, port = visit.path("nonce"), visit.form.raw("port") or visit.query.raw("port")
    if not _NONCE.fullmatch(nonce) or not _PORT.fullmatch(port) or int(port) > _LAST_PORT:
        raise NotFound("No command line asks like that.", code="no_command_line")
    return nonce, int(port)


async def _show(visit: Visit, *errors: WatchwordError) -> Page:
    nonce, port = _asked(visit)
    user = visit.user
    found = await visit.context.store.read(lambda tx: belonging(tx, user))
    return visit.show(
        _TEMPLATE,
        status=next((error.status for error in errors), 200),
        problems=[Problem.of(error, "") for error in errors],
        nonce=nonce,
        port=port,
        choice=[organization for organization, _ in found],
        chosen=visit.form.raw("organization"),
        once=fresh_once(),
        value=None,
    )


@get(CLI_AUTH, opt=page(PERSONAL))
async def ask(request: WebRequest) -> Page:
    """Ask whether the command line may come in; say what the page is for where none asks."""
    visit = Visit.of(request)
    if not visit.query.raw("port"):
        return visit.show(_TEMPLATE, nonce="", port=0, choice=[], value=None)
    return await _show(visit)


@post(CLI_AUTH, opt=page(PERSONAL, fresh=True), status_code=200)
async def let_in(request: WebRequest) -> Page:
    """Make a token for the command line, and the page from which the browser hands it over."""
    visit = Visit.of(request)
    nonce, port = _asked(visit)
    try:
        organization = await _organization(visit)
        minted = await mint_once(visit, organization.id, _mint(visit, organization))
    except WatchwordError as error:
        return await _show(visit, error)
    if minted.value is None:
        sent = Invalid(
            "This form was sent before. Start the command line's sign-in anew.", code="sent_before"
        )
        return await _show(visit, sent)
    shown = visit.show(
        _TEMPLATE, nonce=nonce, port=port, let_in=organization, value=minted.value.reveal(), choice=[]
    )
    shown.headers[CONTENT_SECURITY] = content_security(f"http://localhost:{port}")
    return shown


async def _organization(visit: Visit) -> Organization:
    """The organization that was chosen, which lets the person in from here.

    Raises:
        NotFound: there is none, or the person does not belong to it.
        Forbidden: it does not let the person in.
    """
    slug = visit.form.text("organization")

    async def work(tx: Unit) -> Organization:
        access = await enter_in_person(tx, visit.user, slug, visit.caller)
        access.require(_OPERATION)
        return access.organization

    return await visit.context.store.read(work)


def _mint(visit: Visit, organization: Organization) -> Callable[[Unit], Awaitable[tuple[TokenId, Secret]]]:
    async def work(tx: Unit) -> tuple[TokenId, Secret]:
        access = await enter_in_person(tx, visit.user, organization.slug, visit.caller)
        access.require(_OPERATION)
        made = await create_user_token_in(
            visit.context, tx, access.caller, access.organization, access.user, _DESCRIPTION
        )
        return made.token.id, made.value

    return work


HANDLERS = (lead, ask, let_in)
