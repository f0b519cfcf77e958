"""Identity tokens of a job: asked for, kept out of its log, written as others read them."""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import msgspec

from watchword.agent.errors import AgentError
from watchword.agent.inside.caller import Caller
from watchword.agent.inside.sockets import job_socket
from watchword.agent.transport import segment
from watchword.crypto.values import Secret


class Wish(msgspec.Struct, omit_defaults=True, kw_only=True):
    """Request of `POST jobs/{id}/oidc/tokens`; what is empty is left to the server (contract §2.10)."""

    audience: str = ""
    lifetime: int = 0
    claims: list[str] = []
    aws_session_tags: list[str] = []
    subject_claim: str = ""


class _Token(msgspec.Struct):
    token: Secret


async def request(caller: Caller, job: str, wish: Wish) -> Secret:
    """Ask for a token.

    Raises:
        ApiError: it was refused, or five attempts failed.
    """
    path = f"jobs/{segment(job)}/oidc/tokens"
    return (await caller.fetch(_Token, "POST", path, caller.policy.oidc, body=wish)).token


def redact(environ: Mapping[str, str], token: Secret, fail: Callable[[str], NoReturn]) -> None:
    """Have the job's log show nothing of a token; without a log that can, the command fails."""
    try:
        job_socket(environ).call(dict[str, Any], "POST", "/redactions", {"redact": token.reveal()})
    except AgentError as error:
        fail(f"the job's log would show the token ({error}); to print it all the same: --skip-redaction")


def for_google(token: Secret) -> str:
    """A token as the executable-sourced credentials of Google's workload identity federation read it."""
    document = {
        "id_token": token.reveal(),
        "token_type": "urn:ietf:params:oauth:token-type:jwt",
        "version": 1,
        "success": True,
    }
    return msgspec.json.encode(document).decode()
