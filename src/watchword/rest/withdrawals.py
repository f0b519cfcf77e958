"""Taking access away over REST: modes, dry runs and receipts, the same for every kind of agent token."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
from litestar import Response

from watchword.domain import accounts, lifecycle
from watchword.domain.errors import Conflict, Invalid
from watchword.domain.ids import OrganizationId, RevocationId, UserId
from watchword.domain.lifecycle import Mode, Withdrawal, check_withdrawal, read_mode
from watchword.domain.restrictions import load
from watchword.domain.tokens import State, Token
from watchword.rest.bodies import Body
from watchword.rest.call import Call
from watchword.rest.formats import instant, maybe_instant
from watchword.rest.users import User, show_person
from watchword.services.queries import Access, Unit, people
from watchword.services.withdrawing import Withdrawn

WITHDRAWAL = ("mode", "deadline_in_minutes", "dry_run")
REVOCATION = (*WITHDRAWAL, "reason", "receipt")
MAX_SHOWN = 100
_MAX_DIGITS = 9
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


class TokenCaller(msgspec.Struct, kw_only=True):
    """Who presented a token in the last day."""

    address: str
    client: str
    count: int
    last_at: str


class BlastRadius(msgspec.Struct, kw_only=True):
    """What taking access away touches; lists show 100 entries at most, the numbers count all."""

    agents_connected: int
    agents_joining: int
    agents_busy: int
    running_jobs: int
    running_job_ids: list[str]
    sessions: int
    callers_count: int
    callers: list[TokenCaller]
    last_used_at: str | None
    last_used_from: str | None


class Revocation(msgspec.Struct, kw_only=True):
    """The receipt: since when nothing passes on how many nodes, and how far a drain has come."""

    token_id: str
    change: str
    mode: str
    allowed_ip_addresses: str | None
    deadline: str | None
    committed: str
    effective: str | None
    finished: str | None
    nodes: int
    agents: int
    agents_cut: int
    remaining: int
    jobs_lost: int
    jobs_returned: int
    revoked_by: User | None
    reason: str


class Withdraw(Body):
    """How access is to be taken away; the same names may stand in the query."""

    mode: str | None = None
    deadline_in_minutes: int | None = None
    dry_run: bool | None = None


class RevokeToken(Withdraw):
    """How a token is revoked."""

    reason: str | None = None
    receipt: bool | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller asks for, from body and query; `named` says that a mode was."""

    withdrawal: Withdrawal
    named: bool
    dry_run: bool
    receipt: bool


class Find(Protocol):
    """Finds the token of the path; a revoked one only where it is asked for."""

    def __call__(self, tx: Unit, access: Access, *, revoked: bool) -> Awaitable[Token]:
        """The token."""


def read_asked(call: Call, body: Withdraw) -> Asked:
    """What body and query ask for; the query goes first.

    Raises:
        Invalid: there is no such mode, or a value cannot be read.
    """
    mode = _first(call, "mode") or body.mode
    revoking = isinstance(body, RevokeToken)
    reason = _first(call, "reason") or (body.reason if isinstance(body, RevokeToken) else None) or ""
    receipt = body.receipt if isinstance(body, RevokeToken) else None
    given = _first(call, "deadline_in_minutes")
    deadline = body.deadline_in_minutes if given is None else _number(given)
    return Asked(
        check_withdrawal(read_mode(mode) if mode else Mode.STOP_JOINING, deadline, reason),
        bool(mode),
        read_switch(call, "dry_run") or bool(body.dry_run),
        revoking and (read_switch(call, "receipt") or bool(receipt)),
    )


def _first(call: Call, name: str) -> str | None:
    return next(iter(call.query(name)), None)


def read_switch(call: Call, name: str) -> bool | None:
    """A switch of the query; None where it is absent.

    Raises:
        Invalid: it is neither true nor false.
    """
    text = _first(call, name)
    if text is None:
        return None
    if text.lower() not in _TRUTH:
        raise Invalid(f"Validation failed: {name} is true or false", code="invalid_query")
    return _TRUTH[text.lower()]


def read_state(call: Call) -> State | None:
    """The state that the query asks for; None where it names none.

    Raises:
        Invalid: there is no such state.
    """
    text = _first(call, "state")
    try:
        return State(text) if text is not None else None
    except ValueError:
        names = ", ".join(state.value for state in State)
        raise Invalid(f"Invalid states: {text}. Valid states are {names}.", code="invalid_state") from None


