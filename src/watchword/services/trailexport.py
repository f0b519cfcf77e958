"""An audit trail taken away whole: events and signed heads, one JSON object a line."""

import base64
from collections.abc import AsyncIterator

import msgspec

from watchword.crypto.keys import KeyRing
from watchword.domain.audittrail import Head
from watchword.domain.events import Event
from watchword.domain.ids import OrganizationId
from watchword.services.auditing import events_of, heads_of, public_keys
from watchword.store.base import Store


class PublishedHead(msgspec.Struct, kw_only=True):
    """A head as it is published; bytes are hexadecimal, times microseconds."""

    organization_id: str
    sequence: int
    link: str
    through: int
    sealed_at: int
    key: int
    public_key: str
    signature: str

    def head(self) -> Head:
        """The head.

        Raises:
            ValueError: a part is not hexadecimal.
        """
        return Head(
            OrganizationId(self.organization_id),
            self.sequence,
            bytes.fromhex(self.link),
            self.through,
            self.sealed_at,
            self.key,
            base64.b16decode(self.signature, casefold=True),
        )


def published(head: Head, public_key: bytes) -> PublishedHead:
    """A head in its published form."""
    return PublishedHead(
        organization_id=head.organization_id,
        sequence=head.sequence,
        link=head.link.hex(),
        through=head.through,
        sealed_at=head.sealed_at,
        key=head.key,
        public_key=public_key.hex(),
        signature=head.signature.hex(),
    )


class ExportLine(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One line of an export: an event or a head."""

    event: Event | None = None
    head: PublishedHead | None = None


async def export_lines(
    store: Store, keys: KeyRing, organization_id: OrganizationId
) -> AsyncIterator[ExportLine]:
    """Every event of a trail in order, then every head that was there before the first of them was read."""
    known = public_keys(keys)
    heads = await heads_of(store, organization_id)
    async for event in events_of(store, organization_id):
        yield ExportLine(event=event)
    for head in heads:
        yield ExportLine(head=published(head, known[head.key]))


def encode_line(line: ExportLine) -> bytes:
    """A line as it stands in the file, its end included."""
    return msgspec.json.encode(line) + b"\n"
