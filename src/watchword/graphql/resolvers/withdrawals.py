"""Taking access away, Watchword's own: modes, dry runs and receipts, for every kind of agent token."""

from collections.abc import Mapping
from dataclasses import dataclass

from watchword.domain.errors import Conflict, Invalid
from watchword.domain.ids import ClusterId
from watchword.domain.lifecycle import BlastRadius, Change, Mode, Receipt, Withdrawal, check_withdrawal
from watchword.domain.restrictions import load, parse_networks
from watchword.domain.tokens import State, Token
from watchword.graphql.binding import Arguments, Thing, field
from watchword.graphql.call import Call, Order
from watchword.graphql.finding import maybe
from watchword.graphql.resolvers.users import person
from watchword.services.narrowing import networks_text
from watchword.services.queries import Access, Unit
from watchword.services.withdrawing import Withdrawn

_SHOWN = 100


def show_radius(radius: BlastRadius) -> Mapping[str, object]:
    """A blast radius as an object."""
    used = radius.last_use
    return {
        "connectedAgentsCount": radius.connected,
        "joiningAgentsCount": radius.joining,
        "busyAgentsCount": radius.busy,
        "runningJobsCount": len(radius.running),
        "runningJobUuids": list(radius.running[:_SHOWN]),
        "sessionsCount": radius.children,
        "callersCount": len(radius.callers),
        "callers": [
            {"address": one.address, "client": one.client, "count": one.count, "lastAt": one.last_at}
            for one in radius.callers[:_SHOWN]
        ],
        "lastUsedAt": used.last_at if used is not None else None,
        "lastUsedFrom": (used.address or None) if used is not None else None,
    }


def show_receipt(receipt: Receipt) -> Thing:
    """A receipt as an object."""
    made = receipt.revocation
    blocks = " ".join(block.text for block in load(made.networks).networks)
    values = {
        "change": made.change.value,
        "mode": made.mode.name,
        "allowedIpAddresses": blocks if made.change is Change.NARROW else None,
        "deadline": made.deadline or None,
        "committedAt": made.committed_at,
        "effectiveAt": made.effective_at or None,
        "finishedAt": made.finished_at or None,
        "nodesCount": receipt.nodes,
        "agentsCount": made.agents,
        "agentsCutCount": made.agents_cut,
        "remainingAgentsCount": receipt.remaining,
        "jobsLostCount": made.jobs_lost,
        "jobsReturnedCount": made.jobs_returned,
        "reason": made.reason or None,
    }
    return Thing("TokenRevocation", None, receipt, values)


@field("TokenRevocation", "revokedBy")
async def revoked_by(call: Call, receipt: Receipt, _arguments: Arguments) -> Thing | None:
    """Who did it; null where the server did."""
    return await person(call, receipt.revocation.by)


def _cluster(token: Token) -> ClusterId | None:
    return token.cluster_id


def _bind(of: str, operation: str) -> None:
    """Bind what one type of token shows of its end."""

    @field(of, "blastRadius", operation, cluster=_cluster)
    async def blast_radius(call: Call, token: Token, arguments: Arguments) -> Mapping[str, object]:
        given = arguments.get("allowedIpAddresses")
        networks = None if given is None else parse_networks(networks_text(str(given)))
        blast = call.authority.blast
        return show_radius(await call.read(lambda tx: blast.radius_in(tx, token, networks)))

    @field(of, "revocation", operation, cluster=_cluster)
    async def revocation(call: Call, token: Token, _arguments: Arguments) -> Thing | None:
        revoker = call.authority.revoker
        found = await call.read(lambda tx: maybe(revoker.latest_in(tx, token)))
        return show_receipt(found) if found is not None else None


_bind("ClusterToken", "agent_token.read")
_bind("AgentToken", "unclustered_agent_token.read")


def asked(order: Order, reason: str = "") -> Withdrawal:
    """How the input wants access taken away.

    Raises:
        Invalid: the reason is too long, or the deadline not one of a drain or out of range.
    """
    mode = Mode[order.input.get("mode") or "STOP_JOINING"]
    return check_withdrawal(mode, order.input.get("deadlineInMinutes"), order.text("reason") or reason)


@dataclass(frozen=True, slots=True)
class Ended:
    """What a revocation did; `radius` alone of a dry run."""

    token: Token
    radius: BlastRadius | None = None
    withdrawn: Withdrawn | None = None


async def end_in(
    order: Order, tx: Unit, access: Access, token: Token, wanted: Withdrawal, *, reasoned: bool
) -> Ended:
    """Revoke a token as the input asks, inside the order's unit of work; a dry run changes nothing.

    Whoever names a mode may make an earlier revocation stronger.

    Args:
        order: the mutation, whose right was asked for.
        tx: its unit of work.
        access: who asks.
        token: the token.
        wanted: how.
        reasoned: whether a reason must be given.

    Raises:
        Conflict: it was revoked before, and no mode is named.
        Invalid: the reason is blank.
    """
    if order.input.get("dryRun"):
        return Ended(token, radius=await order.call.authority.blast.radius_in(tx, token))
    if token.state is State.REVOKED and not order.input.get("mode"):
        raise Conflict("This agent token has already been revoked", code="token_ended")
    if reasoned and not wanted.reason.strip():
        raise Invalid("Validation failed: Reason can't be blank", code="reason_missing")
    revoker = order.call.authority.revoker
    done = await revoker.revoke_in(tx, access.caller, token, access.user.id, wanted)
    return Ended(token, withdrawn=done)


async def settled(order: Order, ended: Ended) -> Mapping[str, object]:
    """After the commit: memory follows, the revocation is effective; what the payload says of it."""
    radius = show_radius(ended.radius) if ended.radius is not None else None
    return {"blastRadius": radius, "revocation": await confirmed(order, ended.withdrawn)}


async def confirmed(order: Order, done: Withdrawn | None) -> Thing | None:
    """Note that what was taken away is effective, and its receipt."""
    if done is None:
        return None
    revoker = order.call.authority.revoker
    revoker.settle(done)
    receipt = await revoker.confirm(done.revocation.organization_id, done.revocation.id)
    return show_receipt(receipt or Receipt(done.revocation, 0))
