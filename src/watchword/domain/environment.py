"""The environment that the server gives a job (contract agent-api §4.3); all values are text."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from watchword.domain.accounts import Organization, User
from watchword.domain.buildsteps import BuildStep
from watchword.domain.fleet import Agent, knows_repository_tokens, tag_environment
from watchword.domain.pipelines import Build, Job, Pipeline
from watchword.domain.steps import Step

# Variables that an agent sets itself. Sent by the server they are overwritten and listed to the user
# as ignored (contract agent-api §4.4); the token variables must never come from a build's environment.
AGENT_OWNED = frozenset(
    f"BUILDKITE_{name}"
    for name in (
        "AGENT_ACCESS_TOKEN",
        "AGENT_TOKEN",
        "AGENT_ENDPOINT",
        "NO_HTTP2",
        "AGENT_DEBUG",
        "AGENT_DEBUG_HTTP",
        "AGENT_PID",
        "BIN_PATH",
        "CONFIG_PATH",
        "BUILD_PATH",
        "SOCKETS_PATH",
        "HOOKS_PATH",
        "ADDITIONAL_HOOKS_PATHS",
        "PLUGINS_PATH",
        "SSH_KEYSCAN",
        "COMMAND_EVAL",
        "PLUGINS_ENABLED",
        "LOCAL_HOOKS_ENABLED",
        "SHELL",
        "HOOKS_SHELL",
        "AGENT_EXPERIMENT",
        "REDACTED_VARS",
        "STRICT_SINGLE_HOOKS",
        "CHECKOUT_OVERRIDE_MODE",
        "CHECKOUT_ATTEMPTS",
        "GIT_CLONE_MIRROR_FLAGS",
        "GIT_MIRROR_CHECKOUT_MODE",
        "GIT_SUBMODULE_CLONE_CONFIG",
        "JOB_LOGS_OTLP",
        "AGENT_DISABLE_WARNINGS_FOR",
        "ENV_FILE",
        "ENV_JSON_FILE",
        "AGENT_JOB_TIMEOUT_FILE",
        "CANCEL_SIGNAL_TIMEOUT",
        "CANCEL_CLEANUP_TIMEOUT",
        "CANCEL_GRACE_PERIOD",
        "SIGNAL_GRACE_PERIOD_SECONDS",
        "AGENT_CACHE_PATHS",
        "SECRETS_CONFIG",
        "GIT_MIRRORS_PATH",
        "GIT_MIRRORS_LOCK_TIMEOUT",
        "GIT_MIRRORS_SKIP_UPDATE",
    )
)
# Stands for a pipeline without a repository: agents refuse a job whose BUILDKITE_REPO is empty (trap 7).
NO_REPOSITORY = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What else a job's variables tell of.

    Attributes:
        step: its step, with its permutation put in.
        group: the group that holds the step.
        unblocker: who unblocked the last block or input before it.
        creator: who made the build.
        rebuilt_from: the build that this one repeats.
        cluster: name of the cluster.
        credentials: whether the agent may ask for a token for the repository.
    """

    step: Step | None = None
    group: BuildStep | None = None
    unblocker: User | None = None
    creator: User | None = None
    rebuilt_from: Build | None = None
    cluster: str = ""
    credentials: bool = False


