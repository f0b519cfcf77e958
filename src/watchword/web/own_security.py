"""Sign-in and security: a person's password, address, authenticator app, recovery codes and sessions."""

from collections.abc import Sequence

from litestar import get, post
from markupsafe import Markup

from watchword.crypto.values import Secret
from watchword.domain.errors import NotFound, WatchwordError
from watchword.domain.ids import SessionId
from watchword.services.email_changing import request_email_change
from watchword.services.own_security import AppOffered, recovering
from watchword.web.forms import Problem
from watchword.web.needs import PERSONAL, page
from watchword.web.proving import takes_passkeys
from watchword.web.visit import Page, Visit, WebRequest

BASE = "/user/security"


@get(BASE, opt=page(PERSONAL))
async def show(request: WebRequest) -> Page:
    """Everything on one page."""
    visit = Visit.of(request)
    return await overview(visit)


async def overview(visit: Visit, *errors: WatchwordError) -> Page:
    """The page of everything, with what went wrong."""
    authority, visitor = visit.authority, visit.signed_in
    posture = await authority.own_security.posture(visitor)
    linked = {one.issuer for one in posture.identities}
    providers = authority.single_sign_on.providers
    return visit.show(
        "security/index.html",
        status=next((error.status for error in errors), 200),
        problems=[Problem.of(error, "") for error in errors],
        base=BASE,
        posture=posture,
        sessions=await authority.signing_in.sessions(visit.user.id),
        here=visitor.session.id,
        takes_passkeys=takes_passkeys(visit),
        party=authority.passkey_signing.party(),
        labels={one.issuer: one.label for one in providers},
        unlinked=[one for one in providers if one.issuer not in linked],
    )


# -- password and address ----------------------------------------------------------------------------


async def _password_form(visit: Visit, *errors: WatchwordError) -> Page:
    posture = await visit.authority.own_security.posture(visit.signed_in)
    former = posture.password and not recovering(visit.signed_in)
    return visit.show(
        "security/password.html",
        status=next((error.status for error in errors), 200),
        problems=[Problem.of(one, "former" if one.code == "sign_in_refused" else None) for one in errors],
        base=BASE,
        former=former,
    )


@get(BASE + "/password", opt=page(PERSONAL))
async def ask_for_password(request: WebRequest) -> Page:
    """The form of a new password."""
    return await _password_form(Visit.of(request))


@post(BASE + "/password", opt=page(PERSONAL), status_code=200)
async def change_password(request: WebRequest) -> Page:
    """Change the password; the other sessions end."""
    visit = Visit.of(request)
    try:
        await visit.authority.own_security.change_password(
            visit.signed_in,
            Secret(visit.form.raw("former")),
            Secret(visit.form.raw("password")),
            visit.caller,
        )
    except WatchwordError as error:
        return await _password_form(visit, error)
    return visit.go(BASE, done="password-changed")


@get(BASE + "/email", opt=page(PERSONAL))
async def ask_for_email(request: WebRequest) -> Page:
    """The form of a new address."""
    return Visit.of(request).show("security/email.html", base=BASE)


@post(BASE + "/email", opt=page(PERSONAL, fresh=True), status_code=200)
async def change_email(request: WebRequest) -> Page:
    """Send a link to the new address."""
    visit = Visit.of(request)
    try:
        await request_email_change(visit.context, visit.signed_in, visit.form.text("email"), visit.caller)
    except WatchwordError as error:
        return visit.show_again("security/email.html", error, base=BASE)
    return visit.go(BASE, done="email-sent")


# -- authenticator app and recovery codes ------------------------------------------------------------


@post(BASE + "/app", opt=page(PERSONAL, fresh=True), status_code=200)
async def begin_app(request: WebRequest) -> Page:
    """Offer an authenticator app its secret, as a picture and as text."""
    visit = Visit.of(request)
    try:
        offered = await visit.authority.own_security.begin_app(visit.signed_in)
    except WatchwordError as error:
        return await overview(visit, error)
    return _offer(visit, offered)


