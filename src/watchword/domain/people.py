"""People: how they sign in, what they hold while they are, and the mail that they get. Rules and records."""

import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from watchword.domain.errors import Invalid
from watchword.domain.ids import MailId, OrganizationId, SessionId, TokenId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.tokens import DAY_US, MINUTE_US

SECOND_US = 1_000_000
HOUR_US = 60 * MINUTE_US

MIN_PASSWORD = 12
MAX_PASSWORD = 1024
MAX_EMAIL = 254
# A name of three letters may well stand in a good password.
_TELLING = 4

ESCALATED_US = 5 * MINUTE_US
RECOVERY_CODES = 10
# Failures are forgotten when there was none for so long.
FORGET_FAILURES_US = DAY_US


@dataclass(frozen=True, slots=True)
class SignInData:
    """How a person proves who they are, the password aside, which stands with the user.

    Attributes:
        totp_secret: sealed; empty where none was made. It counts only from `totp_confirmed_at` on.
        totp_last_step: the last 30-second step of which a code was taken; none of it passes again.
        disabled_at: since when the person is kept out; 0 while they are not.
        passkeys: how many they have.
    """

    user_id: UserId
    password_changed_at: int = 0
    totp_secret: bytes = b""
    totp_confirmed_at: int = 0
    totp_last_step: int = 0
    email_verified_at: int = 0
    disabled_at: int = 0
    passkeys: int = 0

    @property
    def totp(self) -> bool:
        """Whether the person has an authenticator app."""
        return self.totp_confirmed_at > 0

    @property
    def second_factor(self) -> bool:
        """Whether the person has a second factor: an app, or a passkey."""
        return self.totp or self.passkeys > 0


@dataclass(frozen=True, slots=True)
class RecoveryCode:
    """One code that stands for the second factor, once."""

    user_id: UserId
    digest: bytes
    created_at: int
    used_at: int = 0


@dataclass(frozen=True, slots=True)
class WebSession:
    """A browser in which a person is signed in, or is about to be.

    Attributes:
        digest: of the cookie's value.
        complete: whether the second factor, where the person has one, was shown; until then it opens nothing.
        seen_at: when it was last used, to the minute.
        expires_at: its end, however much it is used.
        escalated_at: when the person last proved again who they are; 0 for never.
        method: how the person came in, as the audit trail says it.
    """

    id: SessionId
    digest: bytes
    user_id: UserId
    complete: bool
    created_at: int
    seen_at: int
    expires_at: int
    escalated_at: int
    address: str
    user_agent: str
    ended_at: int = 0
    ended_reason: str = ""
    method: str = ""

    def live(self, now: int, idle: int) -> bool:
        """Whether it is in force at `now`, where it ends after `idle` microseconds without use."""
        return not self.ended_at and now < min(self.expires_at, self.seen_at + idle)

    def escalated(self, now: int) -> bool:
        """Whether the last proof is fresh enough for what needs one."""
        return self.escalated_at > 0 and now < self.escalated_at + ESCALATED_US


class LinkPurpose(StrEnum):
    """What a one-time link is for; it opens nothing else."""

    RECOVER = "recover"
    INVITE = "invite"
    FIRST_ADMIN = "first_admin"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - the name of a purpose
    VERIFY_EMAIL = "verify_email"


LINK_LIFETIME_US = {
    LinkPurpose.RECOVER: 15 * MINUTE_US,
    LinkPurpose.FIRST_ADMIN: 15 * MINUTE_US,
    LinkPurpose.RESET_PASSWORD: HOUR_US,
    LinkPurpose.VERIFY_EMAIL: DAY_US,
    LinkPurpose.INVITE: 7 * DAY_US,
}


@dataclass(frozen=True, slots=True)
class OneTimeLink:
    """A link that works once, until it expires."""

    digest: bytes
    purpose: LinkPurpose
    user_id: UserId | None
    email: str
    created_at: int
    expires_at: int
    used_at: int = 0


@dataclass(frozen=True, slots=True)
class Attempts:
    """Failed attempts under one key: an account, an address, or both together."""

    key: str
    failures: int
    last_at: int
    blocked_until: int


@dataclass(frozen=True, slots=True)
class Throttle:
    """How attempts are slowed down: some are free, then each failure doubles the wait up to a limit.

    Attributes:
        free: failures without a wait.
        longest: the longest wait in microseconds; no wait is for ever, so that nobody is locked out for good.
    """

    free: int
    longest: int

    def failed(self, key: str, former: Attempts | None, now: int) -> Attempts:
        """The state after one more failure."""
        fresh = former is None or former.last_at + FORGET_FAILURES_US <= now
        failures = 1 if fresh or former is None else former.failures + 1
        over = failures - self.free
        wait = min(self.longest, SECOND_US << min(over, 32)) if over > 0 else 0
        return Attempts(key, failures, now, now + wait)


@dataclass(frozen=True, slots=True)
class Mail:
    """A message on its way to one person.

    Attributes:
        body: sealed, because it may hold a link; empty once the message is sent or given up.
        dedupe_key: messages with the same key are one.
        due_at: when the next attempt is made; 0 once it is sent or given up.
        error: what the last attempt failed with.
    """

    id: MailId
    recipient: str
    subject: str
    body: bytes
    dedupe_key: str
    created_at: int
    due_at: int
    attempts: int = 0
    sent_at: int = 0
    failed_at: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class SealedValue:
    """A token's value that its organization's policy allows to reveal, sealed."""

    organization_id: OrganizationId
    token_id: TokenId
    kind: Kind
    sealed: bytes
    created_at: int
    expires_at: int


def normal_email(text: str) -> str:
    """An address without blanks around it and in lower case, as people are found by.

    Raises:
        Invalid: it is no address.
    """
    email = lower(text.strip())
    name, at, host = email.rpartition("@")
    if not (name and at and host) or len(email) > MAX_EMAIL or any(each.isspace() for each in email):
        raise Invalid("Validation failed: Email is written NAME@HOST", code="invalid_email")
    if not email.isprintable():
        raise Invalid("Validation failed: Email has characters that cannot be shown", code="invalid_email")
    return email


def lower(text: str) -> str:
    """Lower case of the letters A to Z alone, which both databases agree on."""
    return "".join(each.lower() if each.isascii() else each for each in text)


def normal_password(text: str) -> str:
    """A password as it is hashed: the same whatever keyboard it was typed on (NIST SP 800-63B §3.1.1.2)."""
    return unicodedata.normalize("NFKC", text)


def check_password(text: str, email: str, name: str) -> str:
    """Require a password of a fair length that is not what everybody knows of the person.

    There are no rules of composition: they make passwords worse (NIST SP 800-63B §3.1.1.2).

    Raises:
        Invalid: it is too short or too long, or is made of the person's name or address.
    """
    password = normal_password(text)
    if len(password) < MIN_PASSWORD:
        raise Invalid(
            f"Validation failed: Password takes at least {MIN_PASSWORD} characters", code="password_too_short"
        )
    if len(password) > MAX_PASSWORD:
        raise Invalid(
            f"Validation failed: Password takes at most {MAX_PASSWORD} characters", code="password_too_long"
        )
    telling = {lower(email), lower(email).partition("@")[0], lower(name).replace(" ", "")}
    rest = password.casefold().replace(" ", "")
    for word in sorted((word for word in telling if len(word) >= _TELLING), key=len, reverse=True):
        rest = rest.replace(word, "")
    if len(rest) < _TELLING or len(set(password)) < _TELLING:
        raise Invalid(
            "Validation failed: Password must not be made of the name, the address or one repeated letter",
            code="password_telling",
        )
    return password
