"""Cluster secrets: named values that jobs of a cluster may ask for (contract rest-graphql §2.9)."""

import re
from dataclasses import dataclass

from watchword.domain.errors import Invalid
from watchword.domain.ids import ClusterId, OrganizationId, SecretId, UserId

MAX_VALUE_BYTES = 8 * 1024 - 1
MAX_POLICY = 16 * 1024
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,254}")
_RESERVED = ("buildkite", "bk")


@dataclass(frozen=True, slots=True)
class ClusterSecret:
    """A secret without its value, which is kept sealed.

    Attributes:
        key: its name in the cluster.
        policy: YAML text that says which jobs may have it; empty where all of the cluster may.
        sealed: the value, which opens only for this very secret.
        last_read_at: when a job last got it; 0 where none did.
    """

    organization_id: OrganizationId
    id: SecretId
    cluster_id: ClusterId
    key: str
    description: str
    policy: str
    sealed: bytes
    created_at: int
    created_by: UserId | None
    updated_at: int
    updated_by: UserId | None
    last_read_at: int = 0

    @property
    def bound_to(self) -> str:
        """What the sealed value is bound to."""
        return f"secret:{self.organization_id}:{self.cluster_id}:{self.id}"


def has_key_form(text: str) -> bool:
    """Whether a text could be a key at all."""
    return _KEY.fullmatch(text) is not None


def check_secret_key(text: str) -> str:
    """Require a letter, then letters, digits and underscores, and no reserved beginning.

    Raises:
        Invalid: it is something else.
    """
    if not _KEY.fullmatch(text):
        raise Invalid(
            "Validation failed: Key starts with a letter and takes letters, digits and _ only,"
            " 255 characters at most",
            code="invalid_secret_key",
        )
    if text.lower().startswith(_RESERVED):
        raise Invalid("Validation failed: Key must not start with buildkite or bk", code="invalid_secret_key")
    return text


def check_secret_value(text: str) -> bytes:
    """Require a value of less than 8 KiB that can be sent as UTF-8 and stand in a variable.

    Raises:
        Invalid: there is none, it is longer, or it holds NUL or half a character; the value itself is not in
            the message.
    """
    try:
        value = text.encode()
    except UnicodeEncodeError:
        value = b"\0"
    if b"\0" in value:
        raise Invalid(
            "Validation failed: Value is text without NUL; encode other bytes, as base64 for one",
            code="invalid_secret_value",
        )
    if not value or len(value) > MAX_VALUE_BYTES:
        raise Invalid(
            "Validation failed: Value can't be blank and takes less than 8 KiB", code="invalid_secret_value"
        )
    return value
