"""OAuth 2.0 (RFC 6749, 7636, 8252, 8628): the error of every endpoint, codes, and connected applications."""

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from watchword.domain.errors import WatchwordError
from watchword.domain.ids import OrganizationId, ResourceId, TokenId, UserId
from watchword.domain.operations import OPERATIONS
from watchword.domain.policy import Standing, Verdict, verdict
from watchword.domain.scopes import ALL_SCOPES, canonical
from watchword.domain.tokens import DAY_US, MINUTE_US

AUTHORIZATION_CODE = "authorization_code"
REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the name of a grant
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"

SECOND_US = 1_000_000
# RFC 6749 §4.1.2 asks for ten minutes at most; a browser's redirect takes seconds.
CODE_US = MINUTE_US
DEVICE_CODE_US = 10 * MINUTE_US
POLL_SECONDS = 5
# RFC 8628 §3.5: each `slow_down` adds so much, for good.
SLOW_DOWN_SECONDS = 5
# A refresh whose answer was lost may be asked for again within this.
RETRY_US = 30 * SECOND_US
# RFC 9700 §4.14.2: a refresh token that nobody uses ends.
REFRESH_US = 90 * DAY_US
# How long codes are kept after their end, so that one that is shown again is known.
KEEP_CODES_US = DAY_US

# RFC 8628 §6.1: no vowels, so that no words come up, and nothing that is read as something else.
USER_CODE_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
_USER_CODE_LENGTH = 8
_HALF = _USER_CODE_LENGTH // 2
_USER_CODE = re.compile(f"[{USER_CODE_ALPHABET}]{{{_USER_CODE_LENGTH}}}")
_UNAUTHORIZED = 401
# RFC 7636 §4.1 and §4.2: the SHA-256 of the verifier as base64url without padding.
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
# RFC 6749 §3.3.
_SCOPES = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*")


class OAuthError(WatchwordError):
    """An error of RFC 6749 §5.2 and its companions: `code` is the word `error`, `message` the description.

    Attributes:
        challenge: whether the client tried HTTP Basic, which is answered by 401 and a challenge.
    """

    status = 400
    code = "invalid_request"

    def __init__(self, code: str, message: str, *, challenge: bool = False) -> None:
        super().__init__(message, code=code, status=_UNAUTHORIZED if challenge else None)
        self.challenge = challenge


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """An authorization code, kept by its digest. Times are microseconds; 0 means not yet.

    Attributes:
        redirect_uri: where it was sent; whoever redeems it names the same.
        challenge: the S256 challenge of RFC 7636; "" where a confidential client sent none.
        scopes: what was approved, separated by spaces.
        grant_id: the connected application that its first use makes.
    """

    digest: bytes
    organization_id: OrganizationId
    user_id: UserId
    client_id: str
    redirect_uri: str
    challenge: str
    scopes: str
    grant_id: ResourceId
    address: str
    user_agent: str
    created_at: int
    expires_at: int
    used_at: int = 0


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """A device code with its user code, both kept by their digests. Times are microseconds; 0 means not yet.

    Attributes:
        scopes: what the device asked for; what was approved once it was.
        wait_seconds: seconds that the device waits between two polls.
        organization_id: whose access was approved; None until then.
        address: from where the device asked.
    """

    digest: bytes
    user_digest: bytes
    client_id: str
    scopes: str
    address: str
    user_agent: str
    wait_seconds: int
    polled_at: int
    created_at: int
    expires_at: int
    organization_id: OrganizationId | None = None
    user_id: UserId | None = None
    grant_id: ResourceId | None = None
    approved_at: int = 0
    denied_at: int = 0
    used_at: int = 0

    def waits_at(self, now: int) -> bool:
        """Whether somebody may still decide about it."""
        return not self.approved_at and not self.denied_at and now < self.expires_at


@dataclass(frozen=True, slots=True)
class OAuthGrant:
    """A connected application: what one person let it do in one organization, and its live tokens.

    Attributes:
        name: the application's name when it was approved.
        flow: the grant type by which it came.
        address: from where it was approved.
        access_id: its one live access token.
        refresh_id: its one live refresh token; None where the application gets none.
        refreshed_at: when it was last renewed, or made.
    """

    organization_id: OrganizationId
    id: ResourceId
    client_id: str
    name: str
    user_id: UserId
    scopes: str
    flow: str
    address: str
    user_agent: str
    granted_at: int
    refreshed_at: int
    access_id: TokenId | None
    refresh_id: TokenId | None
    ended_at: int = 0
    ended_by: UserId | None = None
    ended_reason: str = ""


def read_scopes(text: str) -> frozenset[str]:
    """Scopes as a client asks for them; words that are no scope of ours are passed over.

    Raises:
        OAuthError: there is none at all (contract rest-graphql §5.5).
    """
    words = text.split(" ") if _SCOPES.fullmatch(text) else []
    known: set[str] = set()
    for word in words:
        try:
            known |= canonical([word])
        except ValueError:
            continue
    if not known:
        raise OAuthError("invalid_scope", "Ask for at least one scope that this server knows.")
    return frozenset(known)


def within_standing(scopes: frozenset[str], standing: Standing) -> frozenset[str]:
    """Scopes without those by which a person could do nothing at all (contract rest-graphql §5.5)."""
    rights: dict[str, list[Verdict]] = {}
    for operation in OPERATIONS.values():
        if operation.scope:
            rights.setdefault(operation.scope, []).append(verdict(standing, operation.right))
    return frozenset(
        word
        for word in scopes & ALL_SCOPES
        if word not in rights or any(each is not Verdict.REFUSED for each in rights[word])
    )


def check_challenge(challenge: str, method: str, *, required: bool) -> str:
    """A code challenge as it was sent; plain ones are refused (RFC 9700 §2.1.1).

    Raises:
        OAuthError: it is missing where it must be there, or it is no S256 challenge.
    """
    if not challenge and not method and not required:
        return ""
    if method != "S256" or not _CHALLENGE.fullmatch(challenge):
        raise OAuthError("invalid_request", "Send code_challenge, and code_challenge_method=S256 (RFC 7636).")
    return challenge


def is_verifier(text: str) -> bool:
    """Whether a text has the form of a code verifier (RFC 7636 §4.1)."""
    return _VERIFIER.fullmatch(text) is not None


def make_user_code(choose: Callable[[Sequence[str]], str] = secrets.choice) -> str:
    """A fresh user code, `XXXX-XXXX`: 34 bits, for ten minutes and few attempts (RFC 8628 §5.1)."""
    return write_user_code("".join(choose(USER_CODE_ALPHABET) for _ in range(_USER_CODE_LENGTH)))


def write_user_code(letters: str) -> str:
    """A user code as people read it."""
    return f"{letters[:_HALF]}-{letters[_HALF:]}"


def read_user_code(text: str) -> str:
    """A user code as people type it, in any case, with or without what stands between; "" if it is none."""
    letters = re.sub(r"[\s._-]", "", text).upper()
    return write_user_code(letters) if _USER_CODE.fullmatch(letters) else ""
