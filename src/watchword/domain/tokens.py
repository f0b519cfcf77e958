"""Tokens: the record behind a value, its life, and the reasons for which one is refused."""

from dataclasses import dataclass
from enum import StrEnum

from watchword.domain.errors import Invalid
from watchword.domain.ids import AgentId, ClusterId, JobId, OrganizationId, ResourceId, TokenId, UserId
from watchword.domain.kinds import Kind

MINUTE_US = 60_000_000
DAY_US = 24 * 60 * MINUTE_US
MIN_LIFETIME_US = 10 * MINUTE_US
API_ACCESS_DEFAULT_US = 7 * DAY_US
MAX_DESCRIPTION = 255
_OF_GRANTS = (Kind.API_ACCESS, Kind.OAUTH_REFRESH)


class State(StrEnum):
    """Life of a token; expiry is not stored, it is seen from the clock."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"
    SUPERSEDED = "superseded"


class Reason(StrEnum):
    """Why a presented value does not pass. Stable: programs and dashboards read these words."""

    MISSING = "token_missing"
    MALFORMED = "token_malformed"
    WRONG_KIND = "token_wrong_kind"
    UNKNOWN = "token_unknown"
    REVOKED = "token_revoked"
    EXPIRED = "token_expired"
    NOT_YET_VALID = "token_not_yet_valid"
    USED_UP = "token_used_up"
    NETWORK_BLOCKED = "token_network_blocked"
    RESTRICTION_UNKNOWN = "token_restriction_unknown"
    SCOPE_MISSING = "token_scope_missing"
    SESSION_ENDED = "session_ended"
    JOB_FINISHED = "job_finished"
    OTHER_JOB = "token_other_job"
    SUPERSEDED = "token_superseded"
    QUARANTINED = "token_quarantined"


@dataclass(frozen=True, slots=True)
class Token:
    """One token of any kind. Times are microseconds since the epoch; 0 means none.

    Attributes:
        imported: its value was issued elsewhere, and may have any shape.
        resource_id: the portal, registry, application or trusted issuer that it belongs to, by kind.
    """

    organization_id: OrganizationId
    id: TokenId
    kind: Kind
    digest: bytes
    state: State
    description: str
    cluster_id: ClusterId | None
    user_id: UserId | None
    agent_id: AgentId | None
    parent_id: TokenId | None
    scopes: str
    restrictions: str
    not_before: int
    expires_at: int
    max_uses: int
    uses: int
    created_at: int
    created_by: UserId | None
    ended_at: int
    ended_by: UserId | None
    ended_reason: str
    imported: bool = False
    resource_id: ResourceId | None = None

    @property
    def of_grant(self) -> bool:
        """Whether an application was given it by OAuth: `resource_id` is then the connected application."""
        return self.resource_id is not None and self.kind in _OF_GRANTS

    def state_at(self, now: int) -> State:
        """State as seen at `now`."""
        if self.state is State.ACTIVE and self.expires_at and now >= self.expires_at:
            return State.EXPIRED
        return self.state


@dataclass(frozen=True, slots=True)
class Presented:
    """A token as the verifier returns it: who may act, for whom, how far.

    Attributes:
        token: the record; for a job token a record made from the job's row.
        scopes: canonical scope words.
        job_id: the job a job token (or the session token of an old agent) stands for.
        fence: the job's fence that the value was issued under.
    """

    token: Token
    scopes: frozenset[str]
    job_id: JobId | None = None
    fence: int = 0


def check_description(text: str) -> str:
    """Trim a description and require one: it says which environment the token is for.

    Raises:
        Invalid: it is empty, or longer than 255 characters.
    """
    description = text.strip()
    if not description:
        raise Invalid(
            "Validation failed: Description can't be blank; say which environment the token is for",
            code="description_missing",
        )
    if len(description) > MAX_DESCRIPTION:
        raise Invalid(
            f"Validation failed: Description takes at most {MAX_DESCRIPTION} characters",
            code="description_too_long",
        )
    return description


def check_expiry(expires_at: int, now: int) -> int:
    """Require an expiry at least ten minutes ahead; 0 means that the token does not expire.

    Raises:
        Invalid: it is sooner.
    """
    if expires_at and expires_at < now + MIN_LIFETIME_US:
        raise Invalid(
            "Validation failed: Expires at must be at least 10 minutes from now", code="expiry_too_soon"
        )
    return expires_at
