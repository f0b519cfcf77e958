"""Webhooks: the words of their events, what makes which, and what may be set (contract §2.15, §2.16)."""

import re
from collections.abc import Mapping
from dataclasses import replace

from watchword.domain.conditions import branch_matches
from watchword.domain.errors import Invalid
from watchword.domain.events import Action
from watchword.domain.ids import is_uuid
from watchword.domain.notifications import Scope, WebhookSettings
from watchword.domain.pipelines import BuildState

WEBHOOK = "webhook"
PROVIDERS = {WEBHOOK: "Webhook"}
# Others that upstream creates; we do not speak to them.
FOREIGN_PROVIDERS = (
    "slack",
    "aws_event_bridge",
    "datadog_pipeline_visibility",
    "open_telemetry_tracing",
    "event_log_api",
)
MAX_SERVICES = 15  # contract §1.10
MAX_TEXT = 255
MAX_PATTERNS = 1024
MAX_SCOPE = 250
VERSION = 3
TOKEN_MODES = ("token", "signature")
_TOKEN = re.compile(r"[!-~]{1,255}")

PING = "ping"
BUILD_RUNNING = "build.running"
BUILD_FAILING = "build.failing"
BUILD_FINISHED = "build.finished"
JOB_SCHEDULED = "job.scheduled"
JOB_FINISHED = "job.finished"
AGENT_STOPPED = "agent.stopped"
LEAK_OPENED = "leak.opened"
LEAK_ANSWERED = "leak.answered"
AUDIT_HEAD = "audit.head"

KNOWN_EVENTS = (
    PING,
    "agent.connected",
    "agent.lost",
    "agent.disconnected",
    "agent.stopping",
    AGENT_STOPPED,
    "agent.blocked",
    "cluster_token.registration_blocked",
    "build.scheduled",
    BUILD_RUNNING,
    BUILD_FAILING,
    BUILD_FINISHED,
    "build.skipped",
    JOB_SCHEDULED,
    "job.started",
    JOB_FINISHED,
    "job.activated",
    "job.promised_exit_status",
)
OWN_EVENTS = (
    "token.created",
    "token.revoked",
    "token.rotated",
    "token.revealed",
    "token.expiring",
    "incident.opened",
    LEAK_OPENED,
    LEAK_ANSWERED,
    AUDIT_HEAD,
)
EVENTS = KNOWN_EVENTS + OWN_EVENTS

# What the audit trail records anyway. An agent that was told to leave and does has stopped as well.
EVENTS_OF: Mapping[Action, tuple[str, ...]] = {
    Action.AGENT_CONNECTED: ("agent.connected",),
    Action.AGENT_LOST: ("agent.lost",),
    Action.AGENT_DISCONNECTED: (AGENT_STOPPED, "agent.disconnected"),
    Action.AGENT_STOPPING: ("agent.stopping",),
    Action.AGENT_BLOCKED: ("agent.blocked",),
    Action.TOKEN_REGISTRATION_BLOCKED: ("cluster_token.registration_blocked",),
    Action.BUILD_CREATED: ("build.scheduled",),
    Action.JOB_STARTED: ("job.started",),
    Action.JOB_FINISHED: (JOB_FINISHED,),
    Action.STEP_UNBLOCKED: ("job.activated",),
    Action.JOB_FAILURE_PROMISED: ("job.promised_exit_status",),
    Action.TOKEN_CREATED: ("token.created",),
    Action.TOKEN_IMPORTED: ("token.created",),
    Action.TOKEN_REVOKED: ("token.revoked",),
    Action.ROTATION_COMMITTED: ("token.rotated",),
    Action.TOKEN_REVEALED: ("token.revealed",),
    Action.TOKEN_EXPIRY_REMINDED: ("token.expiring",),
    Action.INCIDENT_OPENED: ("incident.opened",),
    Action.LEAK_OPENED: (LEAK_OPENED,),
    Action.LEAK_ANSWERED: (LEAK_ANSWERED,),
}
# What a build comes to without being recorded; a blocked one counts as finished (contract §2.17).
EVENTS_OF_BUILDS: Mapping[BuildState, str] = {
    BuildState.RUNNING: BUILD_RUNNING,
    BuildState.FAILING: BUILD_FAILING,
    BuildState.BLOCKED: BUILD_FINISHED,
    BuildState.PASSED: BUILD_FINISHED,
    BuildState.FAILED: BUILD_FINISHED,
    BuildState.CANCELED: BUILD_FINISHED,
    BuildState.NOT_RUN: BUILD_FINISHED,
}
_OUTCOMES: Mapping[BuildState, str] = {
    BuildState.PASSED: "build_passed",
    BuildState.FAILED: "build_failed",
    BuildState.BLOCKED: "build_blocked",
    BuildState.CANCELED: "build_canceled",
}


