"""Where the agent token comes from: a flag, the environment, the configuration file, or a file of its own."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from watchword.agent.errors import ConfigError
from watchword.crypto.values import Secret

TOKEN_VARIABLE = "BUILDKITE_AGENT_TOKEN"  # noqa: S105 - the name of a variable
TOKEN_FILE_VARIABLE = "WATCHWORD_AGENT_TOKEN_FILE"  # noqa: S105 - the name of a variable
MAX_BYTES = 64 * 1024

MISSING = f"""no agent token. Give one of:
  --token-file PATH            a file that holds it, or /dev/fd/N
  --token VALUE
  {TOKEN_VARIABLE}        environment variable with the value
  {TOKEN_FILE_VARIABLE}  environment variable with the path of a file
  token="VALUE"                in the configuration file"""

_DESCRIPTOR = re.compile(r"(?:/dev/fd/|/proc/self/fd/|fd://)(\d{1,7})")
_VALUE = re.compile(r"[!-~]+")
_STANDARD_STREAMS = 3


def find_token(
    flags: Mapping[str, str | None], environ: Mapping[str, str], config: Mapping[str, str]
) -> Secret:
    """Find the agent token: a flag beats the environment, the environment beats the configuration file.

    A value may also be indirect, as other agents allow: `file:///path` or `fd://N`.

    Args:
        flags: `token` and `token-file` as given on the command line.
        environ: the process environment.
        config: the configuration file's settings.

    Raises:
        ConfigError: there is none, there are two in one place, it cannot be read, or it is not a token.
    """
    places = (
        ("the command line", flags.get("token"), flags.get("token-file")),
        ("the environment", environ.get(TOKEN_VARIABLE), environ.get(TOKEN_FILE_VARIABLE)),
        ("the configuration file", config.get("token"), config.get("token-file")),
    )
    for place, value, path in places:
        if value and path:
            raise ConfigError(f"{place} gives a token and a token file: give one of them")
        if value:
            return _direct_or_not(value)
        if path:
            return read_token_file(path)
    raise ConfigError(MISSING)


def read_token_file(path: str) -> Secret:
    """Read a token from a file or an inherited descriptor; white space around it is dropped.

    A descriptor is closed after reading, so that nothing can be read from it again.

    Raises:
        ConfigError: it cannot be read, is over 64 KiB, or does not hold one token.
    """
    descriptor = _DESCRIPTOR.fullmatch(path)
    try:
        data = _read_descriptor(int(descriptor[1])) if descriptor else _read(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"cannot read the token file {path}: {reason}") from None
    if len(data) > MAX_BYTES:
        raise ConfigError(f"the token file {path} is over {MAX_BYTES // 1024} KiB: it is not a token")
    return _checked(data.decode("ascii", errors="replace"))


def _direct_or_not(value: str) -> Secret:
    if value.startswith("file://"):
        return read_token_file(value.removeprefix("file://"))
    if value.startswith("fd://"):
        return read_token_file(value)
    return _checked(value)


def _checked(text: str) -> Secret:
    value = text.strip()
    if not value:
        raise ConfigError("the agent token is empty")
    if not _VALUE.fullmatch(value) or len(value) > MAX_BYTES:
        raise ConfigError("the agent token has characters that no token has, or is over 64 KiB")
    return Secret(value)


def _read(path: str) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _read_descriptor(number: int) -> bytes:
    with os.fdopen(number, "rb", closefd=number >= _STANDARD_STREAMS) as file:
        return file.read(MAX_BYTES + 1)
