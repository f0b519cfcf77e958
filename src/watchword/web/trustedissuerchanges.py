"""Trusting an issuer on the console, and ending that trust."""

from litestar import get, post

from watchword.domain.accounts import Cluster
from watchword.domain.claimrules import read_rule, rule_text
from watchword.domain.errors import Forbidden, NotFound, WatchwordError
from watchword.domain.lifecycle import BlastRadius
from watchword.domain.workloadpresets import PRESETS
from watchword.domain.workloads import DEFAULT_AGE_S, Terms, TrustedIssuer
from watchword.services.access import Access
from watchword.services.queries import Unit
from watchword.services.trustedissuers import (
    TrustRequest,
    create_trust,
    find_trust,
    own_audience,
    token_of,
)
from watchword.services.withdrawing import Withdrawn
from watchword.web.clusters import cluster_here
from watchword.web.forms import Form, Problem
from watchword.web.needs import page
from watchword.web.trustedissuers import ISSUER, ISSUERS
from watchword.web.visit import Page, Visit, WebRequest
from watchword.web.withdrawal import read_withdrawal

NEW = ISSUERS + "/new"
END = ISSUER + "/end"
_UNSAID = "ended on the console"
_FIELDS = {
    "invalid_issuer": "issuer",
    "issuer_too_wide": "issuer",
    "invalid_audience": "audiences",
    "invalid_rules": "rules",
    "invalid_claim": "rules",
    "rule_too_wide": "rules",
    "rules_too_wide": "rules",
    "invalid_tags": "tags",
    "unknown_queue": "queue",
    "invalid_jwks": "jwks",
    "unknown_preset": "preset",
}


def _at(visit: Visit) -> str:
    return f"/organizations/{visit.path('org')}/clusters/{visit.path('cluster')}/trusted-issuers"


def _read(form: Form, audience: str) -> TrustRequest:
    """What the form asks for.

    Raises:
        Invalid: a rule cannot be read.
    """
    preset = PRESETS.get(form.text("preset"))
    return TrustRequest(
        name=form.text("name"),
        issuer=form.text("issuer") or (preset.issuer if preset is not None else ""),
        terms=Terms(
            audiences=tuple(form.lines("audiences")) or (audience,),
            rules=tuple(read_rule(line) for line in form.lines("rules")),
            tags=tuple(form.lines("tags")),
            max_age=form.number("max_age", DEFAULT_AGE_S),
            registrations=form.number("registrations", 1),
            jwks_url=form.text("jwks_url"),
            jwks=form.raw("jwks").strip(),
        ),
        preset=form.text("preset"),
        queue=form.text("queue"),
        networks=" ".join(form.text("networks").split()),
    )


async def _form(visit: Visit, *errors: WatchwordError) -> Page:
    async def work(tx: Unit, access: Access) -> tuple[Cluster, str]:
        return await cluster_here(visit, tx, access), own_audience(visit.context, access.organization)

    cluster, audience = await visit.read(work)
    preset = PRESETS.get(visit.query.text("preset"))
    return visit.show_again(
        "issuers/new.html",
        *(Problem.of(error, _FIELDS.get(error.code)) for error in errors),
        cluster=cluster,
        audience=audience,
        presets=list(PRESETS.values()),
        preset=preset,
        example="\n".join(map(rule_text, preset.example)) if preset is not None else "",
    )


@get(NEW, opt=page("trusted_issuer.create"))
async def ask_for_issuer(request: WebRequest) -> Page:
    """The form; a platform that is chosen fills in what is known of it."""
    return await _form(Visit.of(request))


@post(NEW, opt=page("trusted_issuer.create", fresh=True), status_code=200)
async def create_issuer(request: WebRequest) -> Page:
    """Trust an issuer."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> TrustedIssuer:
        cluster = await cluster_here(visit, tx, access)
        asked = _read(visit.form, own_audience(visit.context, access.organization))
        return await create_trust(
            visit.context, tx, access.caller, access.organization, cluster, asked, access.user.id
        )

    try:
        made = await visit.write(work)
    except (NotFound, Forbidden):
        raise
    except WatchwordError as error:
        return await _form(visit, error)
    return visit.go(f"{_at(visit)}/{made.id}", done="issuer-trusted")


async def _ending(visit: Visit, *errors: WatchwordError) -> Page:
    async def work(tx: Unit, access: Access) -> tuple[Cluster, TrustedIssuer, BlastRadius]:
        cluster = await cluster_here(visit, tx, access)
        trust = await find_trust(tx, cluster, visit.path("trusted_issuer"))
        return cluster, trust, await visit.authority.blast.radius_in(tx, await token_of(tx, trust))

    cluster, trust, radius = await visit.read(work)
    return visit.show_again("issuers/end.html", *errors, cluster=cluster, issuer=trust, radius=radius)


@get(END, opt=page("trusted_issuer.delete"))
async def ask_for_end(request: WebRequest) -> Page:
    """What the end of a trust would touch, and the ways to end it."""
    return await _ending(Visit.of(request))


@post(END, opt=page("trusted_issuer.delete", fresh=True), status_code=200)
async def end_issuer(request: WebRequest) -> Page:
    """End a trust: nobody joins by it any more, and connected agents stay, leave or are cut off."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> Withdrawn:
        cluster = await cluster_here(visit, tx, access)
        trust = await find_trust(tx, cluster, visit.path("trusted_issuer"))
        token = await token_of(tx, trust)
        asked = read_withdrawal(visit.form, reason=_UNSAID)
        return await visit.authority.revoker.revoke_in(tx, access.caller, token, access.user.id, asked)

    try:
        made = await visit.write(work)
    except (NotFound, Forbidden):
        raise
    except WatchwordError as error:
        return await _ending(visit, error)
    visit.authority.revoker.settle(made)
    await visit.authority.revoker.confirm(made.revocation.organization_id, made.revocation.id)
    return visit.go(_at(visit), done="issuer-ended")


HANDLERS = (ask_for_issuer, create_issuer, ask_for_end, end_issuer)