def outcomes_of(event: str, state: BuildState, *, fixed: bool = False) -> tuple[str, ...]:
    """Names of `BuildStates` that speak of an event; `fixed`: the build before it had failed."""
    if event == BUILD_FAILING:
        return ("build_failing",)
    if event == "job.activated":
        return ("job_activated",)
    if event != BUILD_FINISHED or state not in _OUTCOMES:
        return ()
    return (_OUTCOMES[state], "build_fixed") if fixed else (_OUTCOMES[state],)


def require_provider(provider: str) -> str:
    """Require a provider that this version speaks to.

    Raises:
        Invalid: it does not.
    """
    if provider in FOREIGN_PROVIDERS:
        raise Invalid(
            f"Validation failed: provider {provider} is not served by this version; use webhook",
            code="unserved_provider",
        )
    if provider not in PROVIDERS:
        raise Invalid(f"Validation failed: there is no provider {provider!r}", code="unknown_provider")
    return provider


def check_token(token: str) -> str:
    """Require a webhook's own token to be one that a header can carry.

    Raises:
        Invalid: it is not.
    """
    if not _TOKEN.fullmatch(token):
        raise Invalid(
            "Validation failed: token takes 1 to 255 printable ASCII characters without spaces",
            code="invalid_token",
        )
    return token


def first_settings(url: str | None) -> WebhookSettings:
    """Settings of a webhook of which no more is said; it hears of everything upstream knows.

    Raises:
        Invalid: there is no address.
    """
    if not url:
        raise Invalid("Validation failed: settings need a url", code="no_url")
    return WebhookSettings(url, VERSION, "token", KNOWN_EVENTS, tls_verify=True)


def check_settings(old: WebhookSettings, new: WebhookSettings) -> WebhookSettings:
    """Require settings that can be: the new ones, their events once each. The address is checked apart.

    Raises:
        Invalid: they cannot.
    """
    if not 1 <= new.version <= VERSION:
        raise Invalid(f"Validation failed: version is a number from 1 to {VERSION}", code="invalid_version")
    if new.version < old.version:
        raise Invalid("Validation failed: version may go up, not down", code="invalid_version")
    if new.token_mode not in TOKEN_MODES:
        raise Invalid("Validation failed: token_mode is token or signature", code="invalid_token_mode")
    unknown = [word for word in new.events if word not in EVENTS]
    if unknown:
        raise Invalid(f"Validation failed: there is no event {unknown[0]!r}", code="unknown_event")
    return replace(new, events=tuple(dict.fromkeys(new.events)))


def check_patterns(patterns: str) -> str:
    """Require patterns of branches that can be read.

    Raises:
        Invalid: they are too long.
    """
    if len(patterns) > MAX_PATTERNS:
        raise Invalid(
            f"Validation failed: branch_configuration takes at most {MAX_PATTERNS} characters",
            code="invalid_patterns",
        )
    branch_matches(patterns, "")
    return patterns.strip()


def check_scope(scope: str, uuids: tuple[str, ...]) -> tuple[Scope, tuple[str, ...]]:
    """Read a scope and the ids that it names, in lower case.

    Raises:
        Invalid: the two do not go together, or one is none.
    """
    try:
        known = Scope(scope)
    except ValueError:
        words = ", ".join(each.value for each in Scope)
        raise Invalid(f"Validation failed: scope is one of {words}", code="invalid_scope") from None
    if len(uuids) > MAX_SCOPE or not all(is_uuid(text) for text in uuids):
        raise Invalid(f"Validation failed: scope_uuids holds at most {MAX_SCOPE} ids", code="invalid_scope")
    if known is Scope.ALL and uuids:
        raise Invalid("Validation failed: the scope all names no scope_uuids", code="invalid_scope")
    if known is not Scope.ALL and not uuids:
        raise Invalid(f"Validation failed: the scope {scope} needs scope_uuids", code="invalid_scope")
    return known, tuple(dict.fromkeys(text.lower() for text in uuids))
