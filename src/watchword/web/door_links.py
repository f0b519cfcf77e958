"""What opens by a one-time link: the first sign-in, a forgotten password, recovery, a new address.

The value stands behind `#`, which no server sees; the script puts it into the form, and without scripts
the whole link is pasted.
"""

from litestar import get, post

from watchword.crypto.values import Secret
from watchword.domain.errors import WatchwordError
from watchword.domain.people import LinkPurpose
from watchword.services.arriving import accept_as_new, arrive
from watchword.services.email_changing import finish_email_change
from watchword.services.invitations import accept
from watchword.web.forms import Problem
from watchword.web.needs import page
from watchword.web.sign_in import enter, require_safe
from watchword.web.visit import Page, Visit, WebRequest

_LINK = "link"
_OF_THE_LINK = ("link_invalid", "not_found")


def _value(visit: Visit) -> Secret:
    """The link's value, as the script wrote it or as a person pasted the link."""
    return Secret(visit.form.text(_LINK).rpartition("#")[2])


def _form(visit: Visit, template: str, *errors: WatchwordError, **values: object) -> Page:
    problems = [Problem.of(error, _LINK if error.code in _OF_THE_LINK else None) for error in errors]
    status = next((error.status for error in errors), 200)
    safe = {"can_sign_in": visit.origin.can_sign_in, "host": visit.origin.host}
    return visit.show(template, status=status, problems=problems, **safe, **values)


@get("/forgot-password", opt=page(None))
async def ask_for_reset(request: WebRequest) -> Page:
    """The form that asks for a link to set a new password."""
    return _form(Visit.of(request), "door/forgot.html", sent=False)


@post("/forgot-password", opt=page(None), status_code=200)
async def send_reset(request: WebRequest) -> Page:
    """Ask for a link; the answer is the same whoever is asked for."""
    visit = Visit.of(request)
    visit.authority.resets.ask(visit.form.text("email"), visit.caller)
    return _form(visit, "door/forgot.html", sent=True)


@get("/reset-password", opt=page(None))
async def ask_for_new_password(request: WebRequest) -> Page:
    """The form behind a mailed link."""
    return _form(Visit.of(request), "door/reset.html")


@post("/reset-password", opt=page(None), status_code=200)
async def reset_password(request: WebRequest) -> Page:
    """Set a new password by a mailed link; every session of the person has ended then."""
    visit = Visit.of(request)
    try:
        require_safe(visit)
        await visit.authority.resets.finish(_value(visit), Secret(visit.form.raw("password")), visit.caller)
    except WatchwordError as error:
        return _form(visit, "door/reset.html", error)
    return visit.go("/sign-in", done="password-set")


@get("/welcome", opt=page(None))
async def ask_for_first_password(request: WebRequest) -> Page:
    """The form behind the link of somebody new."""
    return _form(Visit.of(request), "door/welcome.html")


@post("/welcome", opt=page(None), status_code=200)
async def welcome(request: WebRequest) -> Page:
    """Set the first password, and be signed in."""
    visit = Visit.of(request)
    try:
        require_safe(visit)
        signed = await arrive(visit.context, _value(visit), Secret(visit.form.raw("password")), visit.caller)
    except WatchwordError as error:
        return _form(visit, "door/welcome.html", error)
    return await enter(visit, signed)


@get("/recover", opt=page(None))
async def ask_to_recover(request: WebRequest) -> Page:
    """The form behind a link of the host."""
    return _form(Visit.of(request), "door/recover.html")


@post("/recover", opt=page(None), status_code=200)
async def recover(request: WebRequest) -> Page:
    """Sign in once by a link of the host, and see to one's own way in."""
    visit = Visit.of(request)
    try:
        require_safe(visit)
        signed = await visit.authority.signing_in.sign_in_by_link(
            _value(visit), LinkPurpose.RECOVER, visit.caller
        )
    except WatchwordError as error:
        return _form(visit, "door/recover.html", error)
    return await enter(visit, signed, "/user/security")


@get("/verify-email", opt=page(None))
async def ask_to_verify(request: WebRequest) -> Page:
    """The form behind the link to a new address."""
    return _form(Visit.of(request), "door/verify.html")


@post("/verify-email", opt=page(None), status_code=200)
async def verify(request: WebRequest) -> Page:
    """Take the address that a link went to."""
    visit = Visit.of(request)
    try:
        await finish_email_change(visit.context, _value(visit), visit.caller)
    except WatchwordError as error:
        return _form(visit, "door/verify.html", error)
    return visit.go("/user/security" if visit.visitor is not None else "/sign-in", done="email-verified")


def _invitation(visit: Visit, *errors: WatchwordError) -> Page:
    return _form(visit, "door/invitation.html", *errors)


@get("/invitations/accept", opt=page(None))
async def ask_to_accept(request: WebRequest) -> Page:
    """The form behind a mailed invitation, for members-to-be with an account and without one."""
    return _invitation(Visit.of(request))


@post("/invitations/accept", opt=page(None), status_code=200)
async def accept_invitation(request: WebRequest) -> Page:
    """Join an organization; whoever is not signed in gets an account with the invited address."""
    visit = Visit.of(request)
    context, value = visit.context, _value(visit)
    try:
        require_safe(visit)
        if visit.visitor is None:
            password = Secret(visit.form.raw("password"))
            signed = await accept_as_new(context, value, visit.form.text("name"), password, visit.caller)
            return await enter(visit, signed)
        user = visit.visitor.user
        member = await context.store.write(lambda tx: accept(context, tx, visit.caller, value, user))
        organization = await context.store.read(lambda tx: tx.accounts.organization(member.organization_id))
    except WatchwordError as error:
        return _invitation(visit, error)
    return visit.go(f"/organizations/{organization.slug}" if organization else "/", done="joined")


HANDLERS = (
    ask_for_reset,
    send_reset,
    ask_for_new_password,
    reset_password,
    ask_for_first_password,
    welcome,
    ask_to_recover,
    recover,
    ask_to_verify,
    verify,
    ask_to_accept,
    accept_invitation,
)
