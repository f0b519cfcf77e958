"""Responding: what the rules ask for is done to a token that leaked, now or when its hold is over.

`respond_in` is part of the unit of work that opens or changes a case; `settle` follows the commit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from watchword.crypto.sealing import seal
from watchword.domain.errors import Conflict, Unavailable, WatchwordError
from watchword.domain.events import Action
from watchword.domain.fleet import AgentState
from watchword.domain.ids import UserId
from watchword.domain.kinds import Kind
from watchword.domain.leakpolicy import BREAKER_WINDOW_US, LONGEST_HOLD_US, Breaker, Rule, holdable
from watchword.domain.leaks import Leak, LeakState, Outcome, Response
from watchword.domain.lifecycle import Withdrawal
from watchword.domain.tokens import MINUTE_US, State, Token
from watchword.services.attention import Held, tell_leak
from watchword.services.context import LOCAL, Caller, Context
from watchword.services.ending import end_token
from watchword.services.finishing import Finisher, Left
from watchword.services.revoking import Revoker
from watchword.services.rotating import Rotator
from watchword.services.withdrawing import Withdrawn
from watchword.store.base import Transaction

log = structlog.get_logger("watchword.leaks")


@dataclass(frozen=True, slots=True)
class Done:
    """A case after a response, and what memory is to follow."""

    leak: Leak
    withdrawn: Withdrawn | None = None
    left: Left | None = None


@dataclass(slots=True)
class Responder:
    """Carries responses out."""

    context: Context
    revoker: Revoker
    rotator: Rotator
    finisher: Finisher
    breaker: Breaker

    async def decide_in(
        self, tx: Transaction, caller: Caller, leak: Leak, token: Token | None, rule: Rule, *, dry_run: bool
    ) -> Done:
        """What the rules make of a live token's case: done, held, or only said.

        Args:
            tx: the unit of work; it writes the case that is returned.
            caller: who reports, for the audit trail.
            leak: the case as it is now.
            token: the record; None for a job token.
            rule: what the organization's policy asks for.
            dry_run: whether nothing is done.
        """
        wanted = replace(leak, response=rule.response, failure="")
        if not rule.response.acts:
            return Done(replace(wanted, outcome=Outcome.NOTIFIED))
        if dry_run:
            return Done(replace(wanted, outcome=Outcome.WOULD))
        until = await self._hold_in(tx, wanted)
        if until:
            held = replace(wanted, state=LeakState.HELD, outcome=Outcome.HELD, held_until=until)
            await self._record(tx, caller, Action.LEAK_HELD, held)
            return Done(held)
        return await self.respond_in(tx, caller, wanted, token, rule, None)

    async def _hold_in(self, tx: Transaction, leak: Leak) -> int:
        """Until when the circuit breaker holds a response; 0 where it lets it pass (T11).

        What one reporter has waiting ends together, so that a flood is looked at as one.
        """
        if leak.drill or not holdable(leak.evidence, leak.visibility):
            return 0
        now = self.context.clock.now()
        waiting = [one.held_until for one in await tx.leaks.held() if one.reporter == leak.reporter]
        if waiting:
            return max(min(waiting), now + 1)
        acted = await tx.leaks.acted_since(leak.reporter, now - BREAKER_WINDOW_US)
        enough = self.breaker.enough(acted)
        live = await tx.leaks.live_tokens(enough) if enough else 0
        return now + LONGEST_HOLD_US if self.breaker.trips(acted, live) else 0

    async def respond_in(
        self,
        tx: Transaction,
        caller: Caller,
        leak: Leak,
        token: Token | None,
        rule: Rule,
        by: UserId | None,
    ) -> Done:
        """Carry a response out, whatever the circuit breaker says; a person may ask for it too.

        What stands in the way is noted in the case and is no error of the report.

        Raises:
            Conflict: somebody changed the token at this moment; to be tried again, so that nothing is lost.
            Unavailable: the database cannot take it now.
        """
        now = self.context.clock.now()
        wanted = replace(
            leak, state=LeakState.OPEN, response=rule.response, held_until=0, acted_by=by, failure=""
        )
        try:
            done = await self._act_in(tx, caller, wanted, token, rule, by)
        except WatchwordError as error:
            if rule.response is Response.REVOKE and isinstance(error, Conflict | Unavailable):
                raise
            done = Done(replace(wanted, outcome=Outcome.FAILED, failure=error.code))
        if leak.outcome is Outcome.QUARANTINED and done.leak.outcome is not Outcome.QUARANTINED:
            await tell_leak(self.context, tx, leak.organization_id, Held(leak.token_id, held=False))
        acted = done.leak.outcome not in (Outcome.FAILED, Outcome.NOTIFIED, Outcome.DEAD)
        answered = replace(done.leak, acted_at=now if acted else leak.acted_at, telling=True)
        await self._record(tx, caller, Action.LEAK_ANSWERED, answered)
        return replace(done, leak=answered)

    async def _act_in(
        self, tx: Transaction, caller: Caller, leak: Leak, token: Token | None, rule: Rule, by: UserId | None
    ) -> Done:
        if not rule.response.acts:
            return Done(replace(leak, outcome=Outcome.NOTIFIED))
        if token is None or token.state_at(self.context.clock.now()) is not State.ACTIVE:
            return Done(replace(leak, outcome=Outcome.DEAD))
        if rule.response is Response.QUARANTINE:
            await tell_leak(self.context, tx, leak.organization_id, Held(token.id, held=True))
            return Done(replace(leak, outcome=Outcome.QUARANTINED))
        # A token that an application was given has no successor to hand over: the application asks anew.
        if rule.response is Response.ROTATE and not token.of_grant:
            return Done(await self._rotate_in(tx, caller, leak, token, rule, by))
        if token.kind is Kind.AGENT_SESSION:
            return await self._cut_in(tx, caller, leak, token)
        asked = Withdrawal(rule.mode, 0, f"leaked ({leak.id})")
        withdrawn = await self.revoker.revoke_in(tx, caller, token, by, asked)
        return Done(replace(leak, outcome=Outcome.REVOKED), withdrawn=withdrawn)

    async def _rotate_in(
        self, tx: Transaction, caller: Caller, leak: Leak, token: Token, rule: Rule, by: UserId | None
    ) -> Leak:
        """Give the token a successor, whose value waits, sealed, for the person who takes it over."""
        deadline = self.context.clock.now() + rule.grace_minutes * MINUTE_US
        rotation = await tx.rotations.open_with(token.organization_id, token.id)
        if rotation is not None and rotation.predecessor_id == token.id:
            if deadline < rotation.deadline:
                await self.rotator.extend_in(tx, caller, rotation, deadline)
            return replace(leak, outcome=Outcome.ROTATING)
        started = await self.rotator.start_in(
            tx, caller, token, by=by, asker=f"leak:{leak.id}", deadline=deadline
        )
        sealed = seal(self.context.keys, started.value.reveal().encode(), bound_to(leak))
        return replace(leak, outcome=Outcome.ROTATING, handover=sealed)

    async def _cut_in(self, tx: Transaction, caller: Caller, leak: Leak, token: Token) -> Done:
        """End a session: its agent leaves, and registers anew with its agent token."""
        agent = await tx.fleet.find(token.organization_id, token.agent_id) if token.agent_id else None
        revoked = replace(leak, outcome=Outcome.REVOKED)
        if agent is None or agent.ended_at:
            await end_token(self.context, tx, token, None, f"leaked ({leak.id})")
            return Done(revoked)
        why = "its session token leaked"
        left = await self.finisher.leave_in(tx, caller, agent, AgentState.DISCONNECTED, why=why, lost=True)
        return Done(revoked, left=left)

    async def settle(self, done: Sequence[Done]) -> None:
        """Tell memory, after the commit, and confirm what is effective."""
        self.remember(done)
        await self.confirm(done)

    def remember(self, done: Sequence[Done]) -> None:
        """Tell memory, after the commit; `confirm` may follow later, for many together."""
        for one in done:
            if one.left is not None:
                self.finisher.settle_left(one.left)
            if one.withdrawn is not None:
                self.revoker.settle(one.withdrawn)

    async def confirm(self, done: Sequence[Done]) -> None:
        """Note which revocations are effective; what a crash leaves out the sweep makes up for."""
        await self.revoker.confirm_all([one.withdrawn for one in done if one.withdrawn is not None])

    async def sweep(self) -> None:
        """Carry out what was held for as long as it may be: nobody decided, so that the rules do."""
        now = self.context.clock.now()
        for leak in await self.context.store.read(lambda tx: tx.leaks.held()):
            if leak.held_until <= now:
                await self._go_on(leak)

    async def _go_on(self, leak: Leak) -> None:
        async def work(tx: Transaction) -> Done | None:
            known = await tx.leaks.find(leak.organization_id, leak.id)
            if known is None or known.state is not LeakState.HELD:
                return None
            token = await tx.tokens.find(known.organization_id, known.token_id)
            policy = await tx.leaks.policy(known.organization_id)
            rule = policy.rule(known.kind, known.visibility)
            done = Done(replace(known, state=LeakState.OPEN, outcome=Outcome.WOULD, held_until=0))
            if not policy.dry_run:
                done = await self.respond_in(tx, LOCAL, known, token, rule, None)
            return done if await tx.leaks.save(known, done.leak) else None

        done = await self.context.store.write(work)
        if done is not None:
            await self.settle([done])
            log.warning("leak_hold_over", leak=leak.id, outcome=done.leak.outcome.value)

    async def _record(self, tx: Transaction, caller: Caller, action: Action, leak: Leak) -> None:
        details = {
            "token_id": leak.token_id,
            "kind": leak.kind.value,
            "response": leak.response.value,
            "outcome": leak.outcome.value,
            "failure": leak.failure,
            "reporter": leak.reporter,
            "held_until": leak.held_until,
        }
        subject = ("leak", leak.id)
        await self.context.record(tx, caller, action, leak.organization_id, subject, details)


def bound_to(leak: Leak) -> str:
    """What a successor's sealed value is bound to."""
    return f"leak:{leak.organization_id}:{leak.id}"
