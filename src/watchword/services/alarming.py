"""Alarming: a retired value that is presented, a session that two hold; each opens one incident.

An alarm never ends a session: an organization's live fleet is not in the hands of whoever found an old
value. What it holds back, as the policy says, is the successor of a token with one holder, or new joins
from the address that showed the old value of a shared one.
"""

from dataclasses import dataclass, field, replace

import structlog

from watchword.domain.errors import NotFound, WatchwordError
from watchword.domain.events import Action
from watchword.domain.ids import IncidentId, OrganizationId, TokenId, UserId, is_uuid
from watchword.domain.incidents import (
    Incident,
    IncidentKind,
    IncidentState,
    Sway,
    check_note,
    in_grace,
    same_family,
    with_address,
)
from watchword.domain.kinds import KINDS
from watchword.domain.rotations import Rotation, RotationState
from watchword.domain.securitypolicy import ReuseResponse
from watchword.domain.tokens import State, Token
from watchword.domain.use import Use
from watchword.services.attention import Attention, tell_incident
from watchword.services.context import LOCAL, Caller, Context
from watchword.services.ledger import Ledger
from watchword.store.base import Page, Transaction

log = structlog.get_logger("watchword.alarming")

_MAX_CHAIN = 1000
_MAX_SWAYS = 10_000
_RECONNECT = 2


