"""What the agent says about itself and its machine when it registers (contract section 3.1)."""

import hashlib
import os
import platform
import socket
import sys
from pathlib import Path

from msgspec import UNSET

from watchword.agent.config import Settings
from watchword.agent.transport import BUILD, VERSION, architecture
from watchword.agent.wire import Registration

_MAX_OS = 8 * 1024
_MACHINE_ID = Path("/etc/machine-id")


def describe(settings: Settings, index: int = 1) -> Registration:
    """The registration of one agent of this process.

    Args:
        settings: the process's settings.
        index: which of its agents, from 1.
    """
    machine = machine_id(_MACHINE_ID)
    return Registration(
        name=settings.name.replace("%spawn", str(index)),
        hostname=socket.gethostname(),
        os=operating_system(),
        arch=architecture(),
        script_eval_enabled=settings.jobs.command_eval,
        ignore_in_dispatches=settings.acquire_job is not None,
        version=VERSION,
        build=BUILD,
        meta_data=[*settings.tags, *(_host_tags(machine) if settings.tags_from_host else ())],
        pid=os.getpid(),
        features=features(settings) if settings.feature_reporting else [],
        priority=_priority(settings, index) or UNSET,
        machine_id=machine or UNSET,
    )


def features(settings: Settings) -> list[str]:
    """What is on, in the words of the usual agent (contract section 3.1)."""
    modes = {
        "acquire-job": settings.acquire_job is not None,
        "disconnect-after-job": settings.disconnect_after_job,
        "disconnect-after-idle": settings.disconnect_after_idle_timeout > 0,
        "disconnect-after-uptime": settings.disconnect_after_uptime > 0,
        "no-plugins": not settings.jobs.plugins,
        "no-script-eval": not settings.jobs.command_eval,
        "allowed-repositories": bool(settings.jobs.allowed_repositories),
        "allowed-plugins": bool(settings.jobs.allowed_plugins),
    }
    return [name for name, on in modes.items() if on]


def _host_tags(machine: str | None) -> list[str]:
    tags = [f"hostname={socket.gethostname()}", f"os={sys.platform}", f"arch={architecture()}"]
    return [*tags, f"machine-id={machine}"] if machine else tags


def _priority(settings: Settings, index: int) -> str | None:
    match settings.spawn_with_priority:
        case "ascending":
            return str(index)
        case "descending":
            return str(-index)
        case _:
            return settings.priority


def operating_system(folder: Path = Path("/etc")) -> str:
    """The release files of a Linux machine, one after the other; elsewhere one line."""
    texts = []
    for path in sorted(folder.glob("*-release")):
        try:
            texts.append(path.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            continue
    return "".join(texts)[:_MAX_OS] or platform.platform()


def machine_id(path: Path) -> str | None:
    """A hash of the machine's id, which is not to be told as it is; None where there is none."""
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return hashlib.sha256(f"watchword-agent:{text}".encode()).hexdigest() if text else None
