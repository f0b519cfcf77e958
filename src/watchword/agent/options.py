"""Every setting of `agent start`: its flag, its variables, its group in the help, what it means.

Flag and key of the configuration file are the name; names, variables and defaults are those of the
usual agent (contract section 6), `WATCHWORD_*` where it has none.
"""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """How the text of a setting is read."""

    TEXT = "text"
    PATH = "path"
    SWITCH = "switch"
    COUNT = "count"
    SECONDS = "seconds"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Option:
    """One setting.

    Attributes:
        name: of the flag, without dashes in front, and of the key.
        variable: environment variable.
        help: one sentence for the help.
        kind: how its text is read.
        default: the text it has if nobody gives one.
        other: a second environment variable, looked at after the first.
    """

    name: str
    variable: str
    help: str
    kind: Kind = Kind.TEXT
    default: str = ""
    other: str = ""

    @property
    def field(self) -> str:
        """Its name as an identifier."""
        return self.name.replace("-", "_")


_S, _P, _C, _T, _L = Kind.SWITCH, Kind.PATH, Kind.COUNT, Kind.SECONDS, Kind.LIST

GROUPS: dict[str, tuple[Option, ...]] = {
    "Joining": (
        Option("token", "BUILDKITE_AGENT_TOKEN", "Agent token, or a word that says where it is."),
        Option(
            "token-file", "WATCHWORD_AGENT_TOKEN_FILE", "File that holds the agent token, or /dev/fd/N.", _P
        ),
        Option(
            "identity-token-file",
            "WATCHWORD_AGENT_IDENTITY_TOKEN_FILE",
            "File that holds the platform's identity token, read anew at each registration.",
            _P,
        ),
        Option(
            "identity-token-audience",
            "WATCHWORD_AGENT_IDENTITY_TOKEN_AUDIENCE",
            "Audience of the identity token that GitHub Actions is asked for at each registration.",
        ),
        Option(
            "token-refresh",
            "WATCHWORD_AGENT_TOKEN_REFRESH",
            "Look for a new value of the token every so many seconds; 0 for on SIGHUP only.",
            _T,
            "60",
        ),
        Option(
            "endpoint",
            "BUILDKITE_AGENT_ENDPOINT",
            "Base URL of the agent API.",
            default="http://127.0.0.1:8080/v3",
        ),
        Option("config", "BUILDKITE_AGENT_CONFIG", "Configuration file.", _P),
        Option(
            "name",
            "BUILDKITE_AGENT_NAME",
            "Name of the agent; %spawn, %hostname, %pid and %random are replaced.",
            default="%hostname-%spawn",
        ),
        Option("tags", "BUILDKITE_AGENT_TAGS", "Tags such as os=linux, with commas between them.", _L),
        Option(
            "tags-from-host", "BUILDKITE_AGENT_TAGS_FROM_HOST", "Add hostname, os, arch and machine-id.", _S
        ),
        Option("queue", "BUILDKITE_AGENT_QUEUE", "Queue to take jobs from."),
        Option(
            "ping-mode",
            "BUILDKITE_AGENT_PING_MODE",
            "Hear of work on a stream or by asking: auto, stream-only or poll-only.",
            default="auto",
        ),
        Option("priority", "BUILDKITE_AGENT_PRIORITY", "An integer; higher ones get jobs first."),
        Option(
            "no-feature-reporting",
            "BUILDKITE_AGENT_NO_FEATURE_REPORTING",
            "Do not tell the server what is on.",
            _S,
        ),
    ),
    "How many, how long": (
        Option("spawn", "BUILDKITE_AGENT_SPAWN", "Agents in this process.", _C, "1"),
        Option("spawn-per-cpu", "BUILDKITE_AGENT_SPAWN_PER_CPU", "Agents for each processor.", _C, "0"),
        Option(
            "spawn-with-priority",
            "BUILDKITE_AGENT_SPAWN_WITH_PRIORITY",
            "Priorities of spawned agents: static, ascending (1, 2, …) or descending (-1, -2, …).",
            default="static",
        ),
        Option("acquire-job", "BUILDKITE_AGENT_ACQUIRE_JOB", "Run the job with this id, then leave."),
        Option(
            "reflect-exit-status",
            "BUILDKITE_AGENT_REFLECT_EXIT_STATUS",
            "With --acquire-job: end with the job's exit status.",
            _S,
        ),
        Option("disconnect-after-job", "BUILDKITE_AGENT_DISCONNECT_AFTER_JOB", "Leave after one job.", _S),
        Option(
            "disconnect-after-idle-timeout",
            "BUILDKITE_AGENT_DISCONNECT_AFTER_IDLE_TIMEOUT",
            "Leave after so many seconds without a job; 0 for never.",
            _T,
            "0",
        ),
        Option(
            "disconnect-after-uptime",
            "BUILDKITE_AGENT_DISCONNECT_AFTER_UPTIME",
            "Take no job after so many seconds; 0 for never.",
            _T,
            "0",
        ),
    ),
    "Where jobs run": (
        Option("build-path", "BUILDKITE_BUILD_PATH", "Folder below which jobs run.", _P),
        Option("hooks-path", "BUILDKITE_HOOKS_PATH", "Folder of the agent's hooks.", _P),
        Option("additional-hooks-paths", "BUILDKITE_ADDITIONAL_HOOKS_PATHS", "More folders of hooks.", _L),
        Option("plugins-path", "BUILDKITE_PLUGINS_PATH", "Folder in which plugins are kept.", _P),
        Option("sockets-path", "BUILDKITE_SOCKETS_PATH", "Folder of the sockets for jobs.", _P),
        Option("shell", "BUILDKITE_SHELL", "Words in front of a job's command.", default="/bin/bash -e -c"),
        Option(
            "hooks-shell", "BUILDKITE_HOOKS_SHELL", "Shell of hooks that name none; bash or sh unless set."
        ),
        Option(
            "no-command-shim",
            "WATCHWORD_AGENT_NO_COMMAND_SHIM",
            "Do not put this agent before jobs as buildkite-agent.",
            _S,
        ),
        Option("no-pty", "BUILDKITE_NO_PTY", "Give jobs a pipe, not a terminal.", _S),
    ),
    "What jobs may do": (
        Option(
            "no-command-eval",
            "BUILDKITE_NO_COMMAND_EVAL",
            "Run scripts of the repository only, no commands.",
            _S,
        ),
        Option(
            "job-token-rights",
            "WATCHWORD_AGENT_JOB_TOKEN_RIGHTS",
            "What tokens of jobs may do at most, as annotate,artifacts:write; none for nothing.",
            _L,
        ),
        Option("no-plugins", "BUILDKITE_NO_PLUGINS", "Refuse jobs with plugins.", _S),
        Option("no-local-hooks", "BUILDKITE_NO_LOCAL_HOOKS", "Run no hooks of repositories.", _S),
        Option(
            "plugins-always-clone-fresh",
            "BUILDKITE_PLUGINS_ALWAYS_CLONE_FRESH",
            "Clone plugins anew for each job.",
            _S,
        ),
        Option(
            "strict-single-hooks",
            "BUILDKITE_STRICT_SINGLE_HOOKS",
            "Run the first checkout and the first command hook only.",
            _S,
        ),
        Option(
            "allowed-repositories",
            "BUILDKITE_ALLOWED_REPOSITORIES",
            "Regular expressions; jobs of other repositories are refused.",
            _L,
        ),
        Option(
            "allowed-plugins",
            "BUILDKITE_ALLOWED_PLUGINS",
            "Regular expressions; jobs with other plugins are refused.",
            _L,
        ),
        Option(
            "enable-environment-variable-allowlist",
            "BUILDKITE_ENABLE_ENVIRONMENT_VARIABLE_ALLOWLIST",
            "Refuse jobs with variables that are not allowed.",
            _S,
        ),
        Option(
            "allowed-environment-variables",
            "BUILDKITE_ALLOWED_ENVIRONMENT_VARIABLES",
            "Regular expressions of variables' names.",
            _L,
        ),
    ),
    "Git": (
        Option("skip-checkout", "BUILDKITE_SKIP_CHECKOUT", "Check nothing out.", _S),
        Option("git-clone-flags", "BUILDKITE_GIT_CLONE_FLAGS", "Flags of git clone.", default="-v"),
        Option("git-fetch-flags", "BUILDKITE_GIT_FETCH_FLAGS", "Flags of git fetch.", default="-v --prune"),
        Option("git-clean-flags", "BUILDKITE_GIT_CLEAN_FLAGS", "Flags of git clean.", default="-ffxdq"),
        Option("git-checkout-flags", "BUILDKITE_GIT_CHECKOUT_FLAGS", "Flags of git checkout.", default="-f"),
        Option(
            "git-skip-fetch-existing-commits",
            "BUILDKITE_GIT_SKIP_FETCH_EXISTING_COMMITS",
            "Fetch nothing if the commit is there.",
            _S,
        ),
        Option("checkout-attempts", "BUILDKITE_CHECKOUT_ATTEMPTS", "How often a checkout is tried.", _C, "6"),
        Option(
            "no-git-submodules",
            "BUILDKITE_NO_GIT_SUBMODULES",
            "Check no submodules out.",
            _S,
            other="BUILDKITE_DISABLE_GIT_SUBMODULES",
        ),
        Option(
            "no-ssh-keyscan", "BUILDKITE_NO_SSH_KEYSCAN", "Do not fetch the keys of unknown ssh hosts.", _S
        ),
    ),
    "Cancelling": (
        Option("cancel-signal", "BUILDKITE_CANCEL_SIGNAL", "Signal that ends a job.", default="SIGTERM"),
        Option(
            "cancel-signal-timeout",
            "BUILDKITE_CANCEL_SIGNAL_TIMEOUT",
            "Seconds from that signal to SIGKILL.",
            _T,
            "10",
        ),
        Option(
            "cancel-cleanup-timeout",
            "BUILDKITE_CANCEL_CLEANUP_TIMEOUT",
            "Seconds that hooks and uploads of a cancelled job get after that.",
            _T,
            "5",
        ),
        Option(
            "cancel-grace-period",
            "BUILDKITE_CANCEL_GRACE_PERIOD",
            "The older way to say it: seconds that a cancelled job gets in all.",
        ),
        Option(
            "signal-grace-period-seconds",
            "BUILDKITE_SIGNAL_GRACE_PERIOD_SECONDS",
            "Seconds of them to SIGKILL; negative ones count from their end. -1 unless set.",
        ),
    ),
    "Logs": (
        Option(
            "redacted-vars",
            "BUILDKITE_REDACTED_VARS",
            "Patterns of variables whose values are kept out of logs; *_TOKEN and the like unless set.",
            _L,
        ),
        Option(
            "enable-job-log-tmpfile",
            "BUILDKITE_ENABLE_JOB_LOG_TMPFILE",
            "Keep a job's log in a file while it runs; BUILDKITE_JOB_LOG_TMPFILE names it.",
            _S,
        ),
        Option("job-log-path", "BUILDKITE_JOB_LOG_PATH", "Folder of these files.", _P),
        Option(
            "write-job-logs-to-stdout",
            "BUILDKITE_WRITE_JOB_LOGS_TO_STDOUT",
            "Write jobs' logs to the agent's standard output too.",
            _S,
        ),
        Option("no-ansi-timestamps", "BUILDKITE_NO_ANSI_TIMESTAMPS", "No time marks in jobs' logs.", _S),
        Option("no-color", "BUILDKITE_AGENT_NO_COLOR", "No colours in the agent's own log.", _S),
        Option("log-format", "BUILDKITE_LOG_FORMAT", "text or json.", default="text"),
        Option("log-level", "BUILDKITE_AGENT_LOG_LEVEL", "debug, info, warn or error.", default="info"),
        Option("debug", "BUILDKITE_AGENT_DEBUG", "The same as --log-level debug.", _S),
        Option(
            "health-check-addr",
            "BUILDKITE_AGENT_HEALTH_CHECK_ADDR",
            "HOST:PORT that answers whether the agent lives.",
        ),
    ),
}
"""The settings by group, in the order of the help."""