def _number(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS:
        return int(text)
    raise Invalid("Validation failed: Deadline in minutes is a number", code="invalid_deadline")


def show_radius(radius: lifecycle.BlastRadius) -> BlastRadius:
    """A blast radius as JSON."""
    used = radius.last_use
    return BlastRadius(
        agents_connected=radius.connected,
        agents_joining=radius.joining,
        agents_busy=radius.busy,
        running_jobs=len(radius.running),
        running_job_ids=list(radius.running[:MAX_SHOWN]),
        sessions=radius.children,
        callers_count=len(radius.callers),
        callers=show_callers(radius.callers),
        last_used_at=instant(used.last_at) if used is not None else None,
        last_used_from=used.address or None if used is not None else None,
    )


def show_callers(callers: Sequence[lifecycle.UsedBy]) -> list[TokenCaller]:
    """The first of those who used a token, as JSON."""
    return [
        TokenCaller(address=one.address, client=one.client, count=one.count, last_at=instant(one.last_at))
        for one in callers[:MAX_SHOWN]
    ]


def show_receipt(receipt: lifecycle.Receipt, known: Mapping[UserId, accounts.User]) -> Revocation:
    """A receipt as JSON."""
    made = receipt.revocation
    blocks = load(made.networks).networks
    narrowed = made.change is lifecycle.Change.NARROW
    return Revocation(
        token_id=made.token_id,
        change=made.change.value,
        mode=made.mode.value,
        allowed_ip_addresses=" ".join(block.text for block in blocks) if narrowed else None,
        deadline=maybe_instant(made.deadline),
        committed=instant(made.committed_at),
        effective=maybe_instant(made.effective_at),
        finished=maybe_instant(made.finished_at),
        nodes=receipt.nodes,
        agents=made.agents,
        agents_cut=made.agents_cut,
        remaining=receipt.remaining,
        jobs_lost=made.jobs_lost,
        jobs_returned=made.jobs_returned,
        revoked_by=show_person(known, made.by),
        reason=made.reason,
    )


async def require_token(call: Call, find: Find) -> None:
    """Require right and token before the body is looked at (contract rest-graphql §1.3).

    Raises:
        Forbidden: the caller may not do this here.
        NotFound: there is no such token.
    """
    await call.read(lambda tx, access: find(tx, access, revoked=True))


async def radius_of(call: Call, find: Find) -> BlastRadius:
    """What the token's end would touch."""

    async def work(tx: Unit, access: Access) -> BlastRadius:
        token = await find(tx, access, revoked=True)
        return show_radius(await call.authority.blast.radius_in(tx, token))

    return await call.read(work)


async def revocation_of(call: Call, find: Find) -> Revocation:
    """How access was last taken from the token."""

    async def work(tx: Unit, access: Access) -> Revocation:
        receipt = await call.authority.revoker.latest_in(tx, await find(tx, access, revoked=True))
        return show_receipt(receipt, await people(tx, [receipt.revocation.by]))

    return await call.read(work)


async def revoke_token(
    call: Call, find: Find, *, reason: str = "", reasoned: bool = False
) -> Response[BlastRadius | Revocation | None]:
    """Revoke the token of the path as body and query ask; a dry run changes nothing.

    Whoever names a mode may make an earlier revocation stronger.

    Args:
        call: the request.
        find: finds the token.
        reason: the reason where none is given.
        reasoned: whether one must be.
    """
    await require_token(call, find)
    asked = read_asked(call, call.decode(RevokeToken))
    if asked.dry_run:
        return _ok(await radius_of(call, find))
    done: list[Withdrawn] = []

    async def work(tx: Unit, access: Access) -> bytes:
        token = await find(tx, access, revoked=asked.named or reasoned)
        if reasoned and token.state is State.REVOKED and not asked.named:
            raise Conflict("This token has already been revoked", code="token_ended")
        wanted = asked.withdrawal
        if reasoned and not wanted.reason.strip():
            raise Invalid("Validation failed: Reason can't be blank", code="reason_missing")
        full = Withdrawal(wanted.mode, wanted.deadline, wanted.reason or reason)
        made = await call.authority.revoker.revoke_in(tx, access.caller, token, access.user.id, full)
        done[:] = [made]
        return f"{made.revocation.organization_id} {made.revocation.id}".encode()

    owner, _, revocation_id = (await call.once(work)).decode().partition(" ")
    for made in done:
        call.authority.revoker.settle(made)
    await call.authority.revoker.confirm(OrganizationId(owner), RevocationId(revocation_id))
    return _ok(await revocation_of(call, find)) if asked.receipt else Response(None, status_code=204)


def _ok(content: BlastRadius | Revocation) -> Response[BlastRadius | Revocation | None]:
    return Response(content, status_code=200)
