"""Heads of audit trails: what a chain of events comes to, and what a check of one may find."""

from dataclasses import dataclass

from watchword.domain.ids import OrganizationId


@dataclass(frozen=True, slots=True)
class Head:
    """What the chain of an organization's events comes to at one of them, signed.

    Attributes:
        sequence: the last event that it covers.
        link: SHA-256 over all events up to that one.
        through: when that event happened, microseconds.
        sealed_at: when the head was made, microseconds.
        key: number of the key that signed it.
        signature: Ed25519.
    """

    organization_id: OrganizationId
    sequence: int
    link: bytes
    through: int
    sealed_at: int
    key: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with a trail.

    Attributes:
        code: stable word: event_missing, event_altered, event_repeated, trail_truncated, beginning_missing,
            head_missing, head_forged, head_contradicted.
        first: first event concerned.
        last: last event concerned.
        text: for people.
    """

    code: str
    first: int
    last: int
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a check of one organization's trail came to.

    Attributes:
        events: how many were read.
        sealed: the last event that a head covers; later ones are not sealed yet.
        heads: how many heads were compared.
    """

    organization_id: OrganizationId
    events: int
    last: int
    sealed: int
    heads: int
    findings: tuple[Finding, ...]

    @property
    def intact(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings
