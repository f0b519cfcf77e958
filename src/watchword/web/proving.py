"""Proving again who one is, before what is hard to undo or shows a secret.

A person does it by code, passkey, password, or at a provider, with whatever they have.
"""

from urllib.parse import urlsplit

from watchword.crypto.values import Secret
from watchword.domain.errors import WatchwordError
from watchword.domain.people import SignInData
from watchword.services.own_security import Posture
from watchword.services.providers import Provider
from watchword.web.forms import Problem
from watchword.web.security import CSRF_FIELD
from watchword.web.visit import Page, Visit, is_local

PROOF_FIELD = "proof"
TICKET_FIELD = "passkey_ticket"
ANSWER_FIELD = "passkey_answer"
# What a form carries for us alone.
PROOF_FIELDS = (CSRF_FIELD, PROOF_FIELD, TICKET_FIELD, ANSWER_FIELD)


def takes_passkeys(visit: Visit) -> bool:
    """Whether a page at this address can ask for passkeys: they are bound to one name."""
    party = visit.authority.passkey_signing.party()
    return party is not None and urlsplit(party.origin).netloc.lower() == visit.origin.host.lower()


async def try_proof(visit: Visit) -> bool:
    """Heed the proof that a form carries; False if it carries none.

    Raises:
        Refused: the proof is wrong.
        TooMany: there were too many wrong ones.
    """
    proof, answer = visit.form.raw(PROOF_FIELD), visit.form.raw(ANSWER_FIELD)
    if answer:
        ticket = Secret(visit.form.raw(TICKET_FIELD))
        await visit.authority.passkey_signing.finish_step_up(visit.signed_in, ticket, answer, visit.caller)
    elif proof:
        await visit.authority.signing_in.escalate(visit.signed_in, Secret(proof), visit.caller)
    return bool(answer or proof)


async def prove(visit: Visit) -> Page | None:
    """Let pass who proved lately who they are; ask anybody else, and keep what they sent meanwhile."""
    if visit.fresh:
        return None
    try:
        if not await try_proof(visit):
            return await ask_for_proof(visit)
    except WatchwordError as error:
        return await ask_for_proof(visit, error)
    visit.form.given = visit.form.without(PROOF_FIELDS)
    visit.visitor = await visit.authority.signing_in.authenticate(visit.key)
    return None


async def ask_for_proof(visit: Visit, *errors: WatchwordError) -> Page:
    """The page that asks again who one is; it sends on what was sent."""
    posture = await visit.authority.own_security.posture(visit.signed_in)
    posted = visit.request.method == "POST" and visit.request.scope["path"] != "/step-up"
    return visit.show(
        "step_up.html",
        status=next((error.status for error in errors), 200),
        problems=[Problem.of(error, PROOF_FIELD) for error in errors],
        kept=visit.form.without(PROOF_FIELDS) if visit.form.given else [("to", visit.here)],
        posted=posted,
        action=visit.here if posted else "/step-up",
        way=_way(posture.data, password=posture.password),
        passkey=bool(posture.passkeys) and takes_passkeys(visit),
        providers=_providers(visit, posture),
        back=_back(visit, posted=posted),
    )


def _way(data: SignInData, *, password: bool) -> str:
    """What is typed: a code, a recovery code, the password, or nothing."""
    if data.totp:
        return "code"
    if data.second_factor:
        return "recovery code"
    return "password" if password else ""


def _providers(visit: Visit, posture: Posture) -> list[Provider]:
    """Where the person can sign in once more."""
    issuers = {one.issuer for one in posture.identities}
    return [one for one in visit.authority.single_sign_on.providers if one.issuer in issuers]


def _back(visit: Visit, *, posted: bool) -> str:
    """The page to come back to from a provider: this one, or the one with the form."""
    if not posted:
        return visit.form.raw("to") or visit.here
    parts = urlsplit(visit.request.headers.get("referer", ""))
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return path if parts.netloc == visit.origin.host and is_local(path) else "/"
