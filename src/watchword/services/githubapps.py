"""Installation tokens of GitHub Apps: for one repository, to read its contents, for an hour at most.

What is asked goes through the guard against forged requests (`services.egress`), for a tenant names the
server; an answer is never shown to a job, but for the token in it.
"""

from typing import Any
from urllib.parse import quote

import msgspec

from watchword.crypto.appkeys import app_token
from watchword.crypto.values import Secret
from watchword.domain.errors import Conflict, Invalid
from watchword.domain.repositorycredentials import RepositoryCredential
from watchword.services.egress import Answer, Egress, EgressError

_SECOND_US = 1_000_000
_PARTS = 2
_OK, _CREATED = 200, 201
_MAX_TOKEN = 1024
_VERSION = "2022-11-28"


class _Installation(msgspec.Struct):
    id: int


class _Token(msgspec.Struct):
    token: str


async def installation_token(
    egress: Egress, credential: RepositoryCredential, key: Secret, path: str, now: int
) -> Secret:
    """A fresh token for one repository.

    Args:
        egress: the way out.
        credential: the App.
        key: its private key.
        path: of the repository, `owner/name`.
        now: in µs.

    Raises:
        Conflict: the server gives none; the message says which step failed, and nothing that it answered.
    """
    owner, _, name = path.partition("/")
    if len(path.split("/")) != _PARTS:
        raise _failed("its address has no owner and name")
    headers = {
        "Accept": "application/vnd.github+json",
        "Authorization": f"Bearer {app_token(key, credential.app_id, now // _SECOND_US).reveal()}",
        "Content-Type": "application/json",
        "User-Agent": "watchword",
        "X-GitHub-Api-Version": _VERSION,
    }
    base = credential.api_url
    installation = credential.installation_id
    try:
        if not installation:
            where = f"{base}/repos/{quote(owner, safe='')}/{quote(name, safe='')}/installation"
            found = await egress.get(where, headers)
            installation = str(_read(found, _OK, _Installation, "the App is not installed there").id)
        permission, _, level = credential.permissions.partition(": ")
        asked = {"repositories": [name], "permissions": {permission: level}}
        given = await egress.post(
            f"{base}/app/installations/{installation}/access_tokens", headers, msgspec.json.encode(asked)
        )
    except (EgressError, Invalid) as error:
        raise _failed(f"the server cannot be asked ({error.code})") from None
    token = _read(given, _CREATED, _Token, "the App may not read it").token
    if not token.isascii() or not token.isprintable() or not 0 < len(token) <= _MAX_TOKEN:
        raise _failed("the server's answer holds no token")
    return Secret(token)


def _read(answer: Answer, status: int, kind: Any, otherwise: str) -> Any:  # noqa: ANN401 - a struct of `kind`
    if answer.status != status:
        raise _failed(f"{otherwise}: the server answered {answer.status}")
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except msgspec.DecodeError:
        raise _failed("the server's answer is none of its kind") from None


def _failed(reason: str) -> Conflict:
    return Conflict(f"No token for this repository: {reason}.", code="repository_token_failed")
