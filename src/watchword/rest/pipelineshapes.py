"""Pipelines as the REST API shows them (contract rest-graphql §2.17)."""

import re
from collections.abc import Mapping
from contextlib import suppress

import msgspec

from watchword.domain import accounts, pipelines
from watchword.domain.errors import Invalid
from watchword.domain.ids import UserId
from watchword.domain.steps import Step as DocumentStep
from watchword.domain.steps import StepType
from watchword.rest.formats import Site, graphql_id, instant, maybe_instant
from watchword.rest.users import User, show_person
from watchword.services.steps import document_of_pipeline


class Step(msgspec.Struct, kw_only=True):
    """A step as a pipeline shows it; of a group, the steps it holds follow."""

    type: str
    name: str | None
    key: str | None
    command: str | None
    env: dict[str, str]
    agent_query_rules: list[str]
    priority: int
    artifact_paths: str | None
    branch_configuration: str | None
    timeout_in_minutes: int | None
    concurrency: int | None
    parallelism: int | None


class Provider(msgspec.Struct, kw_only=True):
    """Where the repository lives, told by its address; pushes there are not heard of here."""

    id: str
    webhook_url: str
    settings: dict[str, str]


class Pipeline(msgspec.Struct, kw_only=True):
    """A named sequence of steps."""

    id: str
    graphql_id: str
    url: str
    web_url: str
    name: str
    slug: str
    description: str | None
    repository: str
    cluster_id: str | None
    default_branch: str
    branch_configuration: str | None
    configuration: str
    steps: list[Step]
    env: dict[str, str]
    provider: Provider
    builds_url: str
    badge_url: str | None
    created_at: str
    created_by: User | None
    archived_at: str | None
    visibility: str
    tags: list[str]
    default_timeout_in_minutes: int | None
    maximum_timeout_in_minutes: int | None
    skip_queued_branch_builds: bool
    skip_queued_branch_builds_filter: str | None
    cancel_running_branch_builds: bool
    cancel_running_branch_builds_filter: str | None
    allow_rebuilds: bool
    cluster_url: str | None
    # Not counted where the pipeline stands inside a build.
    scheduled_builds_count: int | None
    running_builds_count: int | None
    scheduled_jobs_count: int | None
    running_jobs_count: int | None
    waiting_jobs_count: int | None


TYPES = {
    StepType.COMMAND: "script",
    StepType.WAIT: "waiter",
    StepType.BLOCK: "manual",
    StepType.INPUT: "manual",
    StepType.GROUP: "group",
    StepType.TRIGGER: "trigger",
}


def show_step(step: DocumentStep) -> Step:
    """A step as JSON."""
    return Step(
        type=TYPES[step.type],
        name=step.label or None,
        key=step.key or None,
        command=step.command if step.type is StepType.COMMAND else None,
        env=dict(step.env),
        agent_query_rules=list(step.rules),
        priority=step.priority,
        artifact_paths=step.artifact_paths or None,
        branch_configuration=step.branches or None,
        timeout_in_minutes=step.timeout_minutes or None,
        concurrency=step.concurrency or None,
        parallelism=step.parallelism or None,
    )


def show_pipeline(
    site: Site,
    organization: accounts.Organization,
    pipeline: pipelines.Pipeline,
    people: Mapping[UserId, accounts.User],
    work: pipelines.PipelineWork | None = None,
) -> Pipeline:
    """A pipeline as JSON; `work` is what of it has not ended, None where nobody counted."""
    at = ("organizations", organization.slug, "pipelines", pipeline.slug)
    steps: tuple[DocumentStep, ...] = ()
    # A configuration of another version is shown as text alone.
    with suppress(Invalid):
        steps = document_of_pipeline(pipeline).steps
    return Pipeline(
        id=pipeline.id,
        graphql_id=graphql_id("Pipeline", pipeline.id),
        url=site.rest(*at),
        web_url=site.web(organization.slug, pipeline.slug),
        name=pipeline.name,
        slug=pipeline.slug,
        description=pipeline.description or None,
        repository=pipeline.repository,
        cluster_id=pipeline.cluster_id,
        default_branch=pipeline.default_branch,
        branch_configuration=None,
        configuration=pipeline.configuration,
        steps=[show_step(step) for step in steps],
        env=dict(pipeline.env),
        provider=_provider(pipeline.repository),
        builds_url=site.rest(*at, "builds"),
        badge_url=None,
        created_at=instant(pipeline.created_at),
        created_by=show_person(people, pipeline.created_by),
        archived_at=maybe_instant(pipeline.archived_at),
        visibility="private",
        tags=list(pipeline.tags),
        default_timeout_in_minutes=pipeline.default_timeout_minutes or None,
        maximum_timeout_in_minutes=pipeline.maximum_timeout_minutes or None,
        skip_queued_branch_builds=False,
        skip_queued_branch_builds_filter=None,
        cancel_running_branch_builds=False,
        cancel_running_branch_builds_filter=None,
        allow_rebuilds=True,
        cluster_url=site.rest("organizations", organization.slug, "clusters", pipeline.cluster_id)
        if pipeline.cluster_id is not None
        else None,
        scheduled_builds_count=work.scheduled_builds if work else None,
        running_builds_count=work.running_builds if work else None,
        scheduled_jobs_count=work.scheduled_jobs if work else None,
        running_jobs_count=work.running_jobs if work else None,
        waiting_jobs_count=work.waiting_jobs if work else None,
    )


_HOSTS = {"github.com": "github", "gitlab.com": "gitlab", "bitbucket.org": "bitbucket"}
_HOST = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?(?:[^@/]*@)?([^:/]+)[:/](.+?)(?:\.git)?/?", re.IGNORECASE)


def _provider(repository: str) -> Provider:
    """Where a repository lives."""
    found = _HOST.fullmatch(repository)
    known = _HOSTS.get(found[1].lower()) if found else None
    settings = {"repository": found[2]} if found and known else {}
    return Provider(id=known or "unknown", webhook_url="", settings=settings)
