"""Attention: tokens whose every use somebody looks at: open rotations, what incidents and leaks hold back.

Read from the database at a start, and from then on told by the feed, so that it is up to date before a
change is acknowledged. The verifier asks one set; nearly always the token is not in it.
"""

from dataclasses import dataclass, field

import msgspec

from watchword.domain.events import (
    TOPIC_INCIDENT_CHANGED,
    TOPIC_LEAK_CHANGED,
    TOPIC_ROTATION_CHANGED,
    Notice,
)
from watchword.domain.ids import IncidentId, OrganizationId, TokenId
from watchword.domain.incidents import Incident, IncidentState
from watchword.domain.leaks import Leak
from watchword.domain.rotations import Rotation
from watchword.services.context import Context
from watchword.store.base import Transaction

_ROTATION = msgspec.json.Decoder(Rotation)
_INCIDENT = msgspec.json.Decoder(Incident)


@dataclass(frozen=True, slots=True)
class Held:
    """That a token is held back because it leaked, or no more."""

    token_id: TokenId
    held: bool


_LEAK = msgspec.json.Decoder(Held)


@dataclass(slots=True)
class Attention:
    """What the hot path must know of rotations and incidents.

    Attributes:
        special: tokens whose uses are looked at; the set stays the same object.
        successors: open rotations by their successor.
        predecessors: the same by their predecessor.
        incidents: open incidents.
        leaked: tokens that are held back because they leaked.
    """

    context: Context
    special: set[TokenId] = field(default_factory=set)
    successors: dict[TokenId, Rotation] = field(default_factory=dict)
    predecessors: dict[TokenId, Rotation] = field(default_factory=dict)
    incidents: dict[IncidentId, Incident] = field(default_factory=dict)
    leaked: set[TokenId] = field(default_factory=set)
    _whole: set[TokenId] = field(default_factory=set)
    _joins: dict[TokenId, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Hear of every change."""
        self.context.feed.follow(TOPIC_ROTATION_CHANGED, self._hear_rotation)
        self.context.feed.follow(TOPIC_INCIDENT_CHANGED, self._hear_incident)
        self.context.feed.follow(TOPIC_LEAK_CHANGED, self._hear_leak)

    async def load(self) -> None:
        """Read open rotations, incidents and quarantines at a start."""

        async def work(tx: Transaction) -> tuple[list[Rotation], list[Incident], list[Leak]]:
            rotations, incidents = await tx.rotations.all_open(), await tx.incidents.all_open()
            return list(rotations), list(incidents), list(await tx.leaks.quarantined())

        rotations, incidents, leaks = await self.context.store.read(work)
        self.leaked.update(leak.token_id for leak in leaks)
        for rotation in rotations:
            self._put_rotation(rotation)
        self.incidents.update((incident.id, incident) for incident in incidents)
        self._refresh()

    def holds_back(self, token_id: TokenId, address: str | None) -> bool:
        """Whether an incident or a leak holds a token back, as a whole or from an address."""
        return token_id in self._whole or (address or "") in self._joins.get(token_id, ())

    def _hear_rotation(self, notice: Notice) -> None:
        self._put_rotation(_ROTATION.decode(notice.payload))
        self._refresh()

    def _put_rotation(self, rotation: Rotation) -> None:
        if rotation.open:
            self.successors[rotation.successor_id] = rotation
            self.predecessors[rotation.predecessor_id] = rotation
            return
        self.successors.pop(rotation.successor_id, None)
        self.predecessors.pop(rotation.predecessor_id, None)

    def _hear_incident(self, notice: Notice) -> None:
        incident = _INCIDENT.decode(notice.payload)
        if incident.state is IncidentState.OPEN:
            self.incidents[incident.id] = incident
        else:
            self.incidents.pop(incident.id, None)
        self._refresh()

    def _hear_leak(self, notice: Notice) -> None:
        change = _LEAK.decode(notice.payload)
        if change.held:
            self.leaked.add(change.token_id)
        else:
            self.leaked.discard(change.token_id)
        self._refresh()

    def _refresh(self) -> None:
        """Work out anew which tokens are special: these are few."""
        self._whole.clear()
        self._joins.clear()
        self._whole.update(self.leaked)
        for incident in self.incidents.values():
            for token_id in map(TokenId, incident.held):
                if incident.shared:
                    self._joins.setdefault(token_id, set()).update(incident.addresses)
                else:
                    self._whole.add(token_id)
        unused = {one.successor_id for one in self.successors.values() if not one.first_used_at}
        wanted = unused | self._whole | set(self._joins)
        self.special.difference_update(self.special - wanted)
        self.special.update(wanted)


async def tell_rotation(context: Context, tx: Transaction, rotation: Rotation) -> None:
    """Have every node hear of a rotation once the unit of work is committed."""
    await _post(context, tx, rotation.organization_id, TOPIC_ROTATION_CHANGED, rotation)


async def tell_incident(context: Context, tx: Transaction, incident: Incident) -> None:
    """Have every node hear of an incident once the unit of work is committed."""
    await _post(context, tx, incident.organization_id, TOPIC_INCIDENT_CHANGED, incident)


async def tell_leak(context: Context, tx: Transaction, organization_id: OrganizationId, change: Held) -> None:
    """Have every node hear that a token is held back, or no more, once the unit of work is committed."""
    await _post(context, tx, organization_id, TOPIC_LEAK_CHANGED, change)


async def _post(
    context: Context, tx: Transaction, organization_id: OrganizationId, topic: str, record: object
) -> None:
    payload = msgspec.json.encode(record).decode()
    await tx.audit.post(organization_id, topic, payload, context.clock.now())
