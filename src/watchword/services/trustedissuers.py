"""Trusted issuers: made, found, changed. Their end is that of the token which stands for them (`Revoker`)."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from watchword.domain.accounts import Cluster, Organization
from watchword.domain.destinations import parse_target
from watchword.domain.errors import Conflict, Invalid, NotFound
from watchword.domain.events import TOPIC_TOKEN_CHANGED, Action
from watchword.domain.ids import OrganizationId, ResourceId, TokenId, UserId, is_uuid
from watchword.domain.kinds import Kind
from watchword.domain.restrictions import Restrictions, load, parse_networks
from watchword.domain.tokens import State, Token, check_description
from watchword.domain.workloadpresets import check_issuer, check_terms, check_width
from watchword.domain.workloads import Terms, TrustedIssuer
from watchword.services.context import Caller, Context
from watchword.services.issuing import build_token
from watchword.services.keysets import read_key_set
from watchword.store.base import Page, Transaction

MAX_TRUSTS = 200
_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRequest:
    """What an administrator asks of a trust.

    Attributes:
        name: what it is for, as agents and the trail show it.
        queue: key of the only queue that agents may join; empty means any of the cluster.
        networks: from where they may join and call, as blocks; empty means anywhere.
    """

    name: str
    issuer: str
    terms: Terms
    preset: str = ""
    queue: str = ""
    networks: str = ""


def own_audience(context: Context, organization: Organization) -> str:
    """The audience that is an organization's alone: its address here."""
    return f"{context.installation.url}/organizations/{organization.slug}"


async def find_trust(tx: Transaction, cluster: Cluster, text: str) -> TrustedIssuer:
    """A live trust of a cluster by the id in a path.

    Raises:
        NotFound: there is none, or not here.
    """
    trust, token = await find_with_token(tx, cluster, text)
    if token.state is not State.ACTIVE:
        raise NotFound("No trusted issuer found")
    return trust


async def find_with_token(tx: Transaction, cluster: Cluster, text: str) -> tuple[TrustedIssuer, Token]:
    """A trust of a cluster, ended or not, with the token that stands for it.

    Raises:
        NotFound: there is none, or not here.
    """
    found = None
    if is_uuid(text):
        found = await tx.workloads.find(cluster.organization_id, ResourceId(text.lower()))
    if found is None or found.cluster_id != cluster.id:
        raise NotFound("No trusted issuer found")
    return found, await token_of(tx, found)


async def token_of(tx: Transaction, trust: TrustedIssuer) -> Token:
    """The token that stands for a trust.

    Raises:
        NotFound: it is gone.
    """
    token = await tx.tokens.find(trust.organization_id, trust.token_id)
    if token is None:
        raise NotFound("No trusted issuer found")
    return token


async def trust_behind(
    tx: Transaction, organization_id: OrganizationId, token_id: str
) -> TrustedIssuer | None:
    """The trust that a token stands for, by the id in a path; None where it stands for none."""
    if not is_uuid(token_id):
        return None
    token = await tx.tokens.find(organization_id, TokenId(token_id.lower()))
    if token is None or token.kind is not Kind.TRUSTED_ISSUER or token.resource_id is None:
        return None
    return await tx.workloads.find(organization_id, token.resource_id)


async def trusts_of(tx: Transaction, cluster: Cluster, page: Page) -> list[TrustedIssuer]:
    """Live trusts of a cluster, oldest first."""
    return list(await tx.workloads.list(cluster.organization_id, cluster.id, page))


async def create_trust(
    context: Context,
    tx: Transaction,
    caller: Caller,
    organization: Organization,
    cluster: Cluster,
    asked: TrustRequest,
    by: UserId | None,
) -> TrustedIssuer:
    """Trust an issuer for a cluster, inside a unit of work.

    Raises:
        Invalid: something of it is not acceptable, or would let strangers in.
        Conflict: an audience is another organization's, or there are too many trusts.
    """
    issuer, terms = check_issuer(asked.issuer), check_terms(asked.terms)
    check_width(issuer, asked.preset, terms.rules)
    check_source(context, issuer, terms)
    if await tx.workloads.count(organization.id) >= MAX_TRUSTS:
        raise Conflict(
            f"An organization trusts at most {MAX_TRUSTS} issuers; delete one that is not needed.",
            code="too_many_trusts",
        )
    await _take_audiences(context, tx, organization, issuer, terms.audiences)
    issuer_id = ResourceId(context.new_id())
    token = build_token(
        context,
        Kind.TRUSTED_ISSUER,
        organization.id,
        # Nobody can present what has this digest: it is of nothing.
        os.urandom(_DIGEST_BYTES),
        description=check_description(asked.name),
        cluster_id=cluster.id,
        restrictions=await _restrictions(tx, cluster, asked.queue, asked.networks),
        created_by=by,
        resource_id=issuer_id,
    )
    token, now = replace(token, imported=False), context.clock.now()
    made = TrustedIssuer(
        organization.id,
        issuer_id,
        cluster.id,
        token.id,
        token.description,
        issuer,
        asked.preset,
        terms,
        now,
        by,
        now,
    )
    await tx.tokens.add(token)
    await tx.workloads.add(made)
    await _record(context, tx, caller, Action.TRUSTED_ISSUER_CREATED, made, token)
    return made


