"""The chain of audit events: SHA-256 links, and heads signed with Ed25519 (RFC 8032)."""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from watchword.crypto.keys import Key
from watchword.domain.audittrail import Head
from watchword.domain.events import Event
from watchword.domain.ids import OrganizationId

_CHAIN = b"watchword audit chain 1"
_HEAD = b"watchword audit head 1"
LINK = 32


def _pack(*words: str) -> bytes:
    """Words with their lengths, so that no two lists of words come to the same bytes."""
    encoded = (word.encode() for word in words)
    return b"".join(len(word).to_bytes(8, "big") + word for word in encoded)


def first_link(organization_id: OrganizationId) -> bytes:
    """The link before an organization's first event."""
    return hashlib.sha256(_CHAIN + _pack(organization_id)).digest()


def next_link(link: bytes, event: Event) -> bytes:
    """The link after an event: it depends on every field of it and of all before it."""
    content = _pack(
        event.organization_id,
        str(event.sequence),
        event.id,
        str(event.at),
        event.action.value,
        event.actor_kind,
        event.actor_id,
        event.actor_name,
        event.subject_kind,
        event.subject_id,
        event.address,
        event.request_id,
        event.data,
        event.user_agent,
        event.token_id,
    )
    return hashlib.sha256(link + content).digest()


def _signed(organization_id: str, sequence: int, link: bytes, through: int, sealed_at: int) -> bytes:
    return _HEAD + _pack(organization_id, str(sequence), link.hex(), str(through), str(sealed_at))


def make_head(key: Key, last: Event, link: bytes, sealed_at: int) -> Head:
    """Sign what the chain comes to at an event."""
    content = _signed(last.organization_id, last.sequence, link, last.at, sealed_at)
    signature = Ed25519PrivateKey.from_private_bytes(key.secret).sign(content)
    return Head(last.organization_id, last.sequence, link, last.at, sealed_at, key.number, signature)


def public_key(key: Key) -> bytes:
    """The key by which anybody may check heads: 32 bytes."""
    return Ed25519PrivateKey.from_private_bytes(key.secret).public_key().public_bytes_raw()


def head_holds(head: Head, public: bytes) -> bool:
    """Whether a head was signed with the private half of a key."""
    content = _signed(head.organization_id, head.sequence, head.link, head.through, head.sealed_at)
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(head.signature, content)
    except (InvalidSignature, ValueError):
        return False
    return True
