"""Trusted issuers of a cluster: whose identity tokens let agents join; Watchword's own."""

from litestar import Response, delete, get, post, route
from litestar.openapi import ResponseSpec

from watchword.domain import workloads
from watchword.domain.tokens import Token
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.clusters import CLUSTER
from watchword.rest.issuershapes import (
    Explain,
    Explanations,
    NewTrustedIssuer,
    TrustedIssuer,
    TrustedIssuerChange,
    read_change,
    read_new,
    show_explained,
    show_trust,
)
from watchword.rest.withdrawals import (
    REVOCATION,
    BlastRadius,
    Find,
    Revocation,
    RevokeToken,
    radius_of,
    revocation_of,
    revoke_token,
)
from watchword.services.identityexplaining import explain
from watchword.services.queries import Access, Unit, find_cluster, people
from watchword.services.queries import Page as Window
from watchword.services.trustedissuers import (
    create_trust,
    find_trust,
    find_with_token,
    own_audience,
    request_of,
    token_of,
    trusts_of,
    update_trust,
)

ISSUERS = CLUSTER + "/trusted-issuers"
ISSUER = ISSUERS + "/{trusted_issuer:str}"
GONE = {204: ResponseSpec(None, description="Revoked; the answer is empty.", generate_examples=False)}
# More than an organization may have.
EVERY = Window(500)


async def _show(call: Call, tx: Unit, access: Access, trust: workloads.TrustedIssuer) -> TrustedIssuer:
    known = await people(tx, [trust.created_by])
    return show_trust(call.site, access.organization, trust, await token_of(tx, trust), known)


def _finder(call: Call) -> Find:
    async def find(tx: Unit, access: Access, *, revoked: bool) -> Token:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        if not revoked:
            return await token_of(tx, await find_trust(tx, cluster, call.path("trusted_issuer")))
        return (await find_with_token(tx, cluster, call.path("trusted_issuer")))[1]

    return find


@get(ISSUERS, opt=needs("trusted_issuer.read", query=PAGED), summary="List trusted issuers of a cluster")
async def list_issuers(request: RestRequest) -> Response[list[TrustedIssuer]]:
    """Issuers whose identity tokens let agents join the cluster, oldest first."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> tuple[list[workloads.TrustedIssuer], list[TrustedIssuer]]:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        rows = await trusts_of(tx, cluster, call.page.window)
        return rows, [await _show(call, tx, access, trust) for trust in call.page.cut(rows)]

    rows, items = await call.read(work)
    return call.listed(items, rows)


@get(ISSUER, opt=needs("trusted_issuer.read"), summary="Get a trusted issuer")
async def get_issuer(request: RestRequest) -> TrustedIssuer:
    """One trusted issuer by its id."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> TrustedIssuer:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        return await _show(call, tx, access, await find_trust(tx, cluster, call.path("trusted_issuer")))

    return await call.read(work)


@post(
    ISSUERS, opt=needs("trusted_issuer.create", body=NewTrustedIssuer, keyed=True), summary="Trust an issuer"
)
async def create_issuer(request: RestRequest) -> Response[TrustedIssuer]:
    """Trust an issuer: agents join with its identity tokens where every rule holds."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> TrustedIssuer:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        asked = read_new(call.decode(NewTrustedIssuer), own_audience(call.context, access.organization))
        made = await create_trust(
            call.context, tx, access.caller, access.organization, cluster, asked, access.user.id
        )
        return await _show(call, tx, access, made)

    return await call.create(work)


@route(
    ISSUER,
    http_method=["PUT", "PATCH"],
    status_code=200,
    opt=needs("trusted_issuer.update", body=TrustedIssuerChange),
    summary="Change a trusted issuer",
)
async def change_issuer(request: RestRequest) -> TrustedIssuer:
    """Change on what terms an issuer is trusted. Agents that have joined stay; the issuer itself too."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> TrustedIssuer:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        trust = await find_trust(tx, cluster, call.path("trusted_issuer"))
        known = request_of(trust, await token_of(tx, trust))
        asked = read_change(call.decode(TrustedIssuerChange), known)
        changed = await update_trust(
            call.context, tx, access.caller, access.organization, cluster, trust, asked
        )
        return await _show(call, tx, access, changed)

    return await call.write(work)


@delete(
    ISSUER,
    status_code=200,
    responses=GONE,
    opt=needs("trusted_issuer.delete", body=RevokeToken, query=REVOCATION, keyed=True),
    summary="Stop trusting an issuer",
)
async def delete_issuer(request: RestRequest) -> Response[BlastRadius | Revocation | None]:
    """Stop trusting an issuer: nobody joins any more; `mode` says what becomes of connected agents."""
    call = await Call.with_body(request)
    return await revoke_token(call, _finder(call), reason="deleted through REST")


@get(
    ISSUER + "/blast-radius",
    opt=needs("trusted_issuer.read"),
    summary="See what the end of a trust would touch",
)
async def get_issuer_radius(request: RestRequest) -> BlastRadius:
    """Connected agents, running jobs and callers of the last day that the trust's end would touch."""
    call = Call.of(request)
    return await radius_of(call, _finder(call))


@get(ISSUER + "/revocation", opt=needs("trusted_issuer.read"), summary="Get the end of a trust")
async def get_issuer_revocation(request: RestRequest) -> Revocation:
    """How the trust was ended, and how far a drain has come."""
    call = Call.of(request)
    return await revocation_of(call, _finder(call))


@post(
    ISSUERS + "/explain",
    status_code=200,
    opt=needs("trusted_issuer.explain", body=Explain),
    summary="Explain what trusted issuers say of an identity",
)
async def explain_identity(request: RestRequest) -> Explanations:
    """Whether a token or a claim set would be admitted, and why not, rule by rule; uses nothing up."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> list[workloads.TrustedIssuer]:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        return await trusts_of(tx, cluster, EVERY)

    trusts = await call.read(work)
    asked = call.decode(Explain)
    found = await explain(call.authority.identities, trusts, asked.claims, asked.token)
    passing = next((one.trust.id for one in found if one.passes), None)
    return Explanations(admitted_by=passing, trusted_issuers=[show_explained(one) for one in found])


HANDLERS = (
    list_issuers,
    get_issuer,
    create_issuer,
    change_issuer,
    delete_issuer,
    get_issuer_radius,
    get_issuer_revocation,
    explain_identity,
)
