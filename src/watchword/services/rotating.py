"""Rotating: a token gets a successor; both work until the predecessor is provably unused (design §1).

Steps are units of work (`…_in`); memory hears of them by the feed.
"""

from dataclasses import dataclass, replace

import structlog

from watchword.crypto.values import Secret, digest
from watchword.domain.errors import Conflict, NotFound, WatchwordError
from watchword.domain.events import TOPIC_TOKEN_ENDED, Action
from watchword.domain.fleet import Agent
from watchword.domain.ids import OrganizationId, TokenId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.lifecycle import UsedBy
from watchword.domain.rotations import (
    REPEAT_US,
    Cause,
    Progress,
    Rotation,
    RotationState,
    check_deadline,
    due,
    progress,
    require_rotatable,
    succeed,
)
from watchword.domain.securitypolicy import Grant
from watchword.domain.tokens import DAY_US, State, Token
from watchword.services.attention import Attention, tell_rotation
from watchword.services.context import LOCAL, Caller, Context
from watchword.services.ending import end_token
from watchword.services.holding import Holders
from watchword.services.idempotency import keep, kept
from watchword.services.issuing import mint_registry_value, mint_value
from watchword.services.sealedvalues import keep_copy
from watchword.store.base import Duplicate, Page, Transaction

log = structlog.get_logger("watchword.rotating")

_SHOWN = Page(limit=100, offset=0)
_OPERATION = "rotation"


