"""The environment that the server gives a job (contract agent-api §4.3); all values are text."""

from collections.abc import Mapping

from watchword.domain.accounts import Organization
from watchword.domain.fleet import Agent, tag_environment
from watchword.domain.pipelines import Build, Job, Pipeline

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


def job_environment(
    url: str, organization: Organization, pipeline: Pipeline, build: Build, job: Job, agent: Agent
) -> Mapping[str, str]:
    """Assemble the variables of one job on one agent; a step's own win over the build's.

    Args:
        url: the installation's public address, without a slash at the end.
        organization: owner of the pipeline.
        pipeline: what is built.
        build: the run.
        job: the command.
        agent: who runs it.
    """
    given = {name: value for name, value in {**build.env, **job.env}.items() if name not in AGENT_OWNED}
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
        "BUILDKITE_PULL_REQUEST": "false",
        "BUILDKITE_JOB_ID": job.id,
        "BUILDKITE_LABEL": job.label,
        "BUILDKITE_STEP_KEY": job.step_key,
        "BUILDKITE_COMMAND": job.command,
        "BUILDKITE_TIMEOUT": str(job.timeout_minutes) if job.timeout_minutes else "false",
        "BUILDKITE_RETRY_COUNT": "0",
        "BUILDKITE_AGENT_ID": agent.id,
        "BUILDKITE_AGENT_NAME": agent.name,
        **tag_environment(agent.tags),
    }
