"""Trusted issuers of a cluster: listed, shown, and asked why they would refuse an identity.

They are made and ended by `web.trustedissuerchanges`, changed over REST.
"""

import json
from typing import Any

from litestar import get, post

from watchword.domain.accounts import Cluster
from watchword.domain.errors import Invalid, WatchwordError
from watchword.domain.lifecycle import BlastRadius
from watchword.domain.restrictions import Restrictions, load
from watchword.domain.workloads import TrustedIssuer
from watchword.services.identityexplaining import Explained, explain
from watchword.services.queries import Access, Unit
from watchword.services.queries import Page as Window
from watchword.services.trustedissuers import find_trust, own_audience, token_of, trusts_of
from watchword.web.clusters import CLUSTER, cluster_here
from watchword.web.needs import page
from watchword.web.visit import Page, Visit, WebRequest

ISSUERS = CLUSTER + "/trusted-issuers"
ISSUER = ISSUERS + "/{trusted_issuer:str}"
# More than an organization may have.
_ALL = Window(500)


@get(ISSUERS, opt=page("trusted_issuer.read"))
async def list_issuers(request: WebRequest) -> Page:
    """Trusted issuers of the cluster, oldest first."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> tuple[Cluster, list[TrustedIssuer], str]:
        cluster = await cluster_here(visit, tx, access)
        audience = own_audience(visit.context, access.organization)
        return cluster, await trusts_of(tx, cluster, _ALL), audience

    cluster, issuers, audience = await visit.read(work)
    return visit.show("issuers/index.html", cluster=cluster, issuers=issuers, audience=audience)


async def _show(visit: Visit, *errors: WatchwordError, explained: Explained | None = None) -> Page:
    async def work(tx: Unit, access: Access) -> tuple[Cluster, TrustedIssuer, Restrictions, BlastRadius]:
        cluster = await cluster_here(visit, tx, access)
        trust = await find_trust(tx, cluster, visit.path("trusted_issuer"))
        token = await token_of(tx, trust)
        return cluster, trust, load(token.restrictions), await visit.authority.blast.radius_in(tx, token)

    cluster, trust, restrictions, radius = await visit.read(work)
    return visit.show_again(
        "issuers/show.html",
        *errors,
        cluster=cluster,
        issuer=trust,
        restrictions=restrictions,
        radius=radius,
        explained=explained,
    )


@get(ISSUER, opt=page("trusted_issuer.read"))
async def show_issuer(request: WebRequest) -> Page:
    """One trusted issuer: on what terms, and which agents hang on it."""
    return await _show(Visit.of(request))


@post(ISSUER + "/explain", opt=page("trusted_issuer.explain"), status_code=200)
async def explain_identity(request: WebRequest) -> Page:
    """Why a token or a claim set would be refused, rule by rule; what was given is not shown again."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> TrustedIssuer:
        cluster = await cluster_here(visit, tx, access)
        return await find_trust(tx, cluster, visit.path("trusted_issuer"))

    trust = await visit.read(work)
    try:
        claims, token = _given(visit.form.raw("identity").strip())
        (explained,) = await explain(visit.authority.identities, [trust], claims, token)
    except WatchwordError as error:
        return await _show(visit, error)
    return await _show(visit, explained=explained)


def _given(text: str) -> tuple[dict[str, Any] | None, str | None]:
    """A claim set where it begins as one, else a token."""
    if not text.startswith("{"):
        return None, text
    try:
        claims = json.loads(text)
    except (ValueError, RecursionError):
        raise Invalid("The claim set is no JSON object.", code="invalid_claims") from None
    return (claims if isinstance(claims, dict) else {}), None


HANDLERS = (list_issuers, show_issuer, explain_identity)