@dataclass(slots=True)
class Alarms:
    """Opens incidents, counts what comes after, closes them.

    Attributes:
        waiting: sessions whose clone alarm is to be raised, with both addresses and the moment.
    """

    context: Context
    attention: Attention
    ledger: Ledger
    waiting: list[tuple[Token, frozenset[str], int]] = field(default_factory=list)
    _counts: dict[tuple[TokenId, str], tuple[Incident, int, int]] = field(default_factory=dict)
    _sways: dict[TokenId, Sway] = field(default_factory=dict)

    # -- a retired value ---------------------------------------------------------------------------

    async def reused(self, token: Token, address: str | None) -> None:
        """Somebody presented a retired value; it is refused whatever becomes of this."""
        now = self.context.clock.now()
        key = token.id, address or ""
        known = self._counts.get(key)
        if known is not None and known[0].id in self.attention.incidents:
            self._counts[key] = known[0], known[1] + 1, now
            return
        try:
            incident = await self.context.store.write(lambda tx: self._reuse_in(tx, token, address, now))
        except WatchwordError as error:  # the next time it is shown is another chance
            log.warning("reuse_not_recorded", token=token.id, error=error.code)
            return
        if incident is not None and incident.state is IncidentState.OPEN:
            self._counts[key] = incident, 0, now

    async def _reuse_in(
        self, tx: Transaction, token: Token, address: str | None, now: int
    ) -> Incident | None:
        """Open the incident of a retired token, or note that it goes on."""
        latest = await tx.incidents.latest(token.organization_id, token.id)
        if latest is not None and (latest.state is IncidentState.OPEN or (address or "") in latest.addresses):
            return await self._note_in(tx, latest, address, 1, now)
        rotation = await tx.rotations.of_predecessor(token.organization_id, token.id)
        if rotation is None or rotation.state is not RotationState.COMMITTED:
            return None
        if await self._in_grace(tx, rotation, address, now):
            return None
        policy = await tx.policies.policy(token.organization_id)
        quarantine = policy.reuse_response is ReuseResponse.QUARANTINE
        incident = Incident(
            organization_id=token.organization_id,
            id=IncidentId(self.context.new_id()),
            kind=IncidentKind.REUSE,
            state=IncidentState.OPEN,
            token_id=token.id,
            agent_id=None,
            response=policy.reuse_response,
            shared=KINDS[token.kind].shared,
            held=tuple(await self._heirs_in(tx, rotation, now)) if quarantine else (),
            addresses=with_address((), address or ""),
            count=1,
            first_at=now,
            last_at=now,
        )
        await self._open_in(tx, incident, address)
        return incident

    async def _in_grace(self, tx: Transaction, rotation: Rotation, address: str | None, now: int) -> bool:
        """Whether the value may come from a holder that has not heard of the commit yet."""
        if address is None:
            return False
        before = await self._uses_in(tx, rotation.organization_id, rotation.predecessor_id)
        after = await self._uses_in(tx, rotation.organization_id, rotation.successor_id)
        moved = any(use.address == address for use in after)
        known = moved or any(use.address == address and use.first_at <= rotation.ended_at for use in before)
        return in_grace(rotation.ended_at, now, known=known, moved=moved)

    async def _uses_in(
        self, tx: Transaction, organization_id: OrganizationId, token_id: TokenId
    ) -> list[Use]:
        written = await tx.audit.uses(organization_id, token_id)
        return [*written, *self.ledger.pending(organization_id, token_id)]

    async def _heirs_in(self, tx: Transaction, rotation: Rotation, now: int) -> list[TokenId]:
        """Live tokens at the end of a chain of rotations: the last one, and one that is to follow it."""
        heirs = []
        current: Rotation | None = rotation
        for _ in range(_MAX_CHAIN):
            if current is None or current.state is RotationState.ABORTED:
                break
            token = await tx.tokens.find(current.organization_id, current.successor_id)
            if token is not None and token.state_at(now) is State.ACTIVE:
                heirs.append(token.id)
            current = await tx.rotations.of_predecessor(current.organization_id, current.successor_id)
        return heirs

    async def _open_in(self, tx: Transaction, incident: Incident, address: str | None) -> None:
        await tx.incidents.add(incident)
        await tell_incident(self.context, tx, incident)
        details = {
            "kind": incident.kind.value,
            "token_id": incident.token_id,
            "agent_id": incident.agent_id,
            "addresses": incident.addresses,
            "response": incident.response.value,
            "held": incident.held,
        }
        caller = replace(LOCAL, address=address)
        subject = ("incident", incident.id)
        await self.context.record(
            tx, caller, Action.INCIDENT_OPENED, incident.organization_id, subject, details
        )

    async def _note_in(
        self, tx: Transaction, incident: Incident, address: str | None, count: int, now: int
    ) -> Incident:
        """Count on; what comes from a further address holds that back too."""
        addresses = with_address(incident.addresses, address or "")
        await tx.incidents.note(incident.organization_id, incident.id, addresses, count, now)
        noted = replace(incident, addresses=addresses, count=incident.count + count, last_at=now)
        if addresses != incident.addresses and noted.state is IncidentState.OPEN:
            await tell_incident(self.context, tx, noted)
        return noted

    async def flush(self) -> None:
        """Write what was counted since the last time."""
        counted = [(key, *value) for key, value in self._counts.items() if value[1]]
        for key, incident, count, at in counted:

            async def work(
                tx: Transaction, incident: Incident = incident, count: int = count, at: int = at
            ) -> None:
                current = await tx.incidents.find(incident.organization_id, incident.id)
                if current is not None:
                    await self._note_in(tx, current, None, count, at)

            await self.context.store.write(work)
            _, since, last = self._counts[key]
            self._counts[key] = incident, since - count, last
        for key in [key for key, value in self._counts.items() if self._is_over(value)]:
            del self._counts[key]

    def _is_over(self, value: tuple[Incident, int, int]) -> bool:
        return not value[1] and value[0].id not in self.attention.incidents

    # -- a session that two hold -------------------------------------------------------------------

    def moved(self, token: Token, former: str | None, address: str | None) -> None:
        """A session is used from another address than the last time; cheap, and rare."""
        if former is None or address is None or not same_family(former, address):
            return
        pair = frozenset((former, address))
        sway = self._sways.get(token.id)
        if sway is None or sway.pair != pair:
            if len(self._sways) >= _MAX_SWAYS:
                self._sways.clear()
            sway = self._sways[token.id] = Sway(pair)
        self._sway(token, sway, 1)

    async def reconnected(self, token: Token) -> None:
        """A session says that it is online although it is; that counts where its address has changed."""
        sway = self._sways.get(token.id)
        if sway is not None:
            self._sway(token, sway, _RECONNECT - 1)
            await self.raise_clones()

    def _sway(self, token: Token, sway: Sway, weight: int) -> None:
        now = self.context.clock.now()
        if sway.alternates(now, weight) and all(one.id != token.id for one, _, _ in self.waiting):
            self.waiting.append((token, sway.pair, now))

    async def raise_clones(self) -> None:
        """Open the incidents of sessions that two hold, one for each session."""
        while self.waiting:
            token, pair, now = self.waiting[0]

            async def work(
                tx: Transaction, token: Token = token, pair: frozenset[str] = pair, now: int = now
            ) -> None:
                await self._clone_in(tx, token, pair, now)

            try:
                await self.context.store.write(work)
            except WatchwordError as error:  # it stays in line, the sweep tries again
                log.warning("clone_not_recorded", token=token.id, error=error.code)
                return
            if self.waiting and self.waiting[0][0] is token:
                del self.waiting[0]

    async def _clone_in(self, tx: Transaction, token: Token, pair: frozenset[str], now: int) -> None:
        if await tx.incidents.latest(token.organization_id, token.id) is not None:
            return
        incident = Incident(
            organization_id=token.organization_id,
            id=IncidentId(self.context.new_id()),
            kind=IncidentKind.CLONE,
            state=IncidentState.OPEN,
            token_id=token.id,
            agent_id=token.agent_id,
            response=ReuseResponse.ALARM,
            shared=False,
            held=(),
            addresses=tuple(sorted(pair)),
            count=1,
            first_at=now,
            last_at=now,
        )
        await self._open_in(tx, incident, None)

    # -- people ------------------------------------------------------------------------------------

    async def close_in(
        self, tx: Transaction, caller: Caller, incident: Incident, by: UserId | None, note: str
    ) -> Incident:
        """Close an incident, which lifts what it holds back; repeating it changes nothing.

        Raises:
            Invalid: the note is too long.
        """
        text, now = check_note(note), self.context.clock.now()
        if not await tx.incidents.close(incident.organization_id, incident.id, now, by, text):
            return incident
        closed = replace(incident, state=IncidentState.CLOSED, closed_at=now, closed_by=by, note=text)
        await tell_incident(self.context, tx, closed)
        details = {"kind": closed.kind.value, "token_id": closed.token_id, "note": text}
        subject = ("incident", closed.id)
        await self.context.record(
            tx, caller, Action.INCIDENT_CLOSED, closed.organization_id, subject, details
        )
        return closed


async def incidents_of(tx: Transaction, organization_id: OrganizationId, page: Page) -> list[Incident]:
    """Incidents of an organization, latest first."""
    return list(await tx.incidents.list(organization_id, page))


async def find_incident(tx: Transaction, organization_id: OrganizationId, text: str) -> Incident:
    """An incident by the id in a path.

    Raises:
        NotFound: there is none.
    """
    found = await tx.incidents.find(organization_id, IncidentId(text.lower())) if is_uuid(text) else None
    if found is None:
        raise NotFound("No incident found")
    return found
