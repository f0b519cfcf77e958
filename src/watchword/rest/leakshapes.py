"""Leaks as JSON."""

from typing import Any

import msgspec

from watchword.rest.bodies import Body


class LeakPerson(msgspec.Struct, kw_only=True):
    """Somebody whom a case names."""

    id: str
    name: str
    email: str


class Leak(msgspec.Struct, kw_only=True):
    """The case of a token that leaked.

    `state` is `open`, `held` or `closed`; `outcome` says how it stands with the token; `response` what the
    rules ask for, or a person chose. `value_waiting`: a successor's value can be taken, on the console alone.
    """

    id: str
    url: str
    web_url: str
    state: str
    kind: str
    token_id: str
    token_description: str | None
    token_state: str | None
    cluster_id: str | None
    visibility: str
    evidence: str
    response: str
    outcome: str
    failure: str | None
    reporter: str
    count: int
    exposed_at: str
    first_seen_at: str
    last_seen_at: str
    held_until: str | None
    acted_at: str | None
    acted_by: LeakPerson | None
    closed_at: str | None
    closed_by: LeakPerson | None
    note: str | None
    drill: bool
    value_waiting: bool


class LeakPlace(msgspec.Struct, kw_only=True):
    """A place where the value was seen."""

    reporter: str
    url: str
    place: str
    visibility: str
    evidence: str
    exposed_at: str
    first_seen_at: str
    last_seen_at: str
    count: int


class LeakReach(msgspec.Struct, kw_only=True):
    """What the token can do right now; `refused` is the code of what keeps it out, if anything."""

    refused: str | None
    scopes: list[str]
    operations: list[str]
    other_organizations: int
    cluster: str | None
    queues: list[str] | None
    tags: list[str]
    allowed_ip_addresses: list[str]
    expires_at: str | None
    uses_left: int | None


class LeakRadius(msgspec.Struct, kw_only=True):
    """What the token's end would touch now."""

    agents_connected: int
    agents_joining: int
    agents_busy: int
    running_jobs: int
    sessions: int
    callers_count: int
    last_used_at: str | None
    last_used_from: str | None


class LeakUse(msgspec.Struct, kw_only=True):
    """Who used the token since it could be read."""

    address: str
    client: str
    first_at: str
    last_at: str
    count: int
    new_since_the_leak: bool


class LeakAgent(msgspec.Struct, kw_only=True):
    """An agent that registered with the token since."""

    id: str
    name: str
    hostname: str
    state: str
    registered_at: str
    address: str


class LeakEvent(msgspec.Struct, kw_only=True):
    """An event of the audit trail."""

    at: str
    action: str
    actor: str
    subject_kind: str
    subject_id: str
    address: str | None
    sequence: int


class LeakRevocation(msgspec.Struct, kw_only=True):
    """How access was last taken from the token."""

    change: str
    mode: str
    committed: str
    effective: str | None
    finished: str | None
    agents: int
    agents_cut: int
    remaining: int
    jobs_lost: int
    reason: str


class LeakRotation(msgspec.Struct, kw_only=True):
    """The latest rotation that was to give the token a successor."""

    state: str
    successor_id: str
    started_at: str
    deadline: str | None
    first_used_at: str | None
    ended_at: str | None


class LeakListener(msgspec.Struct, kw_only=True):
    """Somebody who is told of the case: `admin`, `maintainer` of the cluster, or `owner` of the token."""

    name: str
    email: str
    why: str


class LeakAdvice(msgspec.Struct, kw_only=True):
    """Something to do now."""

    code: str
    text: str


class LeakCase(Leak, kw_only=True):
    """A case with everything that is known: where it was found, what it reaches, who used it since.

    `telling`: people are still to be told of the last change; `told` are those whom that concerns now, beside
    `told_elsewhere` administrators of other organizations.
    """

    owner: LeakPerson | None
    places: int
    found: list[LeakPlace]
    reach: LeakReach
    blast_radius: LeakRadius | None
    used_since: list[LeakUse]
    addresses_before: int
    agents_since: list[LeakAgent]
    calls_since: list[LeakEvent]
    done: list[LeakEvent]
    trail_complete: bool
    revocation: LeakRevocation | None
    rotation: LeakRotation | None
    label: str
    telling: bool
    told: list[LeakListener]
    told_elsewhere: int
    responses: list[str]
    advice: list[LeakAdvice]


class LeakReported(msgspec.Struct, kw_only=True):
    """What became of a report; `leak` is shown to those who may see the case."""

    kind: str
    token_id: str
    outcome: str
    leak: Leak | None


class LeakReport(Body):
    """A token that leaked: its value, or its id, and where it was seen."""

    value: str | None = None
    token_id: str | None = None
    url: str | None = None
    place: str | None = None
    visibility: str | None = None
    exposed_at: str | None = None


class LeakResponse(Body):
    """What is to be done now.

    `response` is `revoke`, `rotate`, `quarantine`, or for a held case `notify`, which lets the token be.
    """

    response: str | None = None
    mode: str | None = None
    grace_minutes: int | None = None


class LeakClosing(Body):
    """What was found out about a leak."""

    note: str | None = None


class LeakRule(msgspec.Struct, kw_only=True):
    """What follows when a token of a kind is found in a place; `default` where nobody says otherwise."""

    kind: str
    visibility: str
    rule: str
    default: str
    responses: list[str]


class LeakPolicy(msgspec.Struct, kw_only=True):
    """An organization's rules; in a dry run cases are opened and nothing is done."""

    dry_run: bool
    rules: list[LeakRule]
    updated_at: str | None


class LeakPolicyChange(Body):
    """Rules by `kind:visibility`, such as `{"agent:public": "rotate:60"}`; null goes back to the default."""

    rules: dict[str, str | None] | None = None
    dry_run: bool | None = None


def shown(document: dict[str, Any]) -> Leak:
    """A case in a list."""
    return msgspec.convert(document, Leak)


def shown_whole(document: dict[str, Any]) -> LeakCase:
    """A case with everything."""
    return msgspec.convert(document, LeakCase)