OPTIONS: dict[str, Option] = {option.name: option for group in GROUPS.values() for option in group}

REFUSED: dict[str, str] = {
    "verification-jwks-file": "BUILDKITE_AGENT_VERIFICATION_JWKS_FILE",
    "signing-jwks-file": "BUILDKITE_AGENT_SIGNING_JWKS_FILE",
    "signing-aws-kms-key": "BUILDKITE_AGENT_SIGNING_AWS_KMS_KEY",
    "signing-gcp-kms-key": "BUILDKITE_AGENT_SIGNING_GCP_KMS_KEY",
    "git-commit-verification": "BUILDKITE_GIT_COMMIT_VERIFICATION",
    "bootstrap-script": "BUILDKITE_BOOTSTRAP_SCRIPT_PATH",
    "kubernetes-exec": "BUILDKITE_KUBERNETES_EXEC",
}
"""Settings of the usual agent that protect or replace something, which this agent does not do: it does
not start with them, for it would run what they are to keep away."""

IDLE: dict[str, str] = {
    "experiment": "BUILDKITE_AGENT_EXPERIMENT",
    "fail-on-missing-tags": "BUILDKITE_AGENT_FAIL_ON_MISSING_TAGS",
    "tags-from-ec2-meta-data": "BUILDKITE_AGENT_TAGS_FROM_EC2_META_DATA",
    "tags-from-ec2-tags": "BUILDKITE_AGENT_TAGS_FROM_EC2_TAGS",
    "tags-from-ecs-meta-data": "BUILDKITE_AGENT_TAGS_FROM_ECS_META_DATA",
    "tags-from-gcp-meta-data": "BUILDKITE_AGENT_TAGS_FROM_GCP_META_DATA",
    "tags-from-gcp": "BUILDKITE_AGENT_TAGS_FROM_GCP",
    "tags-from-ec2": "BUILDKITE_AGENT_TAGS_FROM_EC2",
    "tags-from-gcp-labels": "BUILDKITE_AGENT_TAGS_FROM_GCP_LABELS",
    "git-mirrors-path": "BUILDKITE_GIT_MIRRORS_PATH",
    "git-clone-mirror-flags": "BUILDKITE_GIT_CLONE_MIRROR_FLAGS",
    "git-mirrors-lock-timeout": "BUILDKITE_GIT_MIRRORS_LOCK_TIMEOUT",
    "git-mirrors-skip-update": "BUILDKITE_GIT_MIRRORS_SKIP_UPDATE",
    "git-mirror-checkout-mode": "BUILDKITE_GIT_MIRROR_CHECKOUT_MODE",
    "git-submodule-clone-config": "BUILDKITE_GIT_SUBMODULE_CLONE_CONFIG",
    "git-sparse-checkout-paths": "BUILDKITE_GIT_SPARSE_CHECKOUT_PATHS",
    "git-checkout-timeout": "BUILDKITE_GIT_CHECKOUT_TIMEOUT",
    "checkout-override-mode": "BUILDKITE_CHECKOUT_OVERRIDE_MODE",
    "no-plugin-validation": "BUILDKITE_NO_PLUGIN_VALIDATION",
    "job-logs-otlp": "BUILDKITE_JOB_LOGS_OTLP",
    "timestamp-lines": "BUILDKITE_TIMESTAMP_LINES",
    "metrics-datadog-host": "BUILDKITE_METRICS_DATADOG_HOST",
    "metrics-datadog": "BUILDKITE_METRICS_DATADOG",
    "tracing-backend": "BUILDKITE_TRACING_BACKEND",
    "opentelemetry-tracing": "BUILDKITE_OPENTELEMETRY_TRACING",
    "opentelemetry-metrics": "BUILDKITE_OPENTELEMETRY_METRICS",
    "no-automatic-ssh-fingerprint-verification": "BUILDKITE_NO_AUTOMATIC_SSH_FINGERPRINT_VERIFICATION",
    "no-http2": "BUILDKITE_NO_HTTP2",
    "debug-http": "BUILDKITE_AGENT_DEBUG_HTTP",
    "trace-http": "BUILDKITE_AGENT_TRACE_HTTP",
    "profile": "BUILDKITE_AGENT_PROFILE",
    "no-multipart-artifact-upload": "BUILDKITE_NO_MULTIPART_ARTIFACT_UPLOAD",
    "artifact-upload-concurrency": "BUILDKITE_ARTIFACT_UPLOAD_CONCURRENCY",
    "disable-warnings-for": "BUILDKITE_AGENT_DISABLE_WARNINGS_FOR",
}
"""Settings of the usual agent that change nothing here: a warning says so."""