def _offer(visit: Visit, offered: AppOffered, *errors: WatchwordError) -> Page:
    return visit.show(
        "security/app.html",
        status=next((error.status for error in errors), 200),
        problems=[Problem.of(error, "code") for error in errors],
        base=BASE,
        offered=offered,
        picture=Markup(offered.picture.reveal()),  # noqa: S704 - drawn here, of squares alone
    )


@post(BASE + "/app/confirm", opt=page(PERSONAL, fresh=True), status_code=200)
async def confirm_app(request: WebRequest) -> Page:
    """Turn the app on with its first code, and show the recovery codes."""
    visit = Visit.of(request)
    own = visit.authority.own_security
    try:
        codes = await own.confirm_app(visit.signed_in, visit.form.text("code"), visit.caller)
    except WatchwordError as error:
        try:
            offered = await own.pending_app(visit.signed_in)
        except WatchwordError:
            return await overview(visit, error)
        return _offer(visit, offered, error)
    return show_codes(visit, codes, "Your authenticator app is on")


@post(BASE + "/app/off", opt=page(PERSONAL, fresh=True), status_code=200)
async def disable_app(request: WebRequest) -> Page:
    """Turn the app off."""
    visit = Visit.of(request)
    await visit.authority.own_security.disable_app(visit.signed_in, visit.caller)
    return visit.go(BASE, done="app-off")


@get(BASE + "/recovery-codes", opt=page(PERSONAL))
async def ask_for_codes(request: WebRequest) -> Page:
    """What fresh recovery codes mean, and the button that makes them."""
    visit = Visit.of(request)
    posture = await visit.authority.own_security.posture(visit.signed_in)
    once = visit.authority.own_security.offer_codes(visit.signed_in)
    return visit.show("security/renew_codes.html", base=BASE, posture=posture, once=once.reveal())


@post(BASE + "/recovery-codes", opt=page(PERSONAL, fresh=True), status_code=200)
async def renew_codes(request: WebRequest) -> Page:
    """Make fresh recovery codes, and show them."""
    visit = Visit.of(request)
    try:
        codes = await visit.authority.own_security.renew_codes(
            visit.signed_in, Secret(visit.form.raw("once")), visit.caller
        )
    except WatchwordError as error:
        return await overview(visit, error)
    return show_codes(visit, codes, "Your fresh recovery codes")


def show_codes(visit: Visit, codes: Sequence[Secret], title: str) -> Page:
    """Recovery codes, in this one answer."""
    text = "\n".join(code.reveal() for code in codes)
    return visit.show("security/codes.html", base=BASE, codes=text, heading=title)


# -- sessions ----------------------------------------------------------------------------------------


@post(BASE + "/sessions/{session:str}/end", opt=page(PERSONAL), status_code=200)
async def end_session(request: WebRequest) -> Page:
    """End one session."""
    visit = Visit.of(request)
    session_id = SessionId(visit.path("session"))
    if not await visit.authority.signing_in.end_session(visit.signed_in, session_id, visit.caller):
        raise NotFound("No session found")
    if session_id == visit.signed_in.session.id:
        return visit.go("/sign-in", done="signed-out")
    return visit.go(BASE, done="session-ended")


@post(BASE + "/sessions/end-others", opt=page(PERSONAL), status_code=200)
async def end_others(request: WebRequest) -> Page:
    """End every session but this one."""
    visit = Visit.of(request)
    here = visit.signed_in.session.id
    await visit.authority.signing_in.sign_out_everywhere(visit.user.id, visit.caller, keep=here)
    return visit.go(BASE, done="sessions-ended")


HANDLERS = (
    show,
    ask_for_password,
    change_password,
    ask_for_email,
    change_email,
    begin_app,
    confirm_app,
    disable_app,
    ask_for_codes,
    renew_codes,
    end_others,
    end_session,
)
