"""Joining with an identity token: used once, an agent registered, its identity kept; refusals in the trail.

Real agents repeat a registration whose answer was lost: the same token with the same name and host, from the
same address, takes the place of an agent that never connected (decision 0020). A process that starts several
agents registers each with the same token: as many as the trust says, from one machine and address, within its
window.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from watchword.domain.errors import Forbidden, Refused
from watchword.domain.events import SYSTEM, Action, Actor
from watchword.domain.fleet import Agent, AgentState
from watchword.domain.ids import AgentId
from watchword.domain.tokens import Reason
from watchword.domain.use import HOUR_US
from watchword.domain.workloads import AgentIdentity, IdentityReason, IdentityUse, TrustedIssuer
from watchword.services.context import Caller, Context
from watchword.services.exchanging import Joined, Registration, register
from watchword.services.fleet import Fleet
from watchword.services.identities import Identities, IdentityRefused, Proven
from watchword.services.refusing import refusal
from watchword.store.base import Transaction

_SECOND_US = 1_000_000
_MAX_CLAIMS = 8 * 1024
_MAX_NOTED = 1000


@dataclass(slots=True)
class Joiner:
    """Registers agents by identity tokens."""

    context: Context
    fleet: Fleet
    identities: Identities
    _noted: dict[tuple[str, str, str], int] = field(default_factory=dict)
    _waiting: list[tuple[TrustedIssuer, IdentityRefused, str]] = field(default_factory=list)

    async def prove(self, token: str, address: str | None, agent: str = "") -> Proven:
        """Check an identity token, from where it is presented; it is not used up by that.

        Raises:
            IdentityRefused: it does not pass.
            Refused: the trust does not admit the address.
            Unavailable: the issuer's keys cannot be fetched now.
        """
        try:
            proven = await self.identities.prove(token, address, agent)
        except IdentityRefused as error:
            self.note(error, address)
            raise
        if proven.presented.restrictions.unknown:
            raise refusal(Reason.RESTRICTION_UNKNOWN)
        if proven.presented.restrictions.refuse_address(address):
            raise refusal(Reason.NETWORK_BLOCKED)
        return proven

    async def join(self, caller: Caller, proven: Proven, registration: Registration) -> Joined:
        """Register an agent and use its identity token, in one unit of work.

        Raises:
            Refused: the token was used already, or the trust ended meanwhile.
            Forbidden: the trust does not admit this agent's queue or tags.
            Invalid: as in `exchanging.register`.
            TooMany: the organization has as many agents as it may have.
        """
        entry = IdentityEntry(self.context, self.fleet, caller, proven)
        try:
            return await register(self.context, self.fleet, caller, proven.presented, registration, entry)
        except IdentityRefused as error:
            self.note(error, caller.address)
            raise

    def note(self, error: IdentityRefused, address: str | None) -> None:
        """Have a refusal told to the trail of the trust that it is about, once an hour for each subject."""
        trust, now = error.trust, self.context.clock.now()
        if trust is None or len(self._waiting) >= _MAX_NOTED:
            return
        key = (str(trust.id), error.code, error.subject)
        if now - self._noted.get(key, -HOUR_US) < HOUR_US:
            return
        if len(self._noted) >= _MAX_NOTED:
            self._noted = {each: at for each, at in self._noted.items() if now - at < HOUR_US}
            if len(self._noted) >= _MAX_NOTED:
                return
        self._noted[key] = now
        self._waiting.append((trust, error, address or ""))

    async def sweep(self) -> None:
        """Record refusals that were noted, and forget tokens that cannot pass any more."""
        while self._waiting:
            await self.context.store.write(self._record_in)
            del self._waiting[0]
        now = self.context.clock.now()
        await self.context.store.write(lambda tx: tx.workloads.forget_uses(now))

    async def _record_in(self, tx: Transaction) -> None:
        trust, error, address = self._waiting[0]
        data = {"name": trust.name, "reason": error.code, "message": error.message, "subject": error.subject}
        subject, caller = ("trusted_issuer", str(trust.id)), Caller(SYSTEM, address or None)
        await self.context.record(
            tx, caller, Action.TRUSTED_ISSUER_REFUSED, trust.organization_id, subject, data
        )


@dataclass(slots=True)
class IdentityEntry:
    """How an agent comes in by an identity token; see `exchanging.Entry`."""

    context: Context
    fleet: Fleet
    caller: Caller
    proven: Proven

    @property
    def actor(self) -> Actor:
        """Who registers the agent."""
        return Actor("trusted_issuer", self.proven.trust.id, self.proven.trust.name)

    @property
    def details(self) -> Mapping[str, object]:
        """What the trail says of it besides."""
        trust = self.proven.trust
        return {"trusted_issuer_id": trust.id, "issuer": trust.issuer, "subject": self.proven.subject}

    async def take_in(
        self, tx: Transaction, registration: Registration, tags: tuple[str, ...]
    ) -> AgentId | None:
        """Use the token; the agent that this one takes the place of, if any.

        Raises:
            Refused: it was used already, or the trust was changed.
            Forbidden: the agent takes a tag that it may not take.
        """
        trust = self.proven.trust
        current = await tx.workloads.find(trust.organization_id, trust.id)
        if current is None or current.updated_at != trust.updated_at:
            raise Refused("This trust was changed a moment ago; try again.", code=Reason.REVOKED.value)
        tag = trust.terms.refuse_tags(tags)
        if tag:
            raise Forbidden(
                f"The trust in this issuer does not let agents take the tag {tag}.",
                code=IdentityReason.TAG_REFUSED.value,
            )
        now, digest, holder = self.context.clock.now(), self.proven.digest, self._holder(registration)
        use = IdentityUse(trust.organization_id, digest, holder, 1, now, self.proven.until)
        if await tx.workloads.first_use(use):
            return None
        # Before another is replaced: a process registers all its agents, under one name, before one connects.
        since = now - trust.terms.window * _SECOND_US
        most = trust.terms.registrations
        if await tx.workloads.further_use(trust.organization_id, digest, holder, most, since):
            return None
        former = await self._never_connected(tx, registration)
        if former is not None:
            await self.fleet.end_in(tx, self.caller, former, AgentState.REPLACED)
            return former.id
        raise IdentityRefused(IdentityReason.REPLAYED, "", trust, self.proven.subject)

    async def joined_in(self, tx: Transaction, agent: Agent) -> None:
        """Keep with which identity an agent joined."""
        trust, proven = self.proven.trust, self.proven
        await tx.workloads.add_identity(
            AgentIdentity(
                trust.organization_id,
                agent.id,
                trust.id,
                trust.issuer,
                proven.subject,
                proven.digest,
                kept_claims(proven.claims),
                self.context.clock.now(),
            )
        )

    async def _never_connected(self, tx: Transaction, registration: Registration) -> Agent | None:
        """An agent of the same token, name, host and address that has not connected.

        Name and host are what an agent says of itself; a thief says the same, but from elsewhere.
        """
        trust = self.proven.trust
        former = await tx.fleet.never_connected(
            trust.organization_id, trust.token_id, registration.name, registration.hostname
        )
        if former is None or former.address != (self.caller.address or ""):
            return None
        known = await tx.workloads.identity(trust.organization_id, former.id)
        return former if known is not None and known.digest == self.proven.digest else None

    def _holder(self, registration: Registration) -> str:
        text = "\0".join((registration.machine_id, registration.hostname, self.caller.address or ""))
        return hashlib.sha256(text.encode()).hexdigest()


def kept_claims(claims: Mapping[str, Any]) -> Mapping[str, Any]:
    """The claims that are kept with an agent: all but the token's own id, or none where they are too many."""
    kept = {name: value for name, value in claims.items() if name not in ("jti", "uti")}
    return kept if len(msgspec.json.encode(kept)) <= _MAX_CLAIMS else {}