@dataclass(frozen=True, slots=True)
class Started:
    """A rotation that was started now, or a moment ago by the same caller, with the successor's value."""

    rotation: Rotation
    successor: Token
    value: Secret


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a rotation stands.

    Attributes:
        holders: live agents that still hold the predecessor, the first hundred.
        callers: of a kind whose holders are no agents of a cluster: who used the predecessor lately.
    """

    rotation: Rotation
    predecessor: Token
    successor: Token
    progress: Progress
    holders: tuple[Agent, ...]
    callers: tuple[UsedBy, ...] = ()


@dataclass(slots=True)
class Rotator:
    """Starts rotations, looks after them, ends them."""

    context: Context
    attention: Attention
    holders: Holders

    async def start_in(
        self,
        tx: Transaction,
        caller: Caller,
        token: Token,
        *,
        by: UserId | None,
        asker: str,
        deadline: int = 0,
    ) -> Started:
        """Give a token a successor that may do the same.

        The same caller who repeats it within five minutes gets the same value again.

        Args:
            tx: the unit of work.
            caller: who asks, for the audit trail.
            token: the predecessor.
            by: the person who asks.
            asker: id of the token that asks.
            deadline: when it commits at the latest; 0 means after seven days.

        Raises:
            Conflict: the token is not active, or is part of an open rotation.
            Invalid: the deadline is not acceptable.
        """
        found = await tx.rotations.open_with(token.organization_id, token.id)
        if found is not None:
            return await self._again_in(tx, token, found, asker)
        now = self.context.clock.now()
        require_rotatable(token, now)
        value = await self._value_in(tx, token)
        longest = await self._longest_in(tx, token)
        successor_id = TokenId(self.context.new_id())
        successor = succeed(token, successor_id, digest(value.reveal()), now, by, longest)
        rotation = Rotation(
            organization_id=token.organization_id,
            successor_id=successor.id,
            predecessor_id=token.id,
            kind=token.kind,
            state=RotationState.OPEN,
            cause=Cause.NONE,
            started_at=now,
            started_by=by,
            asker=asker,
            deadline=check_deadline(deadline, now),
        )
        await tx.tokens.add(successor)
        await self._add_in(tx, rotation)
        await self._copy_grants_in(tx, token, successor)
        await keep_copy(self.context, tx, successor, value)
        await keep(
            self.context,
            tx,
            token.organization_id,
            asker,
            _key(rotation),
            _OPERATION,
            value.reveal().encode(),
        )
        await self._record_in(
            tx,
            caller,
            Action.ROTATION_STARTED,
            rotation,
            {"deadline": rotation.deadline, "expires_at": successor.expires_at},
        )
        return Started(rotation, successor, value)

    async def _again_in(self, tx: Transaction, token: Token, found: Rotation, asker: str) -> Started:
        """The answer that the same caller got a moment ago."""
        now = self.context.clock.now()
        if found.predecessor_id == token.id and found.asker == asker and now - found.started_at < REPEAT_US:
            value = await kept(self.context, tx, token.organization_id, asker, _key(found))
            successor = await tx.tokens.find(token.organization_id, found.successor_id)
            if value is not None and successor is not None:
                return Started(found, successor, Secret(value.decode()))
        raise Conflict(
            "This token is part of an open rotation; finish or abort that first.", code="rotation_open"
        )

    async def _value_in(self, tx: Transaction, token: Token) -> Secret:
        """A fresh value of the token's kind."""
        if token.kind is Kind.REGISTRY and token.resource_id is not None:
            return mint_registry_value(self.context, token.organization_id, token.resource_id)
        organization = await tx.accounts.organization(token.organization_id)
        return mint_value(self.context, token.kind, organization.slug if organization is not None else "")

    async def _longest_in(self, tx: Transaction, token: Token) -> int:
        """The longest life that the organization allows to tokens of the kind."""
        if token.kind is not Kind.API_ACCESS:
            return 0
        policy = await tx.policies.policy(token.organization_id)
        return policy.maximum_api_token_days * DAY_US

    async def _add_in(self, tx: Transaction, rotation: Rotation) -> None:
        try:
            await tx.rotations.add(rotation)
        except Duplicate:
            raise Conflict("This token is part of an open rotation.", code="rotation_open") from None
        await tell_rotation(self.context, tx, rotation)

    async def _copy_grants_in(self, tx: Transaction, token: Token, successor: Token) -> None:
        """The successor reaches the organizations that the predecessor reaches, and its deployments."""
        for given in await tx.deployments.grants(token.organization_id, token.id):
            await tx.deployments.grant(replace(given, token_id=successor.id))
        for grant in await tx.policies.grants_of(token.id):
            if not grant.ended_at:
                copy = Grant(
                    grant.organization_id,
                    successor.id,
                    grant.home_id,
                    successor.created_at,
                    successor.created_by,
                )
                await tx.policies.add_grant(copy)

    async def find_in(self, tx: Transaction, organization_id: OrganizationId, token_id: TokenId) -> Rotation:
        """The rotation that a token is part of: an open one, else the latest that retired or made it.

        Raises:
            NotFound: there is none.
        """
        found = await tx.rotations.open_with(organization_id, token_id)
        if found is None:
            found = await tx.rotations.of_predecessor(organization_id, token_id)
        if found is None:
            found = await tx.rotations.of_successor(organization_id, token_id)
        if found is None:
            raise NotFound("No rotation found")
        return found

    async def standing_in(self, tx: Transaction, rotation: Rotation) -> Standing:
        """How far a rotation is, and who still holds the predecessor.

        Raises:
            NotFound: one of its tokens is gone.
        """
        organization_id = rotation.organization_id
        predecessor = await tx.tokens.find(organization_id, rotation.predecessor_id)
        successor = await tx.tokens.find(organization_id, rotation.successor_id)
        if predecessor is None or successor is None:
            raise NotFound("No rotation found")
        left = await self.holders.count_in(tx, rotation.kind, organization_id, predecessor.id)
        moved = await self.holders.count_in(tx, rotation.kind, organization_id, successor.id)
        holders = await tx.rotations.holders(organization_id, predecessor.id, _SHOWN) if left else ()
        callers = await self.holders.callers_in(tx, rotation.kind, organization_id, predecessor.id)
        how_far = progress(rotation, left, moved)
        return Standing(rotation, predecessor, successor, how_far, tuple(holders), callers)

    async def extend_in(self, tx: Transaction, caller: Caller, rotation: Rotation, deadline: int) -> Rotation:
        """Set another deadline.

        Raises:
            Conflict: the rotation is not open.
            Invalid: the deadline is not acceptable.
        """
        until = check_deadline(deadline, self.context.clock.now())
        if not await tx.rotations.extend(rotation.organization_id, rotation.successor_id, until):
            raise _not_open(rotation)
        changed = replace(rotation, deadline=until)
        await tell_rotation(self.context, tx, changed)
        await self._record_in(tx, caller, Action.ROTATION_EXTENDED, changed, {"deadline": until})
        return changed

    async def finish_in(
        self, tx: Transaction, caller: Caller, rotation: Rotation, by: UserId | None
    ) -> Rotation:
        """Commit now, whoever still holds the predecessor; repeating it changes nothing.

        Raises:
            Conflict: the rotation was aborted, or its successor has ended.
        """
        if rotation.state is RotationState.COMMITTED:
            return rotation
        if not rotation.open:
            raise _not_open(rotation)
        successor = await tx.tokens.find(rotation.organization_id, rotation.successor_id)
        if successor is None or successor.state_at(self.context.clock.now()) is not State.ACTIVE:
            raise Conflict(
                "The successor of this token is not active any more; abort the rotation.",
                code="successor_ended",
            )
        ended = await self._end_in(tx, caller, rotation, Cause.FINISHED, by)
        if ended is None:
            raise _not_open(rotation)
        return ended

    async def abort_in(
        self, tx: Transaction, caller: Caller, rotation: Rotation, by: UserId | None
    ) -> Rotation:
        """Revoke the successor; the predecessor goes on. Repeating it changes nothing.

        Raises:
            Conflict: the rotation was committed.
        """
        if rotation.state is RotationState.ABORTED:
            return rotation
        ended = await self._end_in(tx, caller, rotation, Cause.ABORTED, by)
        if ended is None:
            raise _not_open(rotation)
        return ended

    async def _end_in(
        self, tx: Transaction, caller: Caller, rotation: Rotation, cause: Cause, by: UserId | None
    ) -> Rotation | None:
        """Commit or abort; None if it had ended before. The row count decides."""
        aborted = cause is Cause.ABORTED
        state = RotationState.ABORTED if aborted else RotationState.COMMITTED
        now = self.context.clock.now()
        organization_id = rotation.organization_id
        if not await tx.rotations.end(organization_id, rotation.successor_id, state, cause, now, by):
            return None
        token_id = rotation.successor_id if aborted else rotation.predecessor_id
        token = await tx.tokens.find(organization_id, token_id)
        if token is not None and aborted:
            await end_token(self.context, tx, token, by, "rotation aborted")
        elif token is not None:
            await tx.tokens.end(organization_id, token_id, State.SUPERSEDED, now, by, f"rotated: {cause}")
            await tx.audit.post(organization_id, TOPIC_TOKEN_ENDED, token.digest.hex(), now)
        # Of a rotation for a leak: what nobody took over by now is of no use to anybody, or works already.
        await tx.leaks.drop_handover(organization_id, rotation.predecessor_id)
        if aborted:  # the leaked value goes on: its leak is not answered any more
            await tx.leaks.unanswer(organization_id, rotation.predecessor_id)
        ended = replace(rotation, state=state, cause=cause, ended_at=now, ended_by=by)
        await tell_rotation(self.context, tx, ended)
        action = Action.ROTATION_ABORTED if aborted else Action.ROTATION_COMMITTED
        await self._record_in(tx, caller, action, ended, {"cause": cause.value})
        return ended

    async def used(self, token: Token, address: str | None) -> None:
        """Note the first use of a successor; commits where that is the proof."""
        rotation = self.attention.successors.get(token.id)
        if rotation is None or rotation.first_used_at:
            return
        caller = replace(LOCAL, address=address)
        now = self.context.clock.now()

        async def work(tx: Transaction) -> None:
            if await tx.rotations.note_use(rotation.organization_id, token.id, now):
                noted = replace(rotation, first_used_at=now)
                await tell_rotation(self.context, tx, noted)
                await self._look_in(tx, caller, noted)

        try:
            await self.context.store.write(work)
        except WatchwordError as error:  # both values go on working; the next use is another chance
            log.warning("first_use_not_noted", token=token.id, error=error.code)

    async def left(self, token_id: TokenId) -> None:
        """An agent that joined with a token has left: it may have been the last one on a predecessor."""
        rotation = self.attention.predecessors.get(token_id)
        if rotation is not None and rotation.first_used_at:
            await self._look(LOCAL, rotation)

    async def sweep(self, caller: Caller) -> None:
        """Commit what is due, and end rotations whose tokens were revoked meanwhile."""
        for rotation in list(self.attention.successors.values()):
            await self._look(caller, rotation)

    async def _look(self, caller: Caller, rotation: Rotation) -> None:
        async def cause(tx: Transaction) -> Cause:
            return await self._cause_in(tx, rotation)

        if await self.context.store.read(cause):
            await self.context.store.write(lambda tx: self._look_in(tx, caller, rotation))

    async def _look_in(self, tx: Transaction, caller: Caller, rotation: Rotation) -> None:
        """End a rotation that is due; what it was when last seen is read anew."""
        current = await tx.rotations.of_successor(rotation.organization_id, rotation.successor_id)
        if current is not None and (cause := await self._cause_in(tx, current)):
            await self._end_in(tx, caller, current, cause, None)

    async def _cause_in(self, tx: Transaction, rotation: Rotation) -> Cause:
        """What ends a rotation now. A successor that has ended itself takes nobody's place."""
        if not rotation.open:
            return Cause.NONE
        now = self.context.clock.now()
        successor = await tx.tokens.find(rotation.organization_id, rotation.successor_id)
        if successor is None or successor.state_at(now) is not State.ACTIVE:
            return Cause.ABORTED
        predecessor = await tx.tokens.find(rotation.organization_id, rotation.predecessor_id)
        if predecessor is None or predecessor.state is not State.ACTIVE:
            return Cause.REVOKED
        organization_id, predecessor_id = rotation.organization_id, rotation.predecessor_id
        left = await self.holders.count_in(tx, rotation.kind, organization_id, predecessor_id)
        return due(rotation, left, now)

    async def _record_in(
        self, tx: Transaction, caller: Caller, action: Action, rotation: Rotation, data: dict[str, object]
    ) -> None:
        details = {"kind": rotation.kind.value, "successor_id": rotation.successor_id, **data}
        subject = ("token", rotation.predecessor_id)
        await self.context.record(tx, caller, action, rotation.organization_id, subject, details)


def _key(rotation: Rotation) -> str:
    return f"rotation:{rotation.successor_id}"


def _not_open(rotation: Rotation) -> Conflict:
    return Conflict(
        f"This rotation is {rotation.state.value}; it cannot be changed any more.",
        code=f"rotation_{rotation.state.value}" if not rotation.open else "rotation_ended",
    )
