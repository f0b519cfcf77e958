"""A case as a document: what REST answers and what an export holds, the same for both; never a value."""

from collections.abc import Mapping
from typing import Any

from watchword.domain.accounts import User
from watchword.domain.events import Event
from watchword.domain.fleet import Agent
from watchword.domain.formats import Site, instant, maybe_instant, whole_seconds
from watchword.domain.ids import UserId
from watchword.domain.leaks import Sighting
from watchword.domain.lifecycle import BlastRadius, Receipt
from watchword.domain.restrictions import load
from watchword.domain.rotations import Rotation
from watchword.services.leakcases import Case
from watchword.services.leakview import LeakTrail, LeakView, ReachOf, UseSince

Document = dict[str, Any]
People = Mapping[UserId, User]


def summary(site: Site, slug: str, case: Case, known: People, now: int) -> Document:
    """What lists show of a case."""
    leak, token = case.leak, case.token
    return {
        "id": leak.id,
        "url": site.rest("organizations", slug, "leaks", leak.id),
        "web_url": site.web("organizations", slug, "leaks", leak.id),
        "state": leak.state.value,
        "kind": leak.kind.value,
        "token_id": leak.token_id,
        "token_description": token.description if token is not None else None,
        "token_state": token.state_at(now).value if token is not None else None,
        "cluster_id": case.cluster_id,
        "visibility": leak.visibility.value,
        "evidence": leak.evidence.value,
        "response": leak.response.value,
        "outcome": leak.outcome.value,
        "failure": leak.failure or None,
        "reporter": leak.reporter,
        "count": leak.count,
        "exposed_at": instant(leak.exposed_at),
        "first_seen_at": instant(leak.first_at),
        "last_seen_at": instant(leak.last_at),
        "held_until": maybe_instant(leak.held_until),
        "acted_at": maybe_instant(leak.acted_at),
        "acted_by": _person(known, leak.acted_by),
        "closed_at": maybe_instant(leak.closed_at),
        "closed_by": _person(known, leak.closed_by),
        "note": leak.note or None,
        "drill": leak.drill,
        "value_waiting": bool(leak.handover),
    }


def document(site: Site, view: LeakView, trail: LeakTrail, now: int) -> Document:
    """Everything about a case."""
    case = view.case
    return {
        **summary(site, view.organization.slug, case, view.people, now),
        "owner": _person(view.people, case.token.user_id if case.token is not None else None),
        "places": view.places,
        "found": [_place(each) for each in view.sightings],
        "reach": _reach(view, view.reach),
        "blast_radius": _radius(view.radius),
        "used_since": [_use(each) for each in view.uses],
        "addresses_before": view.before,
        "agents_since": [_agent(each) for each in view.joined],
        "calls_since": [_event(each) for each in trail.calls],
        "done": [_event(each) for each in trail.done],
        "trail_complete": trail.whole,
        "revocation": _receipt(view.receipt),
        "rotation": _rotation(view.rotation),
        "label": "true_positive",
        "telling": view.leak.telling,
        "told": [
            {"name": each.user.name, "email": each.user.email, "why": each.part.value} for each in view.told
        ],
        "told_elsewhere": view.told_elsewhere,
        "responses": [each.value for each in view.responses],
        "advice": [{"code": each.code, "text": each.text} for each in view.advice],
    }


def _person(known: People, user_id: UserId | None) -> Document | None:
    user = known.get(user_id) if user_id is not None else None
    return {"id": user.id, "name": user.name, "email": user.email} if user is not None else None


def _place(sighting: Sighting) -> Document:
    return {
        "reporter": sighting.reporter,
        "url": sighting.url,
        "place": sighting.place,
        "visibility": sighting.visibility.value,
        "evidence": sighting.evidence.value,
        "exposed_at": instant(sighting.exposed_at),
        "first_seen_at": instant(sighting.first_at),
        "last_seen_at": instant(sighting.last_at),
        "count": sighting.count,
    }


def _reach(view: LeakView, reach: ReachOf) -> Document:
    token = view.token
    limits = load(token.restrictions) if token is not None else None
    abilities, joining = reach.abilities, reach.joining
    refused = joining.refused if joining is not None else abilities.refused if abilities is not None else ""
    return {
        "refused": refused or None,
        "scopes": sorted(token.scopes.split()) if token is not None else [],
        "operations": [each.operation.name for each in abilities.abilities] if abilities is not None else [],
        "other_organizations": reach.elsewhere,
        "cluster": joining.cluster.name if joining is not None and joining.cluster is not None else None,
        "queues": list(joining.queues) if joining is not None and joining.queues is not None else None,
        "tags": list(limits.tags) if limits is not None else [],
        "allowed_ip_addresses": [block.text for block in limits.networks] if limits is not None else [],
        "expires_at": whole_seconds(token.expires_at) if token is not None else None,
        "uses_left": joining.uses_left if joining is not None else None,
    }


def _radius(radius: BlastRadius | None) -> Document | None:
    if radius is None:
        return None
    used = radius.last_use
    return {
        "agents_connected": radius.connected,
        "agents_joining": radius.joining,
        "agents_busy": radius.busy,
        "running_jobs": len(radius.running),
        "sessions": radius.children,
        "callers_count": len(radius.callers),
        "last_used_at": instant(used.last_at) if used is not None else None,
        "last_used_from": used.address or None if used is not None else None,
    }


def _use(each: UseSince) -> Document:
    usage = each.usage
    return {
        "address": usage.address,
        "client": usage.client,
        "first_at": instant(usage.first_at),
        "last_at": instant(usage.last_at),
        "count": usage.count,
        "new_since_the_leak": each.new,
    }


def _agent(agent: Agent) -> Document:
    return {
        "id": agent.id,
        "name": agent.name,
        "hostname": agent.hostname,
        "state": agent.state.value,
        "registered_at": instant(agent.registered_at),
        "address": agent.address,
    }


def _event(event: Event) -> Document:
    return {
        "at": instant(event.at),
        "action": event.action.value,
        "actor": event.actor_name or event.actor_kind,
        "subject_kind": event.subject_kind,
        "subject_id": event.subject_id,
        "address": event.address or None,
        "sequence": event.sequence,
    }


def _receipt(receipt: Receipt | None) -> Document | None:
    if receipt is None:
        return None
    made = receipt.revocation
    return {
        "change": made.change.value,
        "mode": made.mode.value,
        "committed": instant(made.committed_at),
        "effective": maybe_instant(made.effective_at),
        "finished": maybe_instant(made.finished_at),
        "agents": made.agents,
        "agents_cut": made.agents_cut,
        "remaining": receipt.remaining,
        "jobs_lost": made.jobs_lost,
        "reason": made.reason,
    }


def _rotation(rotation: Rotation | None) -> Document | None:
    if rotation is None:
        return None
    return {
        "state": rotation.state.value,
        "successor_id": rotation.successor_id,
        "started_at": instant(rotation.started_at),
        "deadline": maybe_instant(rotation.deadline),
        "first_used_at": maybe_instant(rotation.first_used_at),
        "ended_at": maybe_instant(rotation.ended_at),
    }
