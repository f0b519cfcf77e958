"""Clients of OAuth: how one says who it is, and whether that is so (RFC 6749 §2.3)."""

from dataclasses import dataclass

from watchword.crypto.values import Secret


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who a client says that it is.

    Attributes:
        client_id: "" where it does not say.
        secret: what it shows besides; None for public clients.
        basic: whether it came by HTTP Basic, so that a refusal carries a challenge.
    """

    client_id: str
    secret: Secret | None
    basic: bool
