"""What a secret's policy makes of a job that somebody imagines: a dry run (docs/secrets.md)."""

from typing import Annotated

import msgspec
from litestar import post
from msgspec import Meta

from watchword.domain.secretpolicy import Origin, RuleVerdict, Verdict
from watchword.rest.bodies import Body
from watchword.rest.call import Call, RestRequest, needs
from watchword.rest.secrets import SECRET
from watchword.services.queries import Access, Unit, find_cluster
from watchword.services.secretpolicies import Asked, explain
from watchword.services.secrets import find_secret

Text = Annotated[str, Meta(max_length=512)]


class ImaginedJob(Body):
    """A job that a policy is held against; what is absent is not known, but for branch, source and queue."""

    pipeline: Annotated[str, Meta(min_length=1, max_length=512)]
    branch: Text | None = None
    tag: Text | None = None
    source: Text = "ui"
    creator: Text | None = None
    queue: Text = "default"
    pull_request: Origin = Origin.NONE
    agent_tags: Annotated[list[Text], Meta(max_length=100)] | None = None


class PolicyClaim(msgspec.Struct, kw_only=True):
    """How one claim of a rule came out."""

    claim: str
    wanted: list[str]
    found: list[str]
    met: bool
    reason: str | None


class PolicyRule(msgspec.Struct, kw_only=True):
    """How one rule came out; `flaw` says why it can never match."""

    number: int
    matches: bool
    flaw: str | None
    claims: list[PolicyClaim]


class PolicyVerdict(msgspec.Struct, kw_only=True):
    """Whether the job gets the secret; `rule` is the number of the first rule that matches."""

    permitted: bool
    rule: int | None
    reason: str
    rules: list[PolicyRule]


def show_verdict(verdict: Verdict) -> PolicyVerdict:
    """A verdict as JSON."""
    return PolicyVerdict(
        permitted=verdict.permitted,
        rule=verdict.rule or None,
        reason=verdict.reason,
        rules=[_rule(each) for each in verdict.rules],
    )


def _rule(rule: RuleVerdict) -> PolicyRule:
    claims = [
        PolicyClaim(
            claim=each.claim,
            wanted=list(each.wanted),
            found=list(each.found),
            met=each.met,
            reason=each.reason or None,
        )
        for each in rule.claims
    ]
    return PolicyRule(number=rule.number, matches=rule.matches, flaw=rule.flaw or None, claims=claims)


@post(
    SECRET + "/explain",
    opt=needs("secret.read", body=ImaginedJob),
    status_code=200,
    summary="Explain a secret's policy",
)
async def explain_policy(request: RestRequest) -> PolicyVerdict:
    """Say which rule would let a job have the secret, or why none does; nothing is read or recorded."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> PolicyVerdict:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        secret = await find_secret(tx, cluster, call.path("secret"))
        job = call.decode(ImaginedJob)
        asked = Asked(
            pipeline=job.pipeline,
            branch=job.branch or "",
            tag=job.tag or "",
            source=job.source,
            creator=job.creator or "",
            queue=job.queue,
            origin=job.pull_request,
            agent_tags=job.agent_tags or (),
        )
        return show_verdict(await explain(tx, cluster, secret, asked))

    return await call.read(work)


HANDLERS = (explain_policy,)
