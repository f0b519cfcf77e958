"""Copies of a job's log beside the one that the server gets: a file for the job, the agent's own output."""

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from watchword.agent.jobsettings import JobSettings
from watchword.agent.streamer import LogStreamer

LOG_FILE_VARIABLE = "BUILDKITE_JOB_LOG_TMPFILE"


@contextlib.contextmanager
def log_copies(log: LogStreamer, settings: JobSettings, scratch: Path) -> Iterator[dict[str, str]]:
    """Copy a log as the operator wants it; the file goes when the block ends.

    Args:
        log: the log.
        settings: the operator's decisions.
        scratch: where the file is unless there is a folder for such files.

    Returns:
        The variables that tell the job of the file.

    Raises:
        OSError: the file cannot be made.
    """
    if settings.log_to_stdout:
        log.copy_to(_to_stdout)
    if not settings.log_file:
        yield {}
        return
    folder = settings.log_path or scratch
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("wb", buffering=0, dir=folder, prefix="job-log-", suffix=".log") as file:
        log.copy_to(lambda data: None if file.closed else file.write(data))
        yield {LOG_FILE_VARIABLE: file.name}


def _to_stdout(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
