"""The form of a webhook: read, filled in, and what is wrong with it beside its fields."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import NamedTuple

from watchword.crypto.values import Secret
from watchword.domain.accounts import Cluster
from watchword.domain.errors import Conflict, Invalid
from watchword.domain.notifications import BUILD_STATES, NotificationService, Scope
from watchword.domain.pipelines import Pipeline
from watchword.domain.webhooks import KNOWN_EVENTS, OWN_EVENTS, PING, TOKEN_MODES
from watchword.services.notifying import ServiceChange, SettingsChange
from watchword.services.queries import Access, Unit, clusters_of, pipelines_of
from watchword.services.queries import Page as Window
from watchword.web.forms import Form, Problem

# How many clusters and pipelines are offered to be ticked.
_OFFERED = 500
_FIELDS = {
    "invalid_url": "url",
    "no_url": "url",
    "invalid_token": "token",
    "unknown_event": "events",
    "invalid_patterns": "branch_configuration",
    "invalid_scope": "scope",
    "invalid_description": "description",
}
_SCOPED = {Scope.CLUSTERS: "clusters", Scope.PIPELINES: "pipelines", Scope.TEAMS: "teams"}
EVENT_GROUPS = (
    ("Agents", tuple(word for word in KNOWN_EVENTS if word.startswith(("agent.", "cluster_token.")))),
    ("Builds and jobs", tuple(word for word in KNOWN_EVENTS if word.startswith(("build.", "job.")))),
    ("Tokens, incidents, audit trail", OWN_EVENTS),
    ("Tests", (PING,)),
)


class Choices(NamedTuple):
    """What a scope may name."""

    clusters: Sequence[Cluster]
    pipelines: Sequence[Pipeline]


async def read_choices(tx: Unit, access: Access) -> Choices:
    """Clusters and pipelines of the organization, the first of them."""
    window = Window(_OFFERED, 0)
    return Choices(await clusters_of(tx, access.id, window), await pipelines_of(tx, access.id, window, None))


def problem_of(error: Invalid | Conflict) -> Problem:
    """What is wrong with the form, with the field where it is one."""
    return Problem.of(error, _FIELDS.get(error.code, ""))


def empty() -> Form:
    """The form of a new webhook: signed, of every pipeline, for what a security team wants to hear."""
    given = {"url": "", "description": "", "token_mode": "signature", "tls_verify": "1", "scope": "all"}
    words = [*OWN_EVENTS[:-1], PING]
    return Form([*given.items(), *_many("events", words), *_many("build_states", BUILD_STATES)])


def filled(service: NotificationService) -> Form:
    """A form that says what a webhook is; its token is in none."""
    settings = service.settings
    given = {
        "url": settings.url,
        "description": service.description,
        "token_mode": settings.token_mode,
        "tls_verify": "1" if settings.tls_verify else "",
        "scope": service.scope.value,
        "branch_configuration": service.branch_configuration,
    }
    states = [name for name, wanted in asdict(service.build_states).items() if wanted]
    named = _many(_SCOPED[service.scope], service.scope_uuids) if service.scope in _SCOPED else []
    return Form([*given.items(), *_many("events", settings.events), *_many("build_states", states), *named])


def _many(name: str, values: Sequence[str]) -> list[tuple[str, str]]:
    return [(name, value) for value in values]


def read_change(form: Form, token: Secret | None) -> ServiceChange:
    """What a form says of a webhook.

    Args:
        form: everything but the token.
        token: None leaves it as it is, an empty one is replaced by a fresh one.

    Raises:
        Invalid: no event is ticked, or a choice is none of those offered.
    """
    events = tuple(form.texts("events"))
    if not events:
        raise Invalid("Tick at least one event that the webhook is to hear of.", code="unknown_event")
    if form.text("token_mode") not in TOKEN_MODES:
        raise Invalid("Choose how the receiver knows that it is us.", code="invalid_choice")
    scope = form.text("scope")
    named = _SCOPED[Scope(scope)] if scope in list(Scope) and Scope(scope) in _SCOPED else ""
    wanted = frozenset(form.texts("build_states"))
    return ServiceChange(
        description=form.text("description"),
        branch_configuration=form.text("branch_configuration"),
        scope=scope,
        scope_uuids=tuple(form.texts(named)) if named else (),
        build_states={name: name in wanted for name in BUILD_STATES},
        settings=SettingsChange(
            url=form.text("url"),
            token=token,
            token_mode=form.text("token_mode"),
            events=events,
            tls_verify=form.ticked("tls_verify"),
        ),
    )
