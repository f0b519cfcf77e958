"""What the agent says about itself and its machine when it registers (contract section 3.1)."""

import hashlib
import os
import platform
import socket
from pathlib import Path

from msgspec import UNSET

from watchword.agent.config import Settings
from watchword.agent.transport import BUILD, VERSION, architecture
from watchword.agent.wire import Registration

_MAX_OS = 8 * 1024
_MACHINE_ID = Path("/etc/machine-id")


def describe(settings: Settings) -> Registration:
    """The registration of this process with these settings."""
    return Registration(
        name=settings.name,
        hostname=socket.gethostname(),
        os=operating_system(),
        arch=architecture(),
        script_eval_enabled=True,
        ignore_in_dispatches=False,
        version=VERSION,
        build=BUILD,
        meta_data=list(settings.tags),
        pid=os.getpid(),
        features=["disconnect-after-job"] if settings.disconnect_after_job else [],
        priority=settings.priority or UNSET,
        machine_id=machine_id(_MACHINE_ID) or UNSET,
    )


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
