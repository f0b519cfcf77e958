"""Revoking: a token's end, and what becomes of the agents that joined with it.

`revoke` is the plain end of a token of any kind. `Revoker` knows the modes and keeps a record that a drain
is carried on by; state, record, audit event and notice to the caches are one unit of work.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from watchword.domain.errors import Conflict, Invalid, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import ClusterId, OrganizationId, RevocationId, TokenId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.lifecycle import (
    MAX_REASON,
    Change,
    Mode,
    Receipt,
    Revocation,
    Withdrawal,
    escalated,
)
from watchword.domain.tokens import State, Token
from watchword.services.context import Caller, Context
from watchword.services.ending import end_token
from watchword.services.oauthends import end_with_token_in
from watchword.services.withdrawing import Withdrawer, Withdrawn
from watchword.store.base import Page, Transaction


async def find_agent_token(
    tx: Transaction,
    organization_id: OrganizationId,
    cluster_id: ClusterId | None,
    token_id: TokenId,
    *,
    revoked: bool = False,
) -> Token:
    """An agent token of a cluster, or an unclustered one where no cluster is named.

    Args:
        tx: the unit of work.
        organization_id: whose it is.
        cluster_id: the cluster.
        token_id: the token.
        revoked: whether a revoked one is found too.

    Raises:
        NotFound: there is none, or not here.
    """
    token = await tx.tokens.find(organization_id, token_id)
    if (
        token is None
        or token.kind is not (Kind.AGENT if cluster_id is not None else Kind.UNCLUSTERED_AGENT)
        or token.cluster_id != cluster_id
        or (token.state is State.REVOKED and not revoked)
    ):
        raise NotFound("No agent token found")
    return token


async def list_agent_tokens(
    context: Context, organization_id: OrganizationId, cluster_id: ClusterId, page: Page
) -> list[Token]:
    """Agent tokens of a cluster that are not revoked, oldest first."""

    async def work(tx: Transaction) -> list[Token]:
        return list(await tx.tokens.list(organization_id, Kind.AGENT, cluster_id, page))

    return await context.store.read(work)


async def revoke(
    context: Context,
    tx: Transaction,
    caller: Caller,
    token: Token,
    by: UserId | None,
    reason: str = "",
) -> None:
    """Revoke a token: no new agent starts with it; agents that are connected stay connected.

    Repeating it changes nothing and is no error.

    Raises:
        Invalid: the reason is too long.
    """
    if len(reason) > MAX_REASON:
        raise Invalid(f"A reason takes at most {MAX_REASON} characters.", code="reason_too_long")
    if await end_token(context, tx, token, by, reason):
        await _record(context, tx, caller, token, {"reason": reason})
        await end_with_token_in(context, tx, caller, token, by, reason)


async def _record(
    context: Context, tx: Transaction, caller: Caller, token: Token, details: Mapping[str, object]
) -> None:
    subject = ("token", token.id)
    data = {"kind": token.kind.value, **details}
    await context.record(tx, caller, Action.TOKEN_REVOKED, token.organization_id, subject, data)


@dataclass(slots=True)
class Revoker:
    """Revokes in modes, and carries drains on."""

    context: Context
    withdrawer: Withdrawer

    async def revoke_in(
        self, tx: Transaction, caller: Caller, token: Token, by: UserId | None, asked: Withdrawal
    ) -> Withdrawn:
        """Revoke a token of any kind, inside a unit of work; call `settle` after the commit.

        Repeated, it may become stronger and never weaker; what asks for nothing more changes nothing.

        Raises:
            Conflict: somebody else did so at the same moment.
        """
        now = self.context.clock.now()
        rows = await self.of_token_in(tx, token, Change.REVOKE)
        known = rows[0] if rows else plain(token)
        if known is None:
            await end_token(self.context, tx, token, by, asked.reason)
            await end_with_token_in(self.context, tx, caller, token, by, asked.reason)
            fresh = self.fresh(token, Change.REVOKE, "", by, asked)
        else:
            grown = escalated(known, asked, now, by)
            if grown is None:
                return Withdrawn(known)
            fresh = grown
        details = {
            "reason": fresh.reason,
            "mode": fresh.mode.value,
            "deadline": fresh.deadline,
            "again": known is not None,
        }
        await _record(self.context, tx, caller, token, details)
        return await self.apply_in(tx, caller, rows[0] if rows else None, fresh)

    def fresh(
        self, token: Token, change: Change, networks: str, by: UserId | None, asked: Withdrawal
    ) -> Revocation:
        """A revocation that begins now."""
        now = self.context.clock.now()
        return Revocation(
            organization_id=token.organization_id,
            id=RevocationId(self.context.new_id()),
            token_id=token.id,
            change=change,
            mode=asked.mode,
            networks=networks,
            deadline=now + asked.deadline if asked.deadline else 0,
            committed_at=now,
            effective_at=0,
            finished_at=0,
            by=by,
            reason=asked.reason,
        )

    async def of_token_in(self, tx: Transaction, token: Token, change: Change) -> list[Revocation]:
        """What was taken from a token in one way, newest first."""
        rows = await tx.revocations.of_token(token.organization_id, token.id)
        return [row for row in rows if row.change is change]

    async def apply_in(
        self, tx: Transaction, caller: Caller, known: Revocation | None, wanted: Revocation
    ) -> Withdrawn:
        """Carry a new or changed revocation out and write it.

        Raises:
            Conflict: the one that it changes was changed meanwhile.
        """
        done = await self.withdrawer.carry_out_in(tx, caller, wanted, wanted.mode)
        if known is None:
            await tx.revocations.add(done.revocation)
        elif not await tx.revocations.save(known, done.revocation):
            raise Conflict("This revocation was changed a moment ago; try again.", code="changed_meanwhile")
        return done

    def settle(self, done: Withdrawn) -> None:
        """Tell memory, after the commit."""
        self.withdrawer.settle(done)

    async def confirm(self, organization_id: OrganizationId, revocation_id: RevocationId) -> Receipt | None:
        """Note that a committed revocation is effective here, and what is left of it; None if there is none.

        Its notices went to the caches before its unit of work was acknowledged.
        """
        now = self.context.clock.now()

        async def work(tx: Transaction) -> Receipt | None:
            await tx.revocations.take_effect(organization_id, revocation_id, now)
            found = await tx.revocations.find(organization_id, revocation_id)
            return await self.receipt_in(tx, found) if found is not None else None

        return await self.context.store.write(work)

    async def confirm_all(self, done: Sequence[Withdrawn]) -> None:
        """Note that many committed revocations are effective here, in one unit of work."""
        now = self.context.clock.now()

        async def work(tx: Transaction) -> None:
            await tx.revocations.take_effect_all([one.revocation for one in done], now)

        if done:
            await self.context.store.write(work)

    async def receipt_in(self, tx: Transaction, revocation: Revocation) -> Receipt:
        """A revocation with the number of agents that are still to leave."""
        if revocation.finished_at:
            return Receipt(revocation, 0)
        return Receipt(revocation, await self.withdrawer.remaining_in(tx, revocation))

    async def latest_in(self, tx: Transaction, token: Token) -> Receipt:
        """How access was last taken from a token.

        Raises:
            NotFound: it never was.
        """
        rows: Sequence[Revocation] = await tx.revocations.of_token(token.organization_id, token.id)
        ends = [row for row in rows if row.change is Change.REVOKE]
        found = next(iter(ends or rows), None) if ends or token.state is not State.REVOKED else plain(token)
        if found is None:
            raise NotFound("No revocation found")
        return await self.receipt_in(tx, found)

    async def sweep(self, caller: Caller) -> None:
        """Carry drains on: stop who joined meanwhile, cut at the deadline, finish what is done."""
        for found in await self.context.store.read(lambda tx: tx.revocations.open()):
            if not found.effective_at:
                await self.confirm(found.organization_id, found.id)
            if not found.finished_at:
                await self._carry_on(caller, found)

    async def _carry_on(self, caller: Caller, found: Revocation) -> None:
        over = 0 < found.deadline <= self.context.clock.now()
        agents = await self.context.store.read(lambda tx: self.withdrawer.scope_in(tx, found))
        if agents and not over and all(agent.stopping_at for agent in agents):
            self.settle(Withdrawn(found, draining=tuple(agents)))  # memory may have missed it
            return

        async def work(tx: Transaction) -> Withdrawn | None:
            known = await tx.revocations.find(found.organization_id, found.id)
            if known is None or known.finished_at:
                return None
            mode = Mode.CUT if over else known.mode
            done = await self.withdrawer.carry_out_in(tx, caller, known, mode)
            return done if await tx.revocations.save(known, done.revocation) else None

        done = await self.context.store.write(work)
        if done is not None:
            self.settle(done)


def plain(token: Token) -> Revocation | None:
    """The revocation of a token that was revoked without a record; None if it is not revoked."""
    if token.state is not State.REVOKED:
        return None
    return Revocation(
        organization_id=token.organization_id,
        id=RevocationId(token.id),
        token_id=token.id,
        change=Change.REVOKE,
        mode=Mode.STOP_JOINING,
        networks="",
        deadline=0,
        committed_at=token.ended_at,
        effective_at=token.ended_at,
        finished_at=token.ended_at,
        by=token.ended_by,
        reason=token.ended_reason,
    )
