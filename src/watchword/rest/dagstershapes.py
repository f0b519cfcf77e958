"""Tokens of Dagster+ as JSON; never their values."""

import msgspec

from watchword.domain.tokens import Token
from watchword.rest.bodies import Body
from watchword.rest.call import Call
from watchword.rest.formats import instant, maybe_instant
from watchword.rest.users import User, show_user
from watchword.services.dagstercare import KeptToken, kept_in
from watchword.services.queries import Access, Unit

REASON = "revoked through REST"


class DagsterTokenFields(msgspec.Struct, kw_only=True):
    """What every token of Dagster+ has; they never expire."""

    id: str
    description: str
    state: str
    value_digest: str
    created_at: str
    created_by: User | None
    revoked_at: str | None
    revoked_by: User | None
    revoked_reason: str | None
    last_used_at: str | None
    last_used_from: str | None


class DagsterPermissions(msgspec.Struct, kw_only=True):
    """What an agent token may serve; `organization` is everything, branch deployments included."""

    organization: bool
    all_branch_deployments: bool
    deployments: list[str]


class DagsterAgentToken(DagsterTokenFields, kw_only=True):
    """A Dagster agent token; never its value."""

    permissions: DagsterPermissions


class CreatedDagsterAgentToken(DagsterAgentToken, kw_only=True):
    """A fresh Dagster agent token with its value."""

    token: str


class DagsterUserToken(DagsterTokenFields, kw_only=True):
    """A Dagster user token; never its value."""

    owner: User | None


class CreatedDagsterUserToken(DagsterUserToken, kw_only=True):
    """A fresh Dagster user token with its value."""

    token: str


class DagsterDescription(Body):
    """What a token is for."""

    description: str = ""


class ImportedDagsterAgentToken(DagsterDescription):
    """A token that was issued elsewhere: its value, or the SHA-256 of it in hex digits."""

    value: str | None = None
    digest: str | None = None


class DagsterPermission(Body):
    """A permission: `organization`, `all_branch_deployments`, or `deployment` and its name."""

    scope: str = ""
    deployment: str | None = None


class DagsterAbility(msgspec.Struct, kw_only=True):
    """What a person's token may do on a deployment; on the organization where it is null.

    One entry stands for all branch deployments.
    """

    deployment: str | None
    branches: bool
    role: str
    may: list[str]


def _fields(call: Call, kept: KeptToken) -> dict[str, object]:
    token, used = kept.token, kept.used
    return {
        "id": token.id,
        "description": token.description,
        "state": token.state_at(call.context.clock.now()).value,
        "value_digest": token.digest.hex(),
        "created_at": instant(token.created_at),
        "created_by": show_user(kept.creator) if kept.creator is not None else None,
        "revoked_at": maybe_instant(token.ended_at),
        "revoked_by": show_user(kept.ender) if kept.ender is not None else None,
        "revoked_reason": token.ended_reason or None,
        "last_used_at": instant(used.last_at) if used is not None else None,
        "last_used_from": (used.address or None) if used is not None else None,
    }


def show_agent_token(call: Call, kept: KeptToken) -> DagsterAgentToken:
    """An agent token as JSON."""
    permitted = kept.permitted
    permissions = DagsterPermissions(
        organization=permitted is not None and permitted.everything,
        all_branch_deployments=permitted is not None and permitted.branches,
        deployments=list(kept.places),
    )
    return msgspec.convert({**_fields(call, kept), "permissions": permissions}, DagsterAgentToken)


def show_user_token(call: Call, kept: KeptToken) -> DagsterUserToken:
    """A person's token as JSON."""
    owner = show_user(kept.owner) if kept.owner is not None else None
    return msgspec.convert({**_fields(call, kept), "owner": owner}, DagsterUserToken)


async def _kept(call: Call, tx: Unit, access: Access, token: Token) -> KeptToken:
    (kept,) = await kept_in(tx, call.authority.ledger, access, [token])
    return kept


async def agent_shown(call: Call, tx: Unit, access: Access, token: Token) -> DagsterAgentToken:
    """An agent token with what stands beside it."""
    return show_agent_token(call, await _kept(call, tx, access, token))


async def user_shown(call: Call, tx: Unit, access: Access, token: Token) -> DagsterUserToken:
    """A person's token with what stands beside it."""
    return show_user_token(call, await _kept(call, tx, access, token))
