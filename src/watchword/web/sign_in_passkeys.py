"""Passkeys at the door: what the browser is asked, and its answers. The script does the asking."""

import msgspec
from litestar import Response, get, post

from watchword.crypto.values import Secret
from watchword.domain.errors import Forbidden, Refused, WatchwordError
from watchword.services.challenges import Asked
from watchword.web.needs import PERSONAL, page
from watchword.web.proving import ANSWER_FIELD, TICKET_FIELD
from watchword.web.sign_in import again, door, enter, require_safe
from watchword.web.visit import Page, Visit, WebRequest


def asked_of(asked: Asked) -> Page:
    """A challenge for the script; nothing is written for it."""
    document = {"options": msgspec.Raw(asked.options.encode()), "ticket": asked.ticket.reveal()}
    body = msgspec.json.encode(document).decode()
    kept_apart = {"content-disposition": "attachment"}  # no page, whoever opens it
    return Response(body, media_type="application/json", headers=kept_apart)


def answered(visit: Visit) -> tuple[Secret, str]:
    """The ticket and the browser's answer in a form."""
    return Secret(visit.form.raw(TICKET_FIELD)), visit.form.raw(ANSWER_FIELD)


@get("/sign-in/passkey", opt=page(None))
async def challenge(request: WebRequest) -> Page:
    """A challenge to any passkey of this installation."""
    visit = Visit.of(request)
    require_safe(visit)
    return asked_of(visit.authority.passkey_signing.begin())


@post("/sign-in/passkey", opt=page(None), status_code=200)
async def sign_in(request: WebRequest) -> Page:
    """Sign in with a passkey alone."""
    visit = Visit.of(request)
    try:
        require_safe(visit)
        signed = await visit.authority.passkey_signing.finish(*answered(visit), visit.caller)
    except WatchwordError as error:
        return door(visit, error)
    return await enter(visit, signed)


@get("/sign-in/code/passkey", opt=page(None))
async def challenge_second(request: WebRequest) -> Page:
    """A challenge to the passkeys of whoever gave the password."""
    visit = Visit.of(request)
    try:
        return asked_of(await visit.authority.passkey_signing.begin_second(visit.key))
    except Refused as error:
        raise Forbidden("Give your password first.", code="password_first") from error


@post("/sign-in/code/passkey", opt=page(None), status_code=200)
async def second(request: WebRequest) -> Page:
    """Go on with a passkey."""
    visit = Visit.of(request)
    try:
        signed = await visit.authority.passkey_signing.finish_second(
            visit.key, *answered(visit), visit.caller
        )
    except WatchwordError as error:
        return await again(visit, error)
    return await enter(visit, signed)


@get("/step-up/passkey", opt=page(PERSONAL))
async def challenge_step_up(request: WebRequest) -> Page:
    """A challenge to the passkeys of whoever is signed in."""
    visit = Visit.of(request)
    return asked_of(await visit.authority.passkey_signing.begin_step_up(visit.signed_in))


HANDLERS = (challenge, sign_in, challenge_second, second, challenge_step_up)
