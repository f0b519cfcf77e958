"""The commands that talk to this machine only: the job's variables, its redactor, and locks."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from watchword.agent.inside.console import fail, guarded, note

if TYPE_CHECKING:
    from watchword.agent.inside.locks import Locks

Format = Literal["plain", "json", "json-pretty"]
Output = Literal["quiet", "plain", "json", "json-pretty"]
_Names = Annotated[str, Parameter(allow_leading_hyphen=True)]
_Limit = Annotated[str, Parameter(env_var="BUILDKITE_LOCK_WAIT_TIMEOUT")]
_Sockets = Annotated[str | None, Parameter(env_var="BUILDKITE_SOCKETS_PATH", show_default=False)]
_Scope = Annotated[Literal["machine"], Parameter(env_var="BUILDKITE_LOCK_SCOPE")]

env_app = App(name="env", help="Read and change the variables of the job's next commands and hooks.")
redactor_app = App(name="redactor", help="Hide more from the job's log.")
workdir_app = App(name="workdir", help="Change where the job goes on.")
lock_app = App(name="lock", help="Locks between the jobs of this machine.")


def mount(app: App) -> None:
    """Add these commands to the `agent` command."""
    for each in (env_app, redactor_app, workdir_app, lock_app):
        app.command(each)


@env_app.command(name="get")
def get_env(*names: _Names, format: Format = "plain") -> None:  # noqa: A002 - the flag's name
    """Print variables of the job: all, or those named. Status 1 if one is not set.

    Args:
        names: Which ones; of a single one only the value is printed.
        format: How to print them.
    """
    variables = _job("GET", "/env")["env"]
    chosen = {name: variables[name] for name in names if name in variables} if names else variables
    missing = [name for name in names if name not in variables]
    if format != "plain":
        _print_json(chosen, pretty=format == "json-pretty")
    elif len(names) == 1:
        sys.stdout.writelines(f"{value}\n" for value in chosen.values())
    else:
        sys.stdout.writelines(f"{name}={chosen[name]}\n" for name in sorted(chosen))
    if missing:
        fail(f"not set: {', '.join(missing)}")


@env_app.command(name="set")
def set_env(
    *pairs: _Names,
    input_format: Literal["plain", "json"] = "plain",
    output_format: Output = "plain",
) -> None:
    """Set variables for the hooks and commands that come.

    Args:
        pairs: NAME=VALUE, or JSON objects; - reads lines of them from standard input.
        input_format: What they are.
        output_format: How to print what changed.
    """
    wanted: dict[str, str] = {}
    for text in _lines(pairs):
        wanted |= _object(text) if input_format == "json" else _pair(text)
    answer = _job("PATCH", "/env", {"env": wanted})
    _report(answer, output_format, (("Added", "+", "added"), ("Updated", "~", "updated")))


@env_app.command(name="unset")
def unset_env(
    *names: _Names,
    input_format: Literal["plain", "json"] = "plain",
    output_format: Output = "plain",
) -> None:
    """Unset variables for the hooks and commands that come.

    Args:
        names: Which ones, or JSON lists of them; - reads lines from standard input.
        input_format: What they are.
        output_format: How to print what changed.
    """
    keys: list[str] = []
    for text in _lines(names):
        keys += _list(text) if input_format == "json" else [text]
    answer = _job("DELETE", "/env", {"keys": keys})
    _report(answer, output_format, (("Deleted", "-", "deleted"),))


@env_app.command(name="dump")
def dump_env(*, format: Literal["json", "json-pretty"] = "json") -> None:  # noqa: A002 - the flag's name
    """Print the variables of this very process.

    Args:
        format: How to print them.
    """
    _print_json(dict(os.environ), pretty=format == "json-pretty")


@redactor_app.command(name="add")
def add_redaction(
    file: Path | None = None,
    /,
    *,
    format: Annotated[  # noqa: A002 - the flag's name
        Literal["none", "json"], Parameter(env_var="BUILDKITE_AGENT_REDACT_ADD_FORMAT")
    ] = "none",
) -> None:
    """Hide a text from the job's log from now on.

    Args:
        file: File with the text; standard input if absent.
        format: json: hide every value of a JSON object.
    """
    try:
        text = file.read_text(encoding="utf-8") if file else sys.stdin.read()
    except (OSError, UnicodeDecodeError):
        fail(f"cannot read {file or 'standard input'}")
    for secret in _object(text).values() if format == "json" else [text.strip()]:
        _job("POST", "/redactions", {"redact": secret})


@workdir_app.command(name="set")
def set_workdir(path: Path, /) -> None:
    """Let the job go on in another folder; for hooks that are no shell scripts.

    Args:
        path: The folder.
    """
    _job("PUT", "/workdir", {"workdir": str(path.absolute())})


@lock_app.command(name="acquire")
def acquire_lock(
    key: str,
    /,
    *,
    lock_wait_timeout: _Limit = "0",
    sockets_path: _Sockets = None,
    lock_scope: _Scope = "machine",
) -> None:
    """Wait for a lock and print the token that releases it.

    Args:
        key: The lock.
        lock_wait_timeout: How long to wait, such as 30s; 0 for ever.
        sockets_path: Folder of the agent's sockets.
        lock_scope: Among whom; machine is all there is.
    """
    del lock_scope
    locks = _locks(sockets_path, lock_wait_timeout)
    sys.stdout.write(f"{guarded(lambda: locks.acquire(key))}\n")


@lock_app.command(name="release")
def release_lock(
    key: str, token: str, /, *, sockets_path: _Sockets = None, lock_scope: _Scope = "machine"
) -> None:
    """Give a lock back.

    Args:
        key: The lock.
        token: What acquire printed.
        sockets_path: Folder of the agent's sockets.
        lock_scope: Among whom; machine is all there is.
    """
    del lock_scope
    locks = _locks(sockets_path)
    guarded(lambda: locks.release(key, token))


@lock_app.command(name="do")
def begin_once(
    key: str,
    /,
    *,
    lock_wait_timeout: _Limit = "0",
    sockets_path: _Sockets = None,
    lock_scope: _Scope = "machine",
) -> None:
    """Print "do" if the caller is to do the work, or wait until it is done and print "done".

    Args:
        key: The work.
        lock_wait_timeout: How long to wait, such as 30s; 0 for ever.
        sockets_path: Folder of the agent's sockets.
        lock_scope: Among whom; machine is all there is.
    """
    del lock_scope
    locks = _locks(sockets_path, lock_wait_timeout)
    sys.stdout.write("do\n" if guarded(lambda: locks.begin(key)) else "done\n")


@lock_app.command(name="done")
def finish_once(key: str, /, *, sockets_path: _Sockets = None, lock_scope: _Scope = "machine") -> None:
    """Say that the work is done.

    Args:
        key: The work.
        sockets_path: Folder of the agent's sockets.
        lock_scope: Among whom; machine is all there is.
    """
    del lock_scope
    locks = _locks(sockets_path)
    guarded(lambda: locks.finish(key))


@lock_app.command(name="get")
def get_lock(key: str, /, *, sockets_path: _Sockets = None, lock_scope: _Scope = "machine") -> None:
    """Print the state of a lock; an empty line if it is free.

    Args:
        key: The lock.
        sockets_path: Folder of the agent's sockets.
        lock_scope: Among whom; machine is all there is.
    """
    del lock_scope
    locks = _locks(sockets_path)
    sys.stdout.write(f"{guarded(lambda: locks.state(key))}\n")


def _job(method: str, path: str, body: object = None) -> dict[str, Any]:
    """Call the job's socket."""
    from watchword.agent.inside.sockets import job_socket  # noqa: PLC0415 - keeps --help quick

    return guarded(lambda: job_socket(os.environ).call(dict[str, Any], method, path, body))


