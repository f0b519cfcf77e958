"""`agent start`: settings and token, out of sight, then the agents until they end."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from watchword.agent.conceal import forbid_inspection, restart
from watchword.agent.config import CONFIG_VARIABLE, Settings, load_settings, warnings
from watchword.agent.configfile import find_config, read_file, search_places
from watchword.agent.crew import Crew
from watchword.agent.errors import ConfigError
from watchword.agent.job.process import kill_all
from watchword.agent.lockkeeper import keeping_locks
from watchword.agent.logs import make_log
from watchword.agent.retry import Policy
from watchword.agent.stop import Stop
from watchword.agent.tokenkeeper import TokenKeeper
from watchword.agent.tokensource import TOKEN_VARIABLE, TokenSource, find_source
from watchword.agent.transport import http_client
from watchword.crypto.values import Secret

_PATIENCE = 2
_LAST_MOMENT = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a start needs.

    Attributes:
        settings: the settings.
        source: where the agent token is.
        token: its value now.
        warnings: what was given and has no effect.
        environ: the environment without the agent token.
    """

    settings: Settings
    source: TokenSource
    token: Secret
    warnings: list[str]
    environ: Mapping[str, str]


def start(flags: Mapping[str, str | None]) -> int:
    """Run agents until they are told to leave.

    A token given in the arguments or the environment makes the process replace itself once, so that
    this may not return (see `conceal`).

    Args:
        flags: what the command line gave, by the names of `options`; None where it gave nothing.

    Returns:
        0 after a wanted end; 1 if the settings, the registration or a final answer ended it; what
        `Crew.run` says in acquire mode.
    """
    try:
        ready = _prepare(flags)
    except ConfigError as error:
        sys.stderr.write(f"Cannot start: {error}\n")
        return 1
    settings = ready.settings
    color = settings.color and sys.stderr.isatty()
    log = make_log(sys.stderr, form=settings.log_format, color=color, level=settings.log_level)
    for warning in ready.warnings:
        log.warning(warning)
    return asyncio.run(serve(ready, log))


async def serve(ready: Start, log: FilteringBoundLogger) -> int:
    """Run the agents with signals attached; gives the process's exit status."""
    jobs = ready.settings.jobs
    policy = Policy(grace=jobs.cancel_grace, cleanup=jobs.cancel_cleanup)
    stop = Stop()
    keeper = TokenKeeper(ready.source, ready.token, policy=policy, log=log)
    _attach_signals(stop, keeper, log, patience=jobs.cancel_grace + jobs.cancel_cleanup + _LAST_MOMENT)
    async with http_client() as http, keeping_locks(jobs.sockets_path, policy, log):
        crew = Crew(ready.settings, keeper, http, policy=policy, log=log, stop=stop, environ=ready.environ)
        return await crew.run()


def _prepare(flags: Mapping[str, str | None]) -> Start:
    home = Path.home()
    named = flags.get("config") or os.environ.get(CONFIG_VARIABLE)
    path = find_config(named, search_places(Path(sys.argv[0]).resolve(), home))
    config = read_file(path)
    settings = load_settings(flags, os.environ, config, home=home)
    source = find_source(flags, os.environ, config, path)
    _make_folder(settings.build_path)
    token = source.read()
    if source.exposed and os.name == "posix":
        restart(token, source.variable)
    forbid_inspection()
    return Start(
        settings=settings,
        source=source,
        token=token,
        warnings=warnings(os.environ, config),
        environ={name: text for name, text in os.environ.items() if name != TOKEN_VARIABLE},
    )


def _make_folder(path: Path) -> None:
    """Find out now, not at the first job, whether jobs have a place."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"the build path {path} cannot be made: {error.strerror}") from None


def _attach_signals(stop: Stop, keeper: TokenKeeper, log: FilteringBoundLogger, *, patience: float) -> None:
    """Listen to signals (contract section 5.4); `patience` is what a cancelled process gets, in seconds."""
    loop = asyncio.get_running_loop()
    asked = 0

    def heard(least: int) -> None:
        nonlocal asked
        asked = max(asked + 1, least)
        if asked > _PATIENCE:
            _give_up()
        elif asked == _PATIENCE:
            log.info("cancelling the job; another signal ends the process at once")
            stop.force()
            loop.call_later(patience, _give_up)
        else:
            log.info("leaving after the running job; a second signal cancels it")
            stop.ask()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, heard, 1)
    loop.add_signal_handler(signal.SIGQUIT, heard, _PATIENCE)
    loop.add_signal_handler(signal.SIGHUP, keeper.ask)


def _give_up() -> None:
    """End at once, and jobs with it: nobody would look after them."""
    kill_all()
    os._exit(1)
