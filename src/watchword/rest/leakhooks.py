"""What webhooks are told of leaks: the case and how it stands; never a value, nor where it was found."""

from dataclasses import replace

import msgspec

from watchword.domain import leaks
from watchword.domain.accounts import Organization
from watchword.domain.leaks import Outcome, Response
from watchword.domain.notifications import Occurrence
from watchword.rest.formats import Site, maybe_instant


class Leak(msgspec.Struct, kw_only=True):
    """A case; in an organization that the token only reaches, what its report said."""

    id: str | None
    url: str | None
    web_url: str
    token_id: str
    kind: str
    visibility: str
    evidence: str
    reporter: str
    drill: bool
    state: str | None
    response: str | None
    outcome: str | None
    failure: str | None
    exposed_at: str | None
    reported_at: str | None
    held_until: str | None


def show_leak(
    site: Site, organization: Organization, occurrence: Occurrence, leak: leaks.Leak | None
) -> Leak:
    """A case as JSON.

    Args:
        site: the server's addresses.
        organization: whose webhook it is.
        occurrence: what happened; it is told within the unit that writes the case, and may be ahead of it.
        leak: the case; None where the organization is only reached.
    """
    said = dict(occurrence.data)
    if leak is None:
        return Leak(
            id=None,
            url=None,
            web_url=site.web("organizations", organization.slug, "tokens", "api", occurrence.subject_id),
            token_id=occurrence.subject_id,
            kind=str(said["kind"]),
            visibility=str(said["visibility"]),
            evidence=str(said["evidence"]),
            reporter=str(said["reporter"]),
            drill=bool(said["drill"]),
            state=None,
            response=None,
            outcome=None,
            failure=None,
            exposed_at=None,
            reported_at=None,
            held_until=None,
        )
    now = _as_told(leak, said)
    return Leak(
        id=now.id,
        url=site.rest("organizations", organization.slug, "leaks", now.id),
        web_url=site.web("organizations", organization.slug, "leaks", now.id),
        token_id=now.token_id,
        kind=now.kind.value,
        visibility=now.visibility.value,
        evidence=now.evidence.value,
        reporter=now.reporter,
        drill=now.drill,
        state=now.state.value,
        response=now.response.value,
        outcome=now.outcome.value,
        failure=now.failure or None,
        exposed_at=maybe_instant(now.exposed_at),
        reported_at=maybe_instant(now.first_at),
        held_until=maybe_instant(now.held_until),
    )


def _as_told(leak: leaks.Leak, said: dict[str, object]) -> leaks.Leak:
    """The case with what the event says of its answer."""
    if "outcome" not in said:
        return leak
    return replace(
        leak,
        response=Response(str(said["response"])),
        outcome=Outcome(str(said["outcome"])),
        failure=str(said["failure"]),
        held_until=int(str(said["held_until"])),
    )
