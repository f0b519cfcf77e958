"""Checking an audit trail: events against their chain, the chain against heads, heads against their keys.

Pure but for the reading of events: the same check runs on a database and on an export.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from watchword.crypto.auditchain import first_link, head_holds, next_link
from watchword.domain.audittrail import Finding, Head, Report
from watchword.domain.events import Action, Event
from watchword.domain.ids import OrganizationId


class _Cut(msgspec.Struct):
    """What an `audit.expired` event says of itself."""

    last: int = 0


@dataclass(slots=True)
class TrailCheck:
    """The check of one organization's trail; `take` each event in order, then `finish`.

    Args:
        owner: whose trail.
        stored: heads as the database has them.
        published: heads as they were published outside.
        keys: public keys by number.
    """

    owner: OrganizationId
    stored: Sequence[Head]
    published: Sequence[Head]
    keys: Mapping[int, bytes]
    findings: list[Finding] = field(default_factory=list)
    _heads: dict[int, Head] = field(default_factory=dict)
    _link: bytes | None = None
    _first: int = 0
    _last: int = 0
    _count: int = 0
    _checked: int = 0
    _excused: int = 0

    def __post_init__(self) -> None:
        """Bring the heads together; one that is not signed by us counts for nothing."""
        own = [head for head in (*self.published, *self.stored) if head.organization_id == self.owner]
        for head in own:
            key = self.keys.get(head.key)
            known = self._heads.get(head.sequence)
            if key is None or not head_holds(head, key):
                self._find("head_forged", head.sequence, head.sequence, "a head is not signed by a known key")
            elif known is not None and known.link != head.link:
                text = "two heads of one event contradict each other"
                self._find("head_contradicted", head.sequence, head.sequence, text)
            else:
                self._heads.setdefault(head.sequence, head)

    def _find(self, code: str, first: int, last: int, text: str) -> None:
        self.findings.append(Finding(code, first, last, text))

    def take(self, event: Event) -> None:
        """The next event, in the order of sequence numbers."""
        if not self._count:
            self._begin(event)
        elif event.sequence <= self._last:
            self._find("event_repeated", event.sequence, event.sequence, "an event stands twice")
            return
        elif event.sequence != self._last + 1:
            self._find("event_missing", self._last + 1, event.sequence - 1, "events are missing")
        self._count += 1
        if event.action is Action.AUDIT_EXPIRED:
            self._excused = max(self._excused, _cut_of(event))
        if self._link is not None:
            self._link = next_link(self._link, event)
        self._last = event.sequence
        self._compare(event)

    def _begin(self, event: Event) -> None:
        self._first = event.sequence
        before = self._heads.get(event.sequence - 1)
        if event.sequence == 1:
            self._link = first_link(self.owner)
        elif before is not None:
            self._link = before.link
        self._checked = self._last = event.sequence - 1

    def _compare(self, event: Event) -> None:
        """Compare with the head of this event, and go on from what the head says."""
        head = self._heads.get(event.sequence)
        if head is None:
            return
        if self._link is not None and self._link != head.link:
            text = f"events were changed, taken out or put in since they were sealed at {head.sealed_at}"
            self._find("event_altered", self._checked + 1, event.sequence, text)
        self._link = head.link
        self._checked = event.sequence

    def finish(self) -> Report:
        """What the check came to."""
        if self._first > 1 and self._excused < self._first - 1:
            self._find(
                "beginning_missing",
                1,
                self._first - 1,
                "the beginning is missing, and retention did not cut it",
            )
        if self._first > 1 and self._link is None:
            self._find("head_missing", self._first - 1, self._first - 1, "no head says what came before")
        beyond = [sequence for sequence in self._heads if sequence > self._last]
        if beyond:
            self._find("trail_truncated", self._last + 1, max(beyond), "the end of the trail was cut off")
        self._missing_heads()
        heads = sum(self._first - 1 <= sequence <= self._last for sequence in self._heads)
        findings = tuple(sorted(self.findings, key=lambda one: (one.first, one.code)))
        return Report(self.owner, self._count, self._last, self._checked, heads, findings)

    def _missing_heads(self) -> None:
        """Heads that were published and are no longer in the database."""
        stored = {head.sequence for head in self.stored if head.organization_id == self.owner}
        seen = {head.sequence for head in self.published if head.organization_id == self.owner}
        for sequence in sorted(seen - stored):
            if self._first - 1 <= sequence <= self._last and sequence in self._heads:
                text = "a published head is gone from the database"
                self._find("head_missing", sequence, sequence, text)


def _cut_of(event: Event) -> int:
    try:
        return msgspec.json.decode(event.data, type=_Cut).last
    except msgspec.MsgspecError:
        return 0
