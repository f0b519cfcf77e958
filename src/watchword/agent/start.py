"""`agent start`: settings and token, out of sight, then the worker until it ends."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from watchword.agent.conceal import forbid_inspection, is_exposed, restart
from watchword.agent.config import CONFIG_VARIABLE, Settings, load_settings
from watchword.agent.configfile import read_config, search_places
from watchword.agent.errors import AgentError, ApiError, ConfigError
from watchword.agent.logs import make_log
from watchword.agent.loop import Worker
from watchword.agent.retry import Policy
from watchword.agent.stop import Stop
from watchword.agent.tokensource import find_token
from watchword.agent.transport import http_client
from watchword.crypto.values import Secret

_PATIENCE = 2


def start(flags: Mapping[str, str | None]) -> int:
    """Run an agent until it is told to leave.

    A token given in the arguments or the environment makes the process replace itself once, so that
    this may not return (see `conceal`).

    Args:
        flags: what the command line gave, by the names of `options`; None where it gave nothing.

    Returns:
        0 after a wanted end; 1 if the settings, the registration or a final answer ended it.
    """
    try:
        settings, token = _prepare(flags)
    except ConfigError as error:
        sys.stderr.write(f"Cannot start: {error}\n")
        return 1
    color = settings.color and sys.stderr.isatty()
    log = make_log(sys.stderr, form=settings.log_format, color=color)
    policy = Policy(grace=settings.jobs.cancel_grace, cleanup=settings.jobs.cancel_cleanup)
    return asyncio.run(serve(settings, token, log, policy))


async def serve(settings: Settings, token: Secret, log: FilteringBoundLogger, policy: Policy) -> int:
    """Run one worker with signals attached; gives the process's exit status."""
    stop = Stop()
    _attach_signals(stop, log)
    async with http_client() as http:
        worker = Worker(settings, token, http, policy=policy, log=log, stop=stop, environ=os.environ)
        return await exit_status(worker, log)


async def exit_status(worker: Worker, log: FilteringBoundLogger) -> int:
    """Run a worker and say why it ended, if it did so against its will."""
    try:
        await worker.run()
    except ApiError as error:
        code = {"code": error.code} if error.code else {}
        log.error("the agent ends", reason=error.message, status=error.status or "no answer", **code)  # noqa: TRY400
        return 1
    except AgentError as error:
        log.error("the agent ends", reason=str(error))  # noqa: TRY400
        return 1
    return 0


def _prepare(flags: Mapping[str, str | None]) -> tuple[Settings, Secret]:
    home = Path.home()
    named = flags.get("config") or os.environ.get(CONFIG_VARIABLE)
    config = read_config(named, search_places(Path(sys.argv[0]).resolve(), home))
    settings = load_settings(flags, os.environ, config, home=home)
    token = find_token(flags, os.environ, config)
    if is_exposed(flags, os.environ):
        restart(token)
    forbid_inspection()
    return settings, token


def _attach_signals(stop: Stop, log: FilteringBoundLogger) -> None:
    asked = 0

    def heard() -> None:
        nonlocal asked
        asked += 1
        if asked > _PATIENCE:
            os._exit(1)
        log.info(
            "leaving after the running job; a second signal cancels it"
            if asked == 1
            else "cancelling the job"
        )
        stop.ask()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, heard)
