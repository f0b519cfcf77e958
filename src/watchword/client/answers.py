"""What an authority says of a token (RFC 7662 §2.2), and what a resource server may ask of it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any


class ClientError(Exception):
    """Base of what this library raises.

    Attributes:
        code: stable word for programs.
    """

    code = "client_error"


class TokenRefused(ClientError):
    """The token does not pass.

    Attributes:
        code: `missing`, `inactive`, `wrong_kind`, `insufficient_scope`, `other_organization`; of a job's
            identity the check that failed.
        status: what to answer: 401, or 403 where the token is alive and may not do this (RFC 6750 §3.1).
    """

    def __init__(self, code: str, message: str, status: int = 401) -> None:
        super().__init__(message)
        self.code = code
        self.status = status

    @property
    def challenge(self) -> str:
        """The `WWW-Authenticate` header of the answer (RFC 6750 §3)."""
        word = "insufficient_scope" if self.code == "insufficient_scope" else "invalid_token"
        return f'Bearer error="{word}", error_description="{self}"'


class Unavailable(ClientError):
    """The authority cannot be asked, or refuses this resource server; nobody is let in meanwhile."""

    code = "unavailable"


@dataclass(frozen=True, slots=True)
class ActiveToken:
    """A token that is alive.

    Attributes:
        kind: kind of the token, as `api_access`, `agent`, `job`.
        id: the token's id; of a job token the job's.
        subject: agent, person, cluster or job that it stands for.
        organization_id: organization that it speaks for.
        scopes: what it opens.
        expires_at: seconds since the epoch; None where it does not expire.
        claims: the whole answer.
    """

    kind: str
    id: str
    subject: str
    organization_id: str
    scopes: frozenset[str]
    expires_at: int | None
    claims: Mapping[str, Any]

    def require(
        self,
        *,
        kinds: Collection[str] = (),
        scopes: Collection[str] = (),
        organization: str | None = None,
    ) -> "ActiveToken":
        """Require what a resource needs; empty means that it does not matter.

        Args:
            kinds: the token is of one of these.
            scopes: it has all of these.
            organization: id of the organization that it speaks for.

        Raises:
            TokenRefused: it does not have that.
        """
        if organization is not None and self.organization_id != organization:
            raise TokenRefused("other_organization", "The token is not known here.")
        if kinds and self.kind not in kinds:
            wanted = " or ".join(sorted(kinds))
            raise TokenRefused("wrong_kind", f"This takes a token of the kind {wanted}, not {self.kind}.")
        missing = set(scopes) - self.scopes
        if missing:
            raise TokenRefused("insufficient_scope", f"The token lacks the scope {min(missing)}.", 403)
        return self


def read_answer(answer: object) -> ActiveToken | None:
    """An answer of the introspection endpoint; None where the token is not active.

    Raises:
        Unavailable: it is no such answer.
    """
    if not isinstance(answer, dict) or not isinstance(answer.get("active"), bool):
        raise Unavailable("the authority's answer is not understood")
    if not answer["active"]:
        return None
    expires = answer.get("exp")
    return ActiveToken(
        kind=str(answer.get("token_type", "")),
        id=str(answer.get("jti", "")),
        subject=str(answer.get("sub", "")),
        organization_id=str(answer.get("organization_id", "")),
        scopes=frozenset(str(answer.get("scope", "")).split()),
        expires_at=expires if isinstance(expires, int) else None,
        claims=answer,
    )
