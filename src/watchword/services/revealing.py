"""Revealing: whether values of a kind may be shown again, and showing one (design §1, R14).

The trail has the reveal, committed, before the value is returned. Never over REST or GraphQL: on the host,
and in the console with a fresh proof.
"""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace

from watchword.crypto.values import Secret
from watchword.domain.accounts import Role
from watchword.domain.errors import Conflict, Forbidden, Invalid, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import OrganizationId, TokenId, UserId
from watchword.domain.kinds import KINDS, Kind
from watchword.domain.people import HOUR_US, SealedValue
from watchword.domain.tokens import State, Token
from watchword.services.context import Caller, Context
from watchword.services.mail import queue_mail
from watchword.services.sealedvalues import open_copy
from watchword.services.signing_in import Visitor, require_escalated
from watchword.services.throttling import refuse
from watchword.store.base import Transaction

Find = Callable[[Transaction], Awaitable[Token | None]]

REVEALABLE = tuple(kind for kind, spec in KINDS.items() if spec.revealable)
REVEALS_PER_HOUR = 5
MAX_REASON = 255


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """What a switch did.

    Attributes:
        destroyed: sealed copies that are gone.
    """

    kind: Kind
    revealable: bool
    destroyed: int


async def set_revealable(
    context: Context,
    caller: Caller,
    organization_id: OrganizationId,
    kind: Kind,
    by: UserId | None = None,
    *,
    revealable: bool,
) -> PolicyChange:
    """Let an organization's values of a kind be revealed, as a unit of work of its own.

    Raises:
        Invalid: values of this kind are never revealable.
    """

    async def work(tx: Transaction) -> PolicyChange:
        return await set_revealable_in(context, tx, caller, organization_id, kind, by, revealable=revealable)

    return await context.store.write(work)


async def set_revealable_in(
    context: Context,
    tx: Transaction,
    caller: Caller,
    organization_id: OrganizationId,
    kind: Kind,
    by: UserId | None,
    *,
    revealable: bool,
) -> PolicyChange:
    """Let an organization's values of a kind be revealed, from the next one on, or never again.

    Switching back destroys the sealed copies of the kind in the same unit.

    Raises:
        Invalid: values of this kind are never revealable.
    """
    if revealable and not KINDS[kind].revealable:
        shown = ", ".join(each.value for each in REVEALABLE)
        raise Invalid(
            f"A value of the kind {kind.value} is never shown again. Kinds that may be: {shown}",
            code="never_revealable",
        )
    policy = await tx.policies.policy(organization_id)
    kinds = _with(policy.revealable, kind, revealable=revealable)
    destroyed = 0 if revealable else await tx.sealed.drop_kind(organization_id, kind)
    if kinds != policy.revealable or destroyed:
        now = context.clock.now()
        await tx.policies.save(replace(policy, revealable=kinds, updated_at=now, updated_by=by))
        await context.record(
            tx,
            caller,
            Action.REVEAL_POLICY_CHANGED,
            organization_id,
            ("organization", organization_id),
            {"kind": kind.value, "revealable": revealable, "destroyed": destroyed},
        )
    return PolicyChange(kind, revealable, destroyed)


def _with(kinds: Collection[str], kind: Kind, *, revealable: bool) -> tuple[str, ...]:
    rest = {each for each in kinds if each != kind.value}
    return tuple(sorted(rest | {kind.value} if revealable else rest))


async def reveal_on_host(
    context: Context, caller: Caller, token_id: TokenId, reason: str
) -> tuple[Token, Secret]:
    """Show a token's value to whoever runs the host, whose name is the caller's.

    Raises:
        NotFound: there is no such token.
        Conflict: it is not active, or no copy of its value was kept.
        Invalid: the reason is missing or too long.
        TooMany: this person was shown five values within the last hour.
    """

    async def find(tx: Transaction) -> Token | None:
        for organization in await tx.accounts.organizations():
            found = await tx.tokens.find(organization.id, token_id)
            if found is not None:
                return found
        return None

    return await _reveal(context, caller, find, f"host:{caller.actor.name}", reason)


async def reveal(
    context: Context,
    caller: Caller,
    visitor: Visitor,
    organization_id: OrganizationId,
    token_id: TokenId,
    reason: str,
) -> tuple[Token, Secret]:
    """Show a token's value to an administrator who has just proved who they are.

    A Dagster user token is shown to its owner and to nobody else.

    Raises:
        Refused: there is no fresh proof.
        NotFound: the person's organization has no such token.
        Forbidden: the person may not.
        Conflict: it is not active, or no copy of its value was kept.
        Invalid: the reason is missing or too long.
        TooMany: this person was shown five values within the last hour.
    """
    require_escalated(visitor, context.clock.now())

    async def find(tx: Transaction) -> Token | None:
        member = await tx.accounts.member(organization_id, visitor.user.id)
        token = await tx.tokens.find(organization_id, token_id) if member is not None else None
        if member is None or token is None:
            return None
        own = token.kind is Kind.DAGSTER_USER and token.user_id == visitor.user.id
        if not own and (member.role is not Role.ADMIN or token.kind is Kind.DAGSTER_USER):
            raise Forbidden("You're not allowed to do that")
        return token

    return await _reveal(context, caller, find, f"user:{visitor.user.id}", reason)


async def _reveal(
    context: Context,
    caller: Caller,
    find: Find,
    person: str,
    reason: str,
) -> tuple[Token, Secret]:
    said = reason.strip()
    if not said or len(said) > MAX_REASON:
        raise Invalid(f"Say why, in at most {MAX_REASON} characters.", code="reason_missing")
    now = context.clock.now()

    async def work(tx: Transaction) -> tuple[Token, SealedValue]:
        token = await find(tx)
        if token is None:
            raise NotFound("No token found")
        copy = await _copy(tx, token, now)
        if await tx.sealed.reveals(person, now - HOUR_US) >= REVEALS_PER_HOUR:
            refuse(HOUR_US)
        await tx.sealed.add_reveal(person, now, token.id)
        data = {"kind": token.kind.value, "reason": said}
        await context.record(
            tx, caller, Action.TOKEN_REVEALED, token.organization_id, ("token", token.id), data
        )
        await _tell_owner(context, tx, token, caller, said)
        return token, copy

    token, copy = await context.store.write(work)  # committed: the trail has it, whatever comes now
    value = open_copy(context, token, copy)
    if value is None:
        raise Conflict("The copy of this value cannot be opened: its key is gone.", code="copy_unreadable")
    return token, value


async def _copy(tx: Transaction, token: Token, now: int) -> SealedValue:
    if token.state_at(now) is not State.ACTIVE:
        raise Conflict(f"This token is {token.state_at(now).value}; its value is gone.", code="token_ended")
    copy = await tx.sealed.find(token.organization_id, token.id)
    if copy is None:
        raise Conflict(
            "No copy of this token's value was kept: it was shown once, when it was issued.",
            code="not_revealable",
        )
    return copy


async def _tell_owner(context: Context, tx: Transaction, token: Token, caller: Caller, reason: str) -> None:
    owner = await tx.accounts.user(token.user_id or token.created_by or UserId(""))
    if owner is None:
        return
    text = (
        f"{caller.actor.name or 'Somebody'} was shown the value of the {KINDS[token.kind].title} "
        f"“{token.description}” ({token.id}).\nReason: {reason}\n"
        f"If that should not have happened, revoke the token at {context.installation.url}.\n"
    )
    await queue_mail(context, tx, owner.email, "A token's value was revealed", text, "")