def job_environment(
    url: str,
    organization: Organization,
    pipeline: Pipeline,
    build: Build,
    job: Job,
    agent: Agent,
    around: Surroundings,
) -> Mapping[str, str]:
    """Assemble the variables of one job on one agent.

    A step's own win over the build's, and those over the pipeline's.

    Args:
        url: the installation's public address, without a slash at the end.
        organization: owner of the pipeline.
        pipeline: what is built.
        build: the run.
        job: the command.
        agent: who runs it.
        around: what else they tell of.
    """
    merged = {**pipeline.env, **build.env, **job.env}
    given = {name: value for name, value in merged.items() if name not in AGENT_OWNED}
    if pipeline.repository == NO_REPOSITORY:
        given.setdefault("BUILDKITE_SKIP_CHECKOUT", "true")
    page = f"{url}/{organization.slug}/{pipeline.slug}/builds/{build.number}"
    return given | {
        "CI": "true",
        "BUILDKITE": "true",
        "BUILDKITE_ORGANIZATION_ID": organization.id,
        "BUILDKITE_ORGANIZATION_SLUG": organization.slug,
        "BUILDKITE_CLUSTER_ID": job.cluster_id or "",
        "BUILDKITE_PIPELINE_ID": pipeline.id,
        "BUILDKITE_PIPELINE_NAME": pipeline.name,
        "BUILDKITE_PIPELINE_SLUG": pipeline.slug,
        "BUILDKITE_PIPELINE_PROVIDER": "git",
        "BUILDKITE_PIPELINE_DEFAULT_BRANCH": pipeline.default_branch,
        "BUILDKITE_REPO": pipeline.repository,
        "BUILDKITE_BUILD_ID": build.id,
        "BUILDKITE_BUILD_NUMBER": str(build.number),
        "BUILDKITE_BUILD_URL": page,
        "BUILDKITE_BRANCH": build.branch,
        "BUILDKITE_COMMIT": build.commit,
        "BUILDKITE_MESSAGE": build.message,
        "BUILDKITE_SOURCE": build.source,
        "BUILDKITE_JOB_ID": job.id,
        "BUILDKITE_LABEL": job.label,
        "BUILDKITE_STEP_KEY": job.step_key,
        "BUILDKITE_COMMAND": job.command,
        "BUILDKITE_TIMEOUT": str(job.timeout_minutes) if job.timeout_minutes else "false",
        "BUILDKITE_RETRY_COUNT": str(job.retries),
        **_of_build(build, around),
        **_of_step(job, around),
        **_of_repository(agent, around),
        "BUILDKITE_AGENT_ID": agent.id,
        "BUILDKITE_AGENT_NAME": agent.name,
        **tag_environment(agent.tags),
    }


def _said(values: Mapping[str, str | None]) -> dict[str, str]:
    """Variables that have a value: an empty one would count as given."""
    return {f"BUILDKITE_{name}": value for name, value in values.items() if value}


def _of_build(build: Build, around: Surroundings) -> dict[str, str]:
    creator, unblocker, source = around.creator, around.unblocker, around.rebuilt_from
    author = build.author or ({"name": creator.name, "email": creator.email} if creator is not None else {})
    pull_request = build.pull_request
    # `false` and not absent: else agents fetch a pull request's reference (trap 8).
    return {"BUILDKITE_PULL_REQUEST": pull_request.get("id") or "false", "BUILDKITE_TAG": build.tag} | _said(
        {
            "PULL_REQUEST_BASE_BRANCH": pull_request.get("base"),
            "PULL_REQUEST_REPO": pull_request.get("repository"),
            "BUILD_AUTHOR": author.get("name"),
            "BUILD_AUTHOR_EMAIL": author.get("email"),
            "BUILD_CREATOR": creator.name if creator is not None else None,
            "BUILD_CREATOR_EMAIL": creator.email if creator is not None else None,
            "UNBLOCKER": unblocker.name if unblocker is not None else None,
            "UNBLOCKER_EMAIL": unblocker.email if unblocker is not None else None,
            "UNBLOCKER_ID": unblocker.id if unblocker is not None else None,
            "REBUILT_FROM_BUILD_ID": source.id if source is not None else None,
            "REBUILT_FROM_BUILD_NUMBER": str(source.number) if source is not None else None,
            "CLUSTER_NAME": around.cluster,
        }
    )


def _of_repository(agent: Agent, around: Surroundings) -> dict[str, str]:
    """What makes an agent ask for a token (contract agent-api §2.10); older ones know GitHub's word alone."""
    provider = "REPOSITORY_PROVIDER" if knows_repository_tokens(agent.version) else "GITHUB_APP"
    return {f"BUILDKITE_USE_{provider}_GIT_CREDENTIALS": "true"} if around.credentials else {}


def _of_step(job: Job, around: Surroundings) -> dict[str, str]:
    step, group = around.step, around.group
    found = _said(
        {
            "STEP_ID": job.step_id,
            "GROUP_ID": group.id if group is not None else None,
            "GROUP_KEY": group.step.key if group is not None else None,
            "GROUP_LABEL": group.step.label if group is not None else None,
            "ARTIFACT_PATHS": step.artifact_paths if step is not None else None,
            "PLUGINS": json.dumps(list(step.plugins)) if step is not None and step.plugins else None,
        }
    )
    if job.parallel_total:
        found["BUILDKITE_PARALLEL_JOB"] = str(job.parallel_index)
        found["BUILDKITE_PARALLEL_JOB_COUNT"] = str(job.parallel_total)
    return found
