"""Where the agent token is: a value, a file, a descriptor, a variable, or a secret manager."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from watchword.agent.configfile import read_file
from watchword.agent.errors import ConfigError
from watchword.agent.identitysource import ask_github
from watchword.agent.options import OPTIONS
from watchword.agent.secretmanagers import read_ssm, read_vault
from watchword.crypto.values import Secret

TOKEN_VARIABLE = OPTIONS["token"].variable
TOKEN_FILE_VARIABLE = OPTIONS["token-file"].variable
MAX_BYTES = 64 * 1024

MISSING = f"""no agent token. Give one of:
  --token-file PATH            a file that holds it, or /dev/fd/N
  --token VALUE                or file:PATH, fd:N, env:NAME, ssm:/PARAMETER, vault:PATH#FIELD
  --identity-token-file PATH   a file with an identity token of a trusted issuer
  {TOKEN_VARIABLE}        environment variable with one of these
  {TOKEN_FILE_VARIABLE}  environment variable with the path of a file
  token="VALUE"                in the configuration file, or one of these"""

_DESCRIPTOR = re.compile(r"(?:/dev/fd/|/proc/self/fd/|fd:(?://)?)(\d{1,7})")
_VALUE = re.compile(r"[!-~]+")
_STANDARD_STREAMS = 3


@dataclass(frozen=True, slots=True)
class TokenSource:
    """A place that holds the agent token.

    Attributes:
        name: says where, never what.
        read: reads the value now; it may wait for a network. Raises `ConfigError`.
        rotates: whether a later read may give another value.
        variable: the environment variable that holds the value itself, if one does.
        argument: whether the value itself stands on the command line.
        passing: whether a value serves to join alone: it is read at each registration, and a newer one means
            nothing to an agent that has joined.
    """

    name: str
    read: Callable[[], Secret]
    rotates: bool = True
    variable: str | None = None
    argument: bool = False
    passing: bool = False

    @property
    def exposed(self) -> bool:
        """Whether the process's arguments or environment show the value itself."""
        return self.argument or self.variable is not None


def find_source(
    flags: Mapping[str, str | None],
    environ: Mapping[str, str],
    config: Mapping[str, str],
    config_file: Path | None = None,
) -> TokenSource:
    """Find the agent token: a flag beats the environment, the environment beats the configuration file.

    Args:
        flags: `token`, `token-file` and those of identity tokens as given on the command line.
        environ: the process environment.
        config: the configuration file's settings.
        config_file: where these come from, to be read again when the value may have changed.

    Raises:
        ConfigError: there is none, there are two in one place, or it is not to be understood.
    """
    identity = _identity(flags, environ, config)
    if identity is not None:
        return identity
    places = (
        ("the command line", flags.get("token"), flags.get("token-file")),
        ("the environment", environ.get(TOKEN_VARIABLE), environ.get(TOKEN_FILE_VARIABLE)),
        ("the configuration file", config.get("token"), config.get("token-file")),
    )
    for place, value, path in places:
        if value and path:
            raise ConfigError(f"{place} gives a token and a token file: give one of them")
        if path:
            return _file(path)
        if value:
            return _reference(value, environ) or _direct(place, value, config_file)
    raise ConfigError(MISSING)


def _identity(
    flags: Mapping[str, str | None], environ: Mapping[str, str], config: Mapping[str, str]
) -> TokenSource | None:
    """Where the platform's identity token is; None where none of its settings is given.

    Raises:
        ConfigError: a token of another sort is given in the same place, or the platform gives none.
    """
    for place, given in (("flags", flags), ("environment", environ), ("configuration file", config)):
        path, audience, others = (
            [given.get(OPTIONS[name].variable if given is environ else name) for name in names]
            for names in (("identity-token-file",), ("identity-token-audience",), ("token", "token-file"))
        )
        if (path[0] or audience[0]) and any(others):
            raise ConfigError(f"the {place} give an agent token and an identity token: give one of them")
        if path[0]:
            return _identity_file(path[0])
        if audience[0]:
            return _github(audience[0], environ)
        if any(others):
            return None
    return None


def _identity_file(path: str) -> TokenSource:
    file = str(Path(path).expanduser())
    return TokenSource(f"the file {file}", lambda: read_token_file(file), passing=True)


def _github(audience: str, environ: Mapping[str, str]) -> TokenSource:
    return TokenSource("GitHub Actions", lambda: checked_token(ask_github(audience, environ)), passing=True)


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
    return checked_token(data.decode("ascii", errors="replace"))


def checked_token(text: str) -> Secret:
    """A text as a token, without the white space around it.

    Raises:
        ConfigError: it cannot be one. The message does not show it.
    """
    value = text.strip()
    if not value:
        raise ConfigError("the agent token is empty")
    if not _VALUE.fullmatch(value) or len(value) > MAX_BYTES:
        raise ConfigError("the agent token has characters that no token has, or is over 64 KiB")
    return Secret(value)


def _reference(value: str, environ: Mapping[str, str]) -> TokenSource | None:
    """The place that a value refers to; None if it is a value of its own."""
    scheme, _, rest = value.strip().partition(":")
    match scheme:
        case "file":
            return _file(rest.removeprefix("//") if rest.startswith("///") else rest)
        case "fd":
            return _file(value.strip())
        case "env":
            return _variable(rest, environ)
        case "ssm":
            return TokenSource(value, lambda: checked_token(read_ssm(rest)))
        case "vault":
            return TokenSource(value, lambda: checked_token(read_vault(rest, environ)))
        case _:
            return None


def _file(path: str) -> TokenSource:
    if _DESCRIPTOR.fullmatch(path):
        return TokenSource("an inherited descriptor", lambda: read_token_file(path), rotates=False)
    return TokenSource(f"the file {path}", lambda: read_token_file(str(Path(path).expanduser())))


def _variable(name: str, environ: Mapping[str, str]) -> TokenSource:
    if not environ.get(name):
        raise ConfigError(f"the agent token is said to be in the variable {name!r}, which is not set")
    return TokenSource(
        f"the variable {name}", lambda: checked_token(environ[name]), rotates=False, variable=name
    )


def _direct(place: str, value: str, config_file: Path | None) -> TokenSource:
    if place == "the configuration file" and config_file is not None:
        path = config_file
        return TokenSource(f"the file {path}", lambda: checked_token(read_file(path).get("token", "")))
    return TokenSource(
        place,
        lambda: checked_token(value),
        rotates=False,
        variable=TOKEN_VARIABLE if place == "the environment" else None,
        argument=place == "the command line",
    )


def _read(path: str) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _read_descriptor(number: int) -> bytes:
    with os.fdopen(number, "rb", closefd=number >= _STANDARD_STREAMS) as file:
        return file.read(MAX_BYTES + 1)
