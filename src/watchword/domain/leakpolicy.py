"""What follows when a token of some kind is found in some place: rules, defaults, and the circuit breaker."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from watchword.domain.errors import Invalid
from watchword.domain.ids import OrganizationId, UserId
from watchword.domain.kinds import KINDS, Kind
from watchword.domain.leaks import Evidence, Response, Visibility
from watchword.domain.lifecycle import Mode
from watchword.domain.tokens import MINUTE_US

DEFAULT_GRACE_MINUTES = 24 * 60
MAX_GRACE_MINUTES = 7 * 24 * 60
# Held for a person no longer than this; then the response is carried out.
LONGEST_HOLD_US = 60 * MINUTE_US
BREAKER_WINDOW_US = MINUTE_US
# A share of few tokens is less than one of them.
BREAKER_FLOOR = 10
HUNDRED = 100

# A job token ends with its job, and a session is its agent's: for these there is no successor to hand over.
_OWN = (Kind.AGENT_SESSION, Kind.JOB)
_ACT_AS_PEOPLE = (Kind.API_ACCESS, Kind.OAUTH_REFRESH)
_SHORT_LIVED = (
    Kind.TEMPORARY_PACKAGE,
    Kind.PORTAL_EPHEMERAL,
    Kind.PORTAL_USER,
    Kind.PORTAL_SECRET,
    Kind.TOKEN_EXCHANGE,
    Kind.OAUTH_REFRESH,
)


@dataclass(frozen=True, slots=True)
class Rule:
    """What follows.

    Attributes:
        mode: of a revocation: what becomes of agents that are connected.
        grace_minutes: of a rotation: how long the leaked value goes on working.
    """

    response: Response
    mode: Mode = Mode.STOP_JOINING
    grace_minutes: int = DEFAULT_GRACE_MINUTES

    def text(self) -> str:
        """As it is kept and as settings take it: `revoke:cut`, `rotate:60`, `quarantine`, `notify`."""
        if self.response is Response.REVOKE:
            return f"{self.response.value}:{self.mode.value}"
        if self.response is Response.ROTATE:
            return f"{self.response.value}:{self.grace_minutes}"
        return self.response.value


NOTIFY = Rule(Response.NOTIFY)
REVOKE = Rule(Response.REVOKE)


@dataclass(frozen=True, slots=True)
class LeakPolicy:
    """An organization's rules.

    Attributes:
        rules: by `kind:visibility`, as `Rule.text` writes them; what is not there follows the defaults.
        dry_run: whether cases are opened and nothing is done.
    """

    organization_id: OrganizationId
    rules: Mapping[str, str] = field(default_factory=dict)
    dry_run: bool = False
    updated_at: int = 0
    updated_by: UserId | None = None

    def rule(self, kind: Kind, visibility: Visibility) -> Rule:
        """What follows when a token of a kind is found in a place."""
        text = self.rules.get(rule_key(kind, visibility))
        return read_rule(text) if text is not None else default_rule(kind, visibility)


def rule_key(kind: Kind, visibility: Visibility) -> str:
    """The key of a rule."""
    return f"{kind.value}:{visibility.value}"


def default_rule(kind: Kind, visibility: Visibility) -> Rule:
    """What follows unless the organization says otherwise: the seed on token security.

    A public API access token is revoked at once, and so is what renews one; of everything else people are
    told.
    """
    return REVOKE if kind in _ACT_AS_PEOPLE and visibility is Visibility.PUBLIC else NOTIFY


def responses_for(kind: Kind) -> tuple[Response, ...]:
    """Responses that a kind of token can have."""
    if kind is Kind.JOB:
        return (Response.NOTIFY,)
    if kind in _OWN or kind in _SHORT_LIVED:
        return (Response.NOTIFY, Response.REVOKE)
    return tuple(Response)


def read_rule(text: str) -> Rule:
    """A rule as `Rule.text` writes it; mode and grace may be left out.

    Raises:
        Invalid: it is none.
    """
    word, _, more = text.strip().lower().replace("-", "_").partition(":")
    try:
        response = Response(word)
        if response is Response.REVOKE:
            return Rule(response, mode=Mode(more) if more else Mode.STOP_JOINING)
        if response is Response.ROTATE:
            minutes = int(more) if more else DEFAULT_GRACE_MINUTES
            if 0 < minutes <= MAX_GRACE_MINUTES:
                return Rule(response, grace_minutes=minutes)
        elif not more:
            return Rule(response)
    except ValueError:
        pass
    raise Invalid(
        "Validation failed: a rule is notify, quarantine, rotate:MINUTES (up to 7 days) or"
        " revoke:MODE (stop_joining, drain, cut)",
        code="invalid_leak_rule",
    )


def check_rules(given: Mapping[str, str]) -> dict[str, str]:
    """Rules that can be, those that say the same as the defaults left out.

    Raises:
        Invalid: a key names no kind and visibility, or the kind cannot have the response.
    """
    found = {}
    for key, text in given.items():
        kind, visibility = _read_key(key)
        rule = read_rule(text)
        if rule.response not in responses_for(kind):
            words = ", ".join(each.value for each in responses_for(kind))
            raise Invalid(
                f"Validation failed: {KINDS[kind].title}: the response is one of {words}",
                code="invalid_leak_rule",
            )
        if rule != default_rule(kind, visibility):
            found[key] = rule.text()
    return found


def _read_key(key: str) -> tuple[Kind, Visibility]:
    kind, _, visibility = key.partition(":")
    try:
        return Kind(kind), Visibility(visibility)
    except ValueError:
        raise Invalid(
            f"Validation failed: {key!r} is no kind and visibility, as api_access:public",
            code="invalid_leak_rule",
        ) from None


@dataclass(frozen=True, slots=True)
class Breaker:
    """How many tokens one reporter may have taken away within a minute before a person is asked.

    Attributes:
        per_minute: so many; 0 sets no limit.
        percent: this share of all live tokens, where it is more than a handful; 0 sets no limit.
    """

    per_minute: int = 50
    percent: int = 1

    def trips(self, acted: int, live: int) -> bool:
        """Whether the next one is held.

        Args:
            acted: responses carried out for this reporter in the last minute.
            live: live tokens; as many as are counted will do (`enough`).
        """
        if self.per_minute and acted >= self.per_minute:
            return True
        return bool(self.percent) and acted >= BREAKER_FLOOR and acted * HUNDRED >= live * self.percent

    def enough(self, acted: int) -> int:
        """How many live tokens settle that the share is not reached; more need not be counted."""
        return acted * HUNDRED // self.percent + 1 if self.percent and acted >= BREAKER_FLOOR else 0


def holdable(evidence: Evidence, visibility: Visibility) -> bool:
    """Whether the circuit breaker may hold a response: never where everybody can read the live value."""
    return not (evidence is Evidence.VALUE and visibility is Visibility.PUBLIC)
