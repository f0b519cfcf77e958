"""A person's passkeys, and who they are at the providers of single sign-on."""

from litestar import get, post

from watchword.domain.errors import WatchwordError
from watchword.domain.ids import PasskeyId
from watchword.web.forms import Problem
from watchword.web.needs import PERSONAL, page
from watchword.web.own_security import BASE, overview, show_codes
from watchword.web.proving import takes_passkeys
from watchword.web.sign_in_passkeys import answered, asked_of
from watchword.web.sign_in_with import leave
from watchword.web.visit import Page, Visit, WebRequest

PASSKEYS = BASE + "/passkeys"


def _new(visit: Visit, *errors: WatchwordError) -> Page:
    party = visit.authority.passkey_signing.party()
    return visit.show(
        "security/passkey.html",
        status=next((error.status for error in errors), 200),
        problems=[Problem.of(error) for error in errors],
        base=BASE,
        takes_passkeys=takes_passkeys(visit),
        party=party,
    )


@get(PASSKEYS + "/new", opt=page(PERSONAL, fresh=True))
async def ask_for_passkey(request: WebRequest) -> Page:
    """The form of a new passkey."""
    return _new(Visit.of(request))


@get(PASSKEYS + "/challenge", opt=page(PERSONAL, fresh=True))
async def challenge(request: WebRequest) -> Page:
    """What the script asks the browser to make."""
    visit = Visit.of(request)
    return asked_of(await visit.authority.passkeys.begin(visit.signed_in))


@post(PASSKEYS, opt=page(PERSONAL, fresh=True), status_code=200)
async def register(request: WebRequest) -> Page:
    """Keep the passkey that the browser made; with the first second factor come recovery codes."""
    visit = Visit.of(request)
    try:
        made = await visit.authority.passkeys.finish(
            visit.signed_in, *answered(visit), visit.form.text("name"), visit.caller
        )
    except WatchwordError as error:
        return _new(visit, error)
    if made.codes:
        return show_codes(visit, made.codes, "Your passkey is registered")
    return visit.go(BASE, done="passkey-added")


@post(PASSKEYS + "/{passkey:str}/name", opt=page(PERSONAL), status_code=200)
async def rename(request: WebRequest) -> Page:
    """Give a passkey another name."""
    visit = Visit.of(request)
    passkey_id = PasskeyId(visit.path("passkey"))
    try:
        await visit.authority.passkeys.rename(
            visit.signed_in, passkey_id, visit.form.text("name"), visit.caller
        )
    except WatchwordError as error:
        return await overview(visit, error)
    return visit.go(BASE, done="passkey-renamed")


@post(PASSKEYS + "/{passkey:str}/remove", opt=page(PERSONAL, fresh=True), status_code=200)
async def remove(request: WebRequest) -> Page:
    """Remove a passkey."""
    visit = Visit.of(request)
    passkey_id = PasskeyId(visit.path("passkey"))
    await visit.authority.passkeys.remove(visit.signed_in, passkey_id, visit.caller)
    return visit.go(BASE, done="passkey-removed")


@post(BASE + "/identities/link", opt=page(PERSONAL, fresh=True), status_code=200)
async def link(request: WebRequest) -> Page:
    """Lead to a provider, to link who the person is there.

    It is a page with a link: a redirect after a form may not leave the site, and an address that links by
    itself could be called by any site.
    """
    visit = Visit.of(request)
    sso, key = visit.authority.single_sign_on, visit.form.text("provider")
    try:
        begun = await sso.begin_link(visit.signed_in, key, BASE)
    except WatchwordError as error:
        return await overview(visit, error)
    leave(visit, begun)
    label = next(one.label for one in sso.providers if one.key == key)
    return visit.show("security/link.html", base=BASE, url=begun.url, label=label)


@post(BASE + "/identities/unlink", opt=page(PERSONAL, fresh=True), status_code=200)
async def unlink(request: WebRequest) -> Page:
    """Forget who the person is at a provider."""
    visit = Visit.of(request)
    issuer, subject = visit.form.text("issuer"), visit.form.text("subject")
    try:
        await visit.authority.own_security.unlink(visit.signed_in, issuer, subject, visit.caller)
    except WatchwordError as error:
        return await overview(visit, error)
    return visit.go(BASE, done="identity-unlinked")


HANDLERS = (ask_for_passkey, challenge, register, rename, remove, link, unlink)
