"""A fresh value on its one page: what stands beside it, and what is never done with it."""

from typing import Any

from watchword.crypto.values import Secret, fingerprint
from watchword.domain.tokens import Token
from watchword.web.agentsetup import environments
from watchword.web.visit import Visit

_SHOWN_OF_ID = 8


def file_name(token: Token) -> str:
    """What a downloaded value's file is called: it tells tokens apart and nothing of their use."""
    return f"agent-token-{token.id[-_SHOWN_OF_ID:]}"


def value_of(visit: Visit, token: Token, value: Secret) -> dict[str, Any]:
    """What `agent_tokens/value.html` shows; the value leaves for its holder here."""
    return {
        "value": value.reveal(),
        "revealable": visit.access is not None and token.kind.value in visit.access.policy.revealable,
        "fingerprint": fingerprint(token.digest),
        "file_name": file_name(token),
        "environments": environments(visit.context.installation.url),
    }
