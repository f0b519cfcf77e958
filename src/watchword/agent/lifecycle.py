"""The operator's hooks around the life of a process: agent-startup and agent-shutdown."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from structlog.typing import FilteringBoundLogger

_SHELL = "/bin/bash"
_LONGEST_LINE = 64 * 1024


async def run_hooks(
    name: str, folders: Sequence[Path], environment: Mapping[str, str], log: FilteringBoundLogger
) -> bool:
    """Run the hook of a name in each folder that has one; its output goes to the agent's own log.

    Args:
        name: `agent-startup` or `agent-shutdown`.
        folders: where to look, in order.
        environment: all of the hooks' variables.
        log: the agent's own log.

    Returns:
        Whether all of them passed.
    """
    hooks = [folder / name for folder in folders if (folder / name).is_file()]
    results = [await _run(hook, environment, log.bind(hook=name)) for hook in hooks]
    return all(results)


async def _run(hook: Path, environment: Mapping[str, str], log: FilteringBoundLogger) -> bool:
    words = [str(hook)] if os.access(hook, os.X_OK) else [_SHELL, str(hook)]
    try:
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment,
            limit=_LONGEST_LINE,
            start_new_session=True,
        )
    except OSError as error:
        log.error("the hook cannot be run", path=str(hook), error=error.strerror)  # noqa: TRY400 - no bug
        return False
    assert process.stdout is not None  # noqa: S101 - it was asked for
    while line := await _line(process.stdout):
        log.info(line.decode(errors="replace").rstrip("\r\n"))
    status = await process.wait()
    if status:
        log.error("the hook failed", path=str(hook), exit_status=status)
    return status == 0


async def _line(stream: asyncio.StreamReader) -> bytes:
    """The next line, or a piece of one that is too long; nothing at the end."""
    try:
        return await stream.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError as error:
        return await stream.readexactly(error.consumed)