def _locks(folder: str | None, limit: str = "0") -> "Locks":
    from watchword.agent.configvalues import read_seconds  # noqa: PLC0415 - keeps --help quick
    from watchword.agent.inside.locks import BASE, SOCKET, Locks  # noqa: PLC0415 - the same
    from watchword.agent.inside.sockets import SocketClient  # noqa: PLC0415 - the same

    if not folder:
        fail("BUILDKITE_SOCKETS_PATH is not set: give --sockets-path, or run this inside a job")
    seconds = guarded(lambda: read_seconds("lock-wait-timeout", limit))
    return Locks(SocketClient(str(Path(folder) / SOCKET), BASE), limit=seconds)


def _lines(words: tuple[str, ...]) -> list[str]:
    """The words, with - replaced by the lines of standard input."""
    return [line for word in words for line in (sys.stdin.read().splitlines() if word == "-" else [word])]


def _pair(text: str) -> dict[str, str]:
    name, mark, value = text.partition("=")
    if not mark or not name:
        fail(f"{text!r} is not NAME=VALUE")
    return {name: value}


def _object(text: str) -> dict[str, str]:
    decoded = _decoded(text)
    if not isinstance(decoded, dict) or not all(isinstance(value, str) for value in decoded.values()):
        fail("expected a JSON object whose values are texts")
    return decoded


def _list(text: str) -> list[str]:
    decoded = _decoded(text)
    if not isinstance(decoded, list) or not all(isinstance(value, str) for value in decoded):
        fail("expected a JSON list of texts")
    return decoded


def _decoded(text: str) -> Any:  # noqa: ANN401 - decoded JSON
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        fail("what was given is not JSON")


def _report(answer: dict[str, Any], form: Output, kinds: tuple[tuple[str, str, str], ...]) -> None:
    if form in ("json", "json-pretty"):
        _print_json(answer, pretty=form == "json-pretty")
    elif form == "plain":
        for title, mark, key in kinds:
            if answer[key]:
                sys.stdout.write(f"{title}:\n")
                sys.stdout.writelines(f"{mark} {name}\n" for name in answer[key])
        if not any(answer[key] for _, _, key in kinds):
            note("Nothing changed")


def _print_json(value: object, *, pretty: bool) -> None:
    indent = 2 if pretty else None
    separators = None if pretty else (",", ":")
    sys.stdout.write(f"{json.dumps(value, ensure_ascii=False, indent=indent, separators=separators)}\n")
