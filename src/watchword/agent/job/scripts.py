"""Hook scripts: where they are, what they are, and the wrapper that tells what a script changed."""

import os
import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["shell", "direct"]
"""How a hook is run: sourced by a shell of its own, or executed as it is."""

DUMP = (
    sys.executable,
    "-I",
    "-S",
    "-c",
    "import os,sys;sys.stdout.buffer.write(b'\\0'.join(k+b'='+v for k,v in os.environb.items()))",
)
"""Prints all variables with NULs between them."""

STATUS, FOLDER = "BUILDKITE_HOOK_EXIT_STATUS", "BUILDKITE_HOOK_WORKING_DIR"

_SHELL = re.compile(r"#!\s*(?:\S*/)?(?:env\s+(?:-\S+\s+)*(?:\S*/)?)?(?:sh|bash|dash|ksh|zsh|ash)(?:\s|$)")
_BINARY = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
_HEAD = 256


@dataclass(frozen=True, slots=True)
class Changes:
    """What a shell hook changed: variables (None: removed) and the folder it ended in."""

    variables: dict[str, str | None]
    folder: Path | None


def find_hook(folder: Path | None, name: str) -> Path | None:
    """The hook of this name in a folder of hooks, or None."""
    if folder is None:
        return None
    path = folder.absolute() / name
    return path if path.is_file() else None


def kind_of(path: Path) -> Kind:
    """What to do with a hook.

    Raises:
        OSError: it cannot be read.
    """
    head = _head(path)
    if head.startswith(_BINARY):
        return "direct"
    return "shell" if not head.startswith(b"#!") or _SHELL.match(_first_line(head)) else "direct"


def interpreter(path: Path, default: str) -> list[str]:
    """The words in front of a shell script: those it names itself, or the default."""
    head = _head(path)
    if head.startswith(b"#!"):
        return shlex.split(_first_line(head)[2:])
    return shlex.split(default) if default else [shutil.which("bash") or "/bin/sh"]


def write_wrapper(hook: Path, folder: Path) -> tuple[Path, Path]:
    """Write a script that runs a hook in its own shell and then saves that shell's variables.

    A hook that leaves by `exit` saves nothing: its changes are lost, as users of hooks know it.

    Returns:
        The script, and the file that will hold the variables.

    Raises:
        OSError: it cannot be written.
    """
    script, saved = folder / "hook-wrapper", folder / "hook-variables"
    saved.unlink(missing_ok=True)
    script.write_text(
        f". {shlex.quote(str(hook))}\n"
        f"export {STATUS}=$?\n"
        f'export {FOLDER}="$PWD"\n'
        f"{shlex.join(DUMP)} > {shlex.quote(str(saved))}\n"
        f'exit "${STATUS}"\n',
        encoding="utf-8",
        errors="surrogateescape",
    )
    script.chmod(0o700)
    return script, saved


def read_changes(saved: Path, before: dict[str, str]) -> Changes | None:
    """What is different from the variables that the hook got; None if it saved nothing."""
    try:
        data = saved.read_bytes()
    except OSError:
        return None
    after = dict(os.fsdecode(pair).partition("=")[::2] for pair in data.split(b"\0") if b"=" in pair)
    if not after:
        return None
    folder = after.get(FOLDER)
    names = (after.keys() | before.keys()) - {"_", "SHLVL", "PWD", "OLDPWD", STATUS, FOLDER}
    return Changes(
        {name: after.get(name) for name in sorted(names) if after.get(name) != before.get(name)},
        Path(folder) if folder else None,
    )


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _first_line(head: bytes) -> str:
    return head.split(b"\n", 1)[0].decode(errors="replace").rstrip()
