"""The job's own API: programs inside a job change its variables, its folder, and what its log hides.

Paths and bodies are those of the usual agent, so that its libraries work too. It is served on a Unix
socket that only the agent's user can open, to those that know the job's socket token.
"""

import hmac
import secrets
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path

import msgspec

from watchword.agent.job.protected import blocked
from watchword.agent.job.shell import JobShell
from watchword.agent.unixhttp import Reply, Request, refusal

BASE = "/api/current-job/v0"
SOCKET_VARIABLE = "BUILDKITE_AGENT_JOB_API_SOCKET"
TOKEN_VARIABLE = "BUILDKITE_AGENT_JOB_API_TOKEN"  # noqa: S105 - the name of a variable


class _Variables(msgspec.Struct):
    env: dict[str, str]


class _Keys(msgspec.Struct):
    keys: list[str]


class _Workdir(msgspec.Struct):
    workdir: str


class _Text(msgspec.Struct):
    text: str


class _Redaction(msgspec.Struct):
    redact: str


class JobSocket:
    """Answers the requests of one job's programs.

    Args:
        shell: the job's shell.
        command_eval: whether the agent runs shell text; if not, more variables are locked.
    """

    def __init__(self, shell: JobShell, *, command_eval: bool) -> None:
        self._shell = shell
        self._command_eval = command_eval
        self._token = secrets.token_urlsafe(32)
        self._routes: dict[str, Callable[[bytes], Awaitable[Reply]]] = {
            f"GET {BASE}/env": self._get,
            f"PATCH {BASE}/env": self._set,
            f"DELETE {BASE}/env": self._unset,
            f"PUT {BASE}/workdir": self._go,
            f"POST {BASE}/redactions": self._redact,
            f"POST {BASE}/masked": self._mask,
        }

    def introduce(self, path: Path) -> None:
        """Tell the job where the socket is, and its token, which the log never shows."""
        self._shell.variables[SOCKET_VARIABLE] = str(path)
        self._shell.variables[TOKEN_VARIABLE] = self._token
        self._shell.redact(self._token)

    async def answer(self, request: Request) -> Reply:
        """Answer a request."""
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            return refusal(HTTPStatus.UNAUTHORIZED, "the job's socket token is missing or wrong")
        route = self._routes.get(f"{request.method} {request.path}")
        if route is None:
            return refusal(HTTPStatus.NOT_FOUND, f"nothing answers {request.method} {request.path}")
        try:
            return await route(request.body)
        except msgspec.DecodeError as error:
            return refusal(HTTPStatus.BAD_REQUEST, f"the request's body is not what it must be: {error}")

    async def _get(self, _body: bytes) -> Reply:
        return Reply(HTTPStatus.OK, {"env": self._shell.variables})

    async def _set(self, body: bytes) -> Reply:
        wanted = msgspec.json.decode(body, type=_Variables).env
        if refused := self._refused(list(wanted)):
            return refused
        variables = self._shell.variables
        updated = sorted(wanted.keys() & variables.keys())
        added = sorted(wanted.keys() - variables.keys())
        variables |= wanted
        self._shell.redact_variables()
        return Reply(HTTPStatus.OK, {"added": added, "updated": updated})

    async def _unset(self, body: bytes) -> Reply:
        keys = msgspec.json.decode(body, type=_Keys).keys
        if refused := self._refused(keys):
            return refused
        gone = sorted(key for key in set(keys) if self._shell.variables.pop(key, None) is not None)
        return Reply(HTTPStatus.OK, {"deleted": gone})

    async def _go(self, body: bytes) -> Reply:
        folder = Path(msgspec.json.decode(body, type=_Workdir).workdir)
        if not folder.is_absolute():
            return refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "the working directory must be an absolute path")
        self._shell.wanted_folder = folder
        return Reply(HTTPStatus.OK, {"workdir": str(folder)})

    async def _redact(self, body: bytes) -> Reply:
        secret = msgspec.json.decode(body, type=_Redaction).redact
        self._shell.redact(secret)
        return Reply(HTTPStatus.CREATED, {"redacted": secret})

    async def _mask(self, body: bytes) -> Reply:
        """Mask a text that a command is about to send: not in the usual agent's API."""
        return Reply(HTTPStatus.OK, {"text": self._shell.masked(msgspec.json.decode(body, type=_Text).text)})

    def _refused(self, names: list[str]) -> Reply | None:
        protected = blocked(names, command_eval=self._command_eval)
        if protected:
            reason = f"these variables cannot be changed inside a job: {', '.join(protected)}"
            return refusal(HTTPStatus.UNPROCESSABLE_ENTITY, reason)
        bad = [name for name in names if not name or "=" in name or "\0" in name]
        if bad:
            return refusal(HTTPStatus.UNPROCESSABLE_ENTITY, f"these are no names of variables: {bad}")
        return None
