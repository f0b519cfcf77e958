"""Variables that belong to the agent: the server and hooks may not change them (contract section 4.4)."""

from collections.abc import Iterable

LOCKED = frozenset(
    {
        "BUILDKITE_AGENT_ACCESS_TOKEN",
        "BUILDKITE_AGENT_DEBUG",
        "BUILDKITE_AGENT_ENDPOINT",
        "BUILDKITE_AGENT_JOB_API_SOCKET",
        "BUILDKITE_AGENT_JOB_API_TOKEN",
        "BUILDKITE_AGENT_PID",
        "BUILDKITE_BIN_PATH",
        "BUILDKITE_BUILD_PATH",
        "BUILDKITE_COMMAND_EVAL",
        "BUILDKITE_CONFIG_PATH",
        "BUILDKITE_HOOKS_PATH",
        "BUILDKITE_HOOKS_SHELL",
        "BUILDKITE_JOB_ID",
        "BUILDKITE_LOCAL_HOOKS_ENABLED",
        "BUILDKITE_PLUGINS_ENABLED",
        "BUILDKITE_PLUGINS_PATH",
        "BUILDKITE_SHELL",
        "BUILDKITE_SSH_KEYSCAN",
    }
)

CHECKOUT_FLAGS = frozenset(
    {
        "BUILDKITE_GIT_CHECKOUT_FLAGS",
        "BUILDKITE_GIT_CLEAN_FLAGS",
        "BUILDKITE_GIT_CLONE_FLAGS",
        "BUILDKITE_GIT_FETCH_FLAGS",
    }
)
"""Locked too where no shell text may run: git runs commands that stand in flags."""


def blocked(names: Iterable[str], *, command_eval: bool) -> list[str]:
    """Those of the names that nothing inside a job may change, sorted."""
    locked = LOCKED if command_eval else LOCKED | CHECKOUT_FLAGS
    return sorted(name for name in names if name in locked)
