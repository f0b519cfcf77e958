"""Payloads of webhooks: what happened, in the shapes of the REST API (contract rest-graphql §2.16)."""

from collections.abc import Mapping
from dataclasses import replace

import msgspec

from watchword.domain import accounts, tokens
from watchword.domain.errors import NotFound
from watchword.domain.kinds import Kind
from watchword.domain.notifications import Occurrence
from watchword.domain.webhooks import LEAK_ANSWERED, LEAK_OPENED, PING
from watchword.rest.agents import show_agent
from watchword.rest.builds import shape_build
from watchword.rest.formats import Site, graphql_id, instant, maybe_instant, whole_seconds
from watchword.rest.jobshapes import Job, Place, show_job, show_waiting
from watchword.rest.leakhooks import show_leak
from watchword.rest.organizations import show_organization
from watchword.rest.pipelineshapes import show_pipeline
from watchword.rest.tokens import show_token
from watchword.services.announcing import Matter
from watchword.services.queries import Unit, agents_by_id, people, queue_keys

_PROMISED = "job.promised_exit_status"
# A receiver knows the build and the pipeline; what they hold in full would make every payload large.
_LEFT_OUT_OF_BUILDS = ("jobs", "pipeline")
_LEFT_OUT_OF_PIPELINES = ("configuration", "steps")


class Token(msgspec.Struct, kw_only=True):
    """A token of any kind, never its value; the events about it are Watchword's own."""

    id: str
    graphql_id: str | None
    kind: str
    description: str
    state: str
    cluster_id: str | None
    user_id: str | None
    scopes: list[str]
    created_at: str
    expires_at: str | None
    ended_at: str | None
    ended_reason: str | None


_TYPE_NAMES = {
    Kind.AGENT: "ClusterToken",
    Kind.UNCLUSTERED_AGENT: "AgentToken",
    Kind.API_ACCESS: "APIAccessToken",
}


def show_any_token(token: tokens.Token, now: int) -> Token:
    """A token as JSON."""
    name = _TYPE_NAMES.get(token.kind)
    return Token(
        id=token.id,
        graphql_id=graphql_id(name, token.id) if name is not None else None,
        kind=token.kind.value,
        description=token.description,
        state=token.state_at(now).value,
        cluster_id=token.cluster_id,
        user_id=token.user_id,
        scopes=token.scopes.split(),
        created_at=instant(token.created_at),
        expires_at=whole_seconds(token.expires_at),
        ended_at=maybe_instant(token.ended_at),
        ended_reason=token.ended_reason or None,
    )


class Payloads:
    """`services.announcing.Renderer` for an installation.

    Args:
        url: its public address.
    """

    def __init__(self, url: str) -> None:
        self._site = Site(url)

    async def __call__(self, tx: Unit, occurrence: Occurrence, matter: Matter) -> Mapping[str, object]:
        """The keys of a payload besides `event` and `sender`."""
        organization = matter.organization
        if matter.build is not None and matter.pipeline is not None:
            return await self._of_build(tx, organization, occurrence, matter)
        if matter.agent is not None:
            return await self._of_agent(tx, organization, occurrence, matter)
        if occurrence.words == ("cluster_token.registration_blocked",) and matter.token is not None:
            shown = await self._cluster_token(tx, organization, matter.token)
            return {"blocked_ip": _blocked_ip(occurrence), "cluster_token": shown}
        if not {LEAK_OPENED, LEAK_ANSWERED}.isdisjoint(occurrence.words):
            fields = self._own(organization, occurrence, matter)
            fields.pop(occurrence.subject_kind)
            fields["leak"] = show_leak(self._site, organization, occurrence, matter.leak)
            token = matter.token
            return fields | {"token": show_any_token(token, occurrence.at) if token is not None else None}
        if PING in occurrence.words:
            return {"organization": show_organization(self._site, organization)}
        return self._own(organization, occurrence, matter)

    def _own(
        self, organization: accounts.Organization, occurrence: Occurrence, matter: Matter
    ) -> dict[str, object]:
        """Events of ours: what happened to a token, and whatever else is told in details alone."""
        subject: dict[str, object] = {"id": occurrence.subject_id}
        if matter.token is not None:
            shown: object = show_any_token(matter.token, occurrence.at)
        else:
            shown = {**subject, **occurrence.data}
        actor = occurrence.actor
        return {
            occurrence.subject_kind: shown,
            "organization": show_organization(self._site, organization),
            "actor": {"type": actor.kind, "id": actor.id, "name": actor.name},
            "request_ip": occurrence.address or None,
            "occurred_at": instant(occurrence.at),
            "details": dict(occurrence.data),
        }

    async def _cluster_token(
        self, tx: Unit, organization: accounts.Organization, token: tokens.Token
    ) -> object:
        if token.kind is not Kind.AGENT:
            return show_any_token(token, 0)
        return show_token(self._site, organization, token, await people(tx, [token.created_by]))

    async def _of_agent(
        self, tx: Unit, organization: accounts.Organization, occurrence: Occurrence, matter: Matter
    ) -> dict[str, object]:
        agent = matter.agent
        if agent is None:
            return {}
        found = await people(tx, [agent.paused_by])
        keys = await queue_keys(tx, [agent])
        fields: dict[str, object] = {"agent": show_agent(self._site, organization, agent, keys, found)}
        if "agent.blocked" in occurrence.words:
            fields["blocked_ip"] = _blocked_ip(occurrence)
            if matter.token is not None:
                fields["cluster_token"] = await self._cluster_token(tx, organization, matter.token)
        return fields

    async def _of_build(
        self, tx: Unit, organization: accounts.Organization, occurrence: Occurrence, matter: Matter
    ) -> dict[str, object]:
        build, pipeline = matter.build, matter.pipeline
        if build is None or pipeline is None:
            return {}
        place = Place(self._site, organization, replace(pipeline, configuration="", document=""), build)
        fields: dict[str, object] = {}
        if matter.job is not None or matter.step is not None:
            fields["job"] = await self._job(tx, place, matter)
        if _PROMISED in occurrence.words:
            fields["promised_exit_status"] = occurrence.data.get("exit_status")
            fields["reason"] = occurrence.data.get("reason")
        found = await people(tx, [pipeline.created_by])
        fields["build"] = _without(await shape_build(place, tx, [], bare=True), _LEFT_OUT_OF_BUILDS)
        shown = show_pipeline(self._site, organization, place.pipeline, found)
        fields["pipeline"] = _without(shown, _LEFT_OUT_OF_PIPELINES)
        return fields

    async def _job(self, tx: Unit, place: Place, matter: Matter) -> Job:
        step = matter.step
        if matter.job is None and step is not None:
            return show_waiting(place, step, await people(tx, [step.unblocked_by]))
        job = matter.job
        if job is None:
            raise NotFound("No job found")
        steps = {row.id: row for row in (step, matter.group) if row is not None}
        return show_job(place, job, await agents_by_id(tx, job.organization_id, [job.agent_id]), steps)


def _without(shown: msgspec.Struct, names: tuple[str, ...]) -> dict[str, object]:
    fields: dict[str, object] = msgspec.to_builtins(shown)
    return {name: value for name, value in fields.items() if name not in names}


def _blocked_ip(occurrence: Occurrence) -> str | None:
    blocked = occurrence.data.get("blocked_ip")
    return str(blocked) if blocked else occurrence.address or None