async def update_trust(
    context: Context,
    tx: Transaction,
    caller: Caller,
    organization: Organization,
    cluster: Cluster,
    trust: TrustedIssuer,
    asked: TrustRequest,
) -> TrustedIssuer:
    """Change a trust, inside a unit of work; its issuer stays. Agents that have joined stay.

    Raises:
        Invalid: something of it is not acceptable, or would let strangers in.
        Conflict: an audience is another organization's, or the trust ended meanwhile.
    """
    if asked.issuer != trust.issuer:
        raise Invalid(
            "Validation failed: The issuer of a trust stays; trust another one beside it", code="issuer_fixed"
        )
    terms = check_terms(asked.terms)
    check_width(trust.issuer, trust.preset, terms.rules)
    check_source(context, trust.issuer, terms)
    await _take_audiences(context, tx, organization, trust.issuer, terms.audiences)
    token, name = await token_of(tx, trust), check_description(asked.name)
    restrictions = await _restrictions(tx, cluster, asked.queue, asked.networks)
    if not await tx.tokens.edit(token.organization_id, token.id, name, restrictions.dump()):
        raise Conflict("This trust has ended.", code="token_ended")
    now = context.clock.now()
    await tx.audit.post(token.organization_id, TOPIC_TOKEN_CHANGED, token.digest.hex(), now)
    changed = replace(trust, name=name, terms=terms, updated_at=now)
    await tx.workloads.save(changed)
    await _record(context, tx, caller, Action.TRUSTED_ISSUER_UPDATED, changed, await token_of(tx, trust))
    return changed


def request_of(trust: TrustedIssuer, token: Token) -> TrustRequest:
    """A trust as it is, to be changed in parts."""
    restrictions = load(token.restrictions)
    return TrustRequest(
        name=trust.name,
        issuer=trust.issuer,
        terms=trust.terms,
        preset=trust.preset,
        queue=restrictions.queue,
        networks=" ".join(block.text for block in restrictions.networks),
    )


def check_source(context: Context, issuer: str, terms: Terms) -> None:
    """Require keys, or an address of keys that may be asked.

    Raises:
        Invalid: there are neither.
    """
    if terms.jwks:
        read_key_set(terms.jwks)
        return
    try:
        parse_target(terms.jwks_url or issuer, context.installation.reach)
    except Invalid as error:
        raise Invalid(
            f"{error.message}; the keys of an issuer that cannot be asked from here are pinned as jwks",
            code=error.code,
        ) from None


async def _take_audiences(
    context: Context, tx: Transaction, organization: Organization, issuer: str, audiences: Sequence[str]
) -> None:
    """Require that audiences are the organization's: an issuer's audience has one owner here.

    Else another organization could trust the same issuer, and agents that mean us would join there.
    """
    home, own = f"{context.installation.url}/organizations/", own_audience(context, organization)
    for audience in audiences:
        if audience.startswith(home) and audience != own and not audience.startswith(f"{own}/"):
            raise Invalid(
                f"Validation failed: The audience {audience} is another organization's address; "
                f"yours is {own}",
                code="audience_of_another",
            )
        now = context.clock.now()
        if await tx.workloads.take_audience(issuer, audience, organization.id, now) != organization.id:
            raise Conflict(
                f"The audience {audience} is in use with this issuer already; {own} is yours alone.",
                code="audience_taken",
            )


async def _restrictions(tx: Transaction, cluster: Cluster, queue: str, networks: str) -> Restrictions:
    if queue and await tx.accounts.queue_by_key(cluster.organization_id, cluster.id, queue) is None:
        raise Invalid(f"Validation failed: Queue {queue!r} is not in this cluster", code="unknown_queue")
    return Restrictions(networks=parse_networks(networks), queue=queue)


async def _record(
    context: Context, tx: Transaction, caller: Caller, action: Action, trust: TrustedIssuer, token: Token
) -> None:
    terms = trust.terms
    rules = [f"{rule.claim} {rule.match.value} {' '.join(rule.values)}" for rule in terms.rules]
    data = {
        "name": trust.name,
        "issuer": trust.issuer,
        "cluster_id": trust.cluster_id,
        "audiences": list(terms.audiences),
        "rules": rules,
        "tags": list(terms.tags),
        "maximum_age": terms.max_age,
        "registrations": terms.registrations,
        "keys": "pinned" if terms.jwks else terms.jwks_url or "discovered",
        "restrictions": token.restrictions,
    }
    await context.record(tx, caller, action, trust.organization_id, ("trusted_issuer", trust.id), data)
