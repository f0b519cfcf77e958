"""What an operator decides about jobs: hooks, plugins, checkout, what may run, and how it is ended."""

import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from watchword.agent.configvalues import read_path, read_seconds, read_signal
from watchword.agent.errors import ConfigError
from watchword.agent.redaction import PATTERNS

_NOTHING = re.compile(r"(?!)")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSettings:
    """An operator's decisions about the jobs of one agent.

    Attributes:
        hooks_path: folder of the operator's hooks, or None.
        additional_hooks_paths: more of them, run after those of `hooks_path`.
        plugins_path: folder that plugins are cloned into.
        sockets_path: folder of the socket through which jobs take locks.
        command_eval: whether a command may be shell text, and not only a script of the repository.
        local_hooks: whether hooks of the repository run.
        plugins: whether plugins run.
        plugins_fresh: clone plugins anew for every job.
        single_hooks: of several plugins with a command or checkout hook only the first one's runs.
        hooks_shell: shell of hooks that name none; empty: bash, or sh where there is none.
        skip_checkout: no checkout unless the job says otherwise.
        submodules: whether submodules are checked out.
        ssh_accept_new: accept the host key of a server seen for the first time.
        checkout_flags: of `git checkout`; so are the next three for their commands.
        clone_flags: see above.
        fetch_flags: see above.
        clean_flags: see above.
        skip_known_commits: fetch nothing if the commit is there already.
        checkout_attempts: how often a checkout is tried in all.
        redacted: patterns of the names of variables whose values are secret.
        cancel_signal: sent to the command's process group.
        cancel_grace: seconds from that signal to SIGKILL.
        cancel_cleanup: seconds that hooks get after that.
        allowed_repositories: a repository must match one of them, if there are any.
        allowed_plugins: the same for sources of plugins.
        allowed_variables: the same for the names of a job's variables.
        pty: whether a job's output is a terminal.
        time_marks: whether the lines of a job's log begin with a time mark.
        log_file: whether a job's log is in a file too while it runs.
        log_path: folder of these files; None for the job's own scratch folder.
        log_to_stdout: whether it goes to the agent's standard output too.
        shim: whether jobs find this agent's commands as `buildkite-agent`.
    """

    hooks_path: Path | None
    additional_hooks_paths: tuple[Path, ...]
    plugins_path: Path
    sockets_path: Path
    command_eval: bool
    local_hooks: bool
    plugins: bool
    plugins_fresh: bool
    single_hooks: bool
    hooks_shell: str
    skip_checkout: bool
    submodules: bool
    ssh_accept_new: bool
    checkout_flags: str
    clone_flags: str
    fetch_flags: str
    clean_flags: str
    skip_known_commits: bool
    checkout_attempts: int
    redacted: tuple[str, ...]
    cancel_signal: signal.Signals
    cancel_grace: float
    cancel_cleanup: float
    allowed_repositories: tuple[re.Pattern[str], ...]
    allowed_plugins: tuple[re.Pattern[str], ...]
    allowed_variables: tuple[re.Pattern[str], ...]
    pty: bool
    time_marks: bool
    log_file: bool
    log_path: Path | None
    log_to_stdout: bool
    shim: bool


def job_settings(values: Mapping[str, Any], texts: Mapping[str, str], *, state: Path) -> JobSettings:
    """Decide the settings about jobs.

    Args:
        values: every setting of `options` as read, by field.
        texts: the same as text, by name.
        state: the agent's folder, below which plugins and sockets go unless the operator names others.

    Raises:
        ConfigError: a setting makes no sense.
    """
    grace, cleanup = _cancel_times(values, texts)
    restricted = values["no_command_eval"] or values["no_local_hooks"]
    return JobSettings(
        hooks_path=values["hooks_path"],
        additional_hooks_paths=tuple(read_path(text) for text in values["additional_hooks_paths"]),
        plugins_path=values["plugins_path"] or state / "plugins",
        sockets_path=values["sockets_path"] or state / "sockets",
        command_eval=not values["no_command_eval"],
        local_hooks=not values["no_local_hooks"],
        plugins=not (values["no_plugins"] or (restricted and not texts["no-plugins"])),
        plugins_fresh=values["plugins_always_clone_fresh"],
        single_hooks=values["strict_single_hooks"],
        hooks_shell=values["hooks_shell"],
        skip_checkout=values["skip_checkout"],
        submodules=not values["no_git_submodules"],
        ssh_accept_new=not values["no_ssh_keyscan"],
        checkout_flags=values["git_checkout_flags"],
        clone_flags=values["git_clone_flags"],
        fetch_flags=values["git_fetch_flags"],
        clean_flags=values["git_clean_flags"],
        skip_known_commits=values["git_skip_fetch_existing_commits"],
        checkout_attempts=max(1, values["checkout_attempts"]),
        redacted=values["redacted_vars"] or PATTERNS,
        cancel_signal=read_signal(values["cancel_signal"]),
        cancel_grace=grace,
        cancel_cleanup=cleanup,
        allowed_repositories=_patterns("allowed-repositories", values),
        allowed_plugins=_patterns("allowed-plugins", values),
        allowed_variables=_allowed_variables(values),
        pty=not values["no_pty"],
        time_marks=not values["no_ansi_timestamps"],
        log_file=values["enable_job_log_tmpfile"],
        log_path=values["job_log_path"],
        log_to_stdout=values["write_job_logs_to_stdout"],
        shim=not values["no_command_shim"],
    )


def _cancel_times(values: Mapping[str, Any], texts: Mapping[str, str]) -> tuple[float, float]:
    """Seconds to SIGKILL, and after it; the older settings stand in for the first if they are given."""
    old, inner = texts["cancel-grace-period"], texts["signal-grace-period-seconds"]
    grace: float = values["cancel_signal_timeout"]
    if old or inner:
        total = read_seconds("cancel-grace-period", old or "10")
        grace = read_seconds("signal-grace-period-seconds", inner or "-1")
        grace = total + grace if grace < 0 else grace
        if not 0 <= grace < total:
            raise ConfigError("cancel-grace-period must be longer than signal-grace-period-seconds")
    return grace, values["cancel_cleanup_timeout"]


def _allowed_variables(values: Mapping[str, Any]) -> tuple[re.Pattern[str], ...]:
    """The list counts only where it is switched on; switched on and empty it allows nothing."""
    if not values["enable_environment_variable_allowlist"]:
        return ()
    return _patterns("allowed-environment-variables", values) or (_NOTHING,)


def _patterns(name: str, values: Mapping[str, Any]) -> tuple[re.Pattern[str], ...]:
    try:
        return tuple(re.compile(part) for part in values[name.replace("-", "_")])
    except re.error as error:
        raise ConfigError(f"{name} must be regular expressions with commas between them: {error}") from None
