"""Passkeys and identities at single sign-on: what people prove themselves with besides the password."""

from dataclasses import dataclass

from watchword.domain.errors import Invalid
from watchword.domain.ids import PasskeyId, UserId
from watchword.domain.tokens import MINUTE_US

MAX_PASSKEYS = 20
MAX_PASSKEY_NAME = 100
# How long a browser may take between asking and answering.
TICKET_US = 10 * MINUTE_US
# A subject has at most so many characters (OpenID Connect Core 1.0 §2).
MAX_SUBJECT = 255


@dataclass(frozen=True, slots=True)
class Passkey:
    """One credential of a person (Web Authentication Level 3).

    Attributes:
        credential_id: as the authenticator named it.
        public_key: in COSE's form.
        sign_count: what the authenticator counted last; 0 where it counts nothing.
        transports: how the browser reaches it, as hints for the next time.
        backed_up: whether it is synchronized between devices.
        last_used_at: 0 for never.
    """

    user_id: UserId
    id: PasskeyId
    credential_id: bytes
    public_key: bytes
    sign_count: int
    name: str
    transports: tuple[str, ...]
    backed_up: bool
    created_at: int
    last_used_at: int = 0


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a person is at an issuer; issuer and subject name them for good, the address does not.

    Attributes:
        email: the address that the issuer gave last.
    """

    issuer: str
    subject: str
    user_id: UserId
    email: str
    created_at: int
    last_used_at: int


def check_passkey_name(text: str) -> str:
    """Trim a passkey's name and require one.

    Raises:
        Invalid: it is empty or too long.
    """
    name = " ".join(text.split())
    if not name or len(name) > MAX_PASSKEY_NAME or not name.isprintable():
        raise Invalid(
            f"Validation failed: Name can't be blank and takes at most {MAX_PASSKEY_NAME} characters",
            code="invalid_name",
        )
    return name
