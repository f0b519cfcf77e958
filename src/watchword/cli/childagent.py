"""Starts a reference agent as a child process; its token travels through a pipe alone."""

import asyncio
import os
import sys
from pathlib import Path

from watchword.crypto.values import Secret

# What leads to the database is none of an agent's business, nor of its jobs.
_SERVERS_OWN = ("WATCHWORD_DATABASE", "PGPASSWORD", "PGPASSFILE")


async def start_agent(
    url: str, value: Secret, builds: Path, name: str, *, quiet: bool = False
) -> asyncio.subprocess.Process:
    """Start `watchword agent start` against a server.

    The token reaches the child through an inherited pipe: nothing of it is on disk, on a command line
    or in an environment.

    Args:
        url: the server's address.
        value: the agent token.
        builds: where its jobs run.
        name: the agent's name.
        quiet: keep its output, to be read from the process, instead of showing it.
    """
    reader, writer = os.pipe()
    os.write(writer, value.reveal().encode())
    os.close(writer)
    output = asyncio.subprocess.PIPE if quiet else None
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "watchword",
            "agent",
            "start",
            f"--token-file=/dev/fd/{reader}",
            f"--endpoint={url}/v3",
            f"--build-path={builds}",
            f"--name={name}",
            pass_fds=(reader,),
            start_new_session=True,
            env={name: value for name, value in os.environ.items() if name not in _SERVERS_OWN},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT if quiet else None,
        )
    finally:
        os.close(reader)


async def start_crew(
    url: str, token_file: Path, folder: Path, name: str, count: int
) -> asyncio.subprocess.Process:
    """Start `watchword agent start` with several agents that follow a token file every second.

    Args:
        url: the server's address.
        token_file: holds the agent token.
        folder: where their jobs run, and where their output goes.
        name: what their names begin with.
        count: how many they are.
    """
    with (folder / f"{name}.log").open("wb") as output:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "watchword",
            "agent",
            "start",
            f"--token-file={token_file}",
            "--token-refresh=1",
            f"--endpoint={url}/v3",
            f"--build-path={folder / 'builds'}",
            f"--name={name}-%spawn",
            f"--spawn={count}",
            start_new_session=True,
            env={name: value for name, value in os.environ.items() if name not in _SERVERS_OWN},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
        )
