"""Agent tokens as JSON, and what their handlers share, in a cluster or in none."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
from litestar import Response
from msgspec import UNSET, Meta, UnsetType

from watchword.crypto.values import Secret
from watchword.domain import accounts, tokens
from watchword.domain.errors import Invalid
from watchword.domain.ids import ClusterId, OrganizationId, TokenId, UserId, is_uuid
from watchword.domain.restrictions import load, parse_networks
from watchword.domain.use import Use
from watchword.rest.bodies import Body
from watchword.rest.call import Call
from watchword.rest.formats import graphql_id, instant, maybe_instant, read_time, whole_seconds
from watchword.rest.users import User, show_person
from watchword.rest.withdrawals import (
    BlastRadius,
    Find,
    Withdraw,
    read_asked,
    require_token,
    show_radius,
)
from watchword.services.editing import Edited
from watchword.services.importing import import_agent_token, read_import
from watchword.services.issuing import TokenRequest, issue_agent_token
from watchword.services.narrowing import EVERYWHERE, narrow, networks_text
from watchword.services.queries import Access, Unit, people

S = TypeVar("S", bound="TokenFields")
Show = Callable[[Call, accounts.Organization, tokens.Token, Mapping[UserId, accounts.User]], S]


class TokenFields(msgspec.Struct, kw_only=True):
    """What every agent token shows; `not_before` and what follows it are Watchword's own."""

    id: str
    graphql_id: str
    description: str
    allowed_ip_addresses: str
    expires_at: str | None
    url: str
    created_at: str
    created_by: User | None
    not_before: str | None
    max_uses: int | None
    uses: int
    queue: str | None
    tags: list[str]
    last_used_at: str | None
    last_used_from: str | None
    state: str
    imported: bool
    revoked_at: str | None
    revoked_by: User | None
    revoked_reason: str | None


Uses = Annotated[int, Meta(ge=0, le=1_000_000_000)]


class NewAgentToken(Body):
    """What a new agent token is; `not_before` and what follows it are Watchword's own."""

    description: str | None = None
    expires_at: str | None = None
    allowed_ip_addresses: str | None = None
    not_before: str | None = None
    max_uses: Uses | None = None
    queue: str | None = None
    tags: list[str] | None = None


class ImportedAgentToken(NewAgentToken):
    """A token that was issued elsewhere: its value, or the SHA-256 of it in hex digits."""

    value: str | None = None
    digest: str | None = None


class AgentTokenChange(Withdraw):
    """What changes of an agent token: description and networks; the rest may be repeated, not changed.

    `mode` says what becomes of connected agents outside of narrower networks.
    """

    description: str | UnsetType | None = UNSET
    allowed_ip_addresses: str | UnsetType | None = UNSET
    expires_at: str | UnsetType | None = UNSET
    not_before: str | UnsetType | None = UNSET
    max_uses: int | UnsetType | None = UNSET
    queue: str | UnsetType | None = UNSET
    tags: list[str] | UnsetType | None = UNSET


def token_fields(
    token: tokens.Token, known: Mapping[UserId, accounts.User], now: int, type_name: str, url: str
) -> dict[str, Any]:
    """What every agent token shows; its last use is filled in by `used`."""
    restrictions = load(token.restrictions)
    revoked = token.state is tokens.State.REVOKED
    return {
        "id": token.id,
        "graphql_id": graphql_id(type_name, token.id),
        "description": token.description,
        "allowed_ip_addresses": " ".join(block.text for block in restrictions.networks) or EVERYWHERE,
        "expires_at": whole_seconds(token.expires_at),
        "url": url,
        "created_at": instant(token.created_at),
        "created_by": show_person(known, token.created_by),
        "not_before": whole_seconds(token.not_before),
        "max_uses": token.max_uses or None,
        "uses": token.uses,
        "queue": restrictions.queue or None,
        "tags": list(restrictions.tags),
        "last_used_at": None,
        "last_used_from": None,
        "state": token.state_at(now).value,
        "imported": token.imported,
        "revoked_at": maybe_instant(token.ended_at) if revoked else None,
        "revoked_by": show_person(known, token.ended_by) if revoked else None,
        "revoked_reason": token.ended_reason if revoked else None,
    }


async def persons(tx: Unit, *found: tokens.Token) -> dict[UserId, accounts.User]:
    """Who made and who ended tokens."""
    return await people(tx, [one for token in found for one in (token.created_by, token.ended_by)])


async def used(call: Call, organization_id: OrganizationId, shown: S) -> S:
    """Fill in the last use, which the ledger knows."""
    _fill(shown, await call.authority.ledger.last_used(organization_id, TokenId(shown.id)))
    return shown


async def all_used(call: Call, rows: Sequence[tokens.Token], shown: list[S]) -> list[S]:
    """Fill in the last uses of a page, which one look finds; `rows` begin with the tokens shown."""
    holders = [(row.organization_id, row.id) for row in rows[: len(shown)]]
    uses = await call.authority.ledger.last_uses(holders)
    for item, holder in zip(shown, holders, strict=True):
        _fill(item, uses.get(holder))
    return shown


def _fill(shown: TokenFields, last: Use | None) -> None:
    if last is not None:
        shown.last_used_at = instant(last.last_at)
        shown.last_used_from = last.address or None


def token_id_of(call: Call) -> TokenId:
    """The token of the path; an id that is none is no token's, so that the look-up finds nothing."""
    text = call.path("token")
    return TokenId(text.lower() if is_uuid(text) else "")


def read_request(asked: NewAgentToken, owner: OrganizationId, cluster_id: ClusterId | None) -> TokenRequest:
    """What a body asks of a new token.

    Raises:
        Invalid: a part cannot be read or is not acceptable.
    """
    return TokenRequest(
        organization_id=owner,
        cluster_id=cluster_id,
        description=asked.description or "",
        restrictions=narrow(asked.allowed_ip_addresses or "", asked.queue or "", asked.tags or ()),
        not_before=read_time("Not before", asked.not_before),
        expires_at=read_time("Expires at", asked.expires_at),
        max_uses=asked.max_uses or 0,
    )


async def issue_as_asked(
    call: Call, tx: Unit, access: Access, cluster_id: ClusterId | None
) -> tuple[tokens.Token, Secret]:
    """Issue a token as the body asks."""
    wanted = read_request(call.decode(NewAgentToken), access.id, cluster_id)
    issued = await issue_agent_token(call.context, tx, access.caller, wanted, access.user.id)
    return issued.token, issued.value


async def import_as_asked(call: Call, tx: Unit, access: Access, cluster_id: ClusterId | None) -> tokens.Token:
    """Import a token as the body asks."""
    asked = call.decode(ImportedAgentToken)
    value = Secret(asked.value) if asked.value is not None else None
    found = read_import(call.context, value, asked.digest or "")
    wanted = read_request(asked, access.id, cluster_id)
    return await import_agent_token(call.context, tx, access.caller, wanted, found, access.user.id)


async def update_as_asked(call: Call, find: Find, show: Show[S]) -> Response[S | BlastRadius]:
    """Change the token of the path as body and query ask; a dry run changes nothing."""
    await require_token(call, find)
    change = call.decode(AgentTokenChange)
    asked = read_asked(call, change)
    given = change.allowed_ip_addresses
    networks = None if given is UNSET else networks_text(given or "")
    if asked.dry_run:
        return Response(await _narrowed(call, find, change, networks), status_code=200)
    done: list[Edited] = []

    async def work(tx: Unit, access: Access) -> S:
        token = await find(tx, access, revoked=False)
        _require_same(token, change)
        description = None if change.description is UNSET else change.description or ""
        edited = await call.authority.editor.edit_in(
            tx, access.caller, token, access.user.id, description, networks, asked.withdrawal
        )
        done[:] = [edited]
        known = await persons(tx, edited.token)
        return show(call, access.organization, edited.token, known)

    shown = await call.write(work)
    for edited in done:
        call.authority.editor.settle(edited)
        if edited.withdrawn is not None:
            made = edited.withdrawn.revocation
            await call.authority.revoker.confirm(made.organization_id, made.id)
    return Response(await used(call, done[0].token.organization_id, shown), status_code=200)


async def _narrowed(call: Call, find: Find, change: AgentTokenChange, networks: str | None) -> BlastRadius:
    async def work(tx: Unit, access: Access) -> BlastRadius:
        token = await find(tx, access, revoked=False)
        _require_same(token, change)
        blocks = load(token.restrictions).networks if networks is None else parse_networks(networks)
        return show_radius(await call.authority.blast.radius_in(tx, token, blocks))

    return await call.read(work)


def _require_same(token: tokens.Token, asked: AgentTokenChange) -> None:
    """Refuse to change what is fixed at creation; repeating it is fine, as the documented curl does.

    Raises:
        Invalid: a fixed key holds something else.
    """
    restrictions = load(token.restrictions)
    same = {
        "Expires at": asked.expires_at is UNSET
        or whole_seconds(read_time("Expires at", asked.expires_at)) == whole_seconds(token.expires_at),
        "Not before": asked.not_before is UNSET
        or whole_seconds(read_time("Not before", asked.not_before)) == whole_seconds(token.not_before),
        "Max uses": asked.max_uses is UNSET or (asked.max_uses or 0) == token.max_uses,
        "Queue": asked.queue is UNSET or (asked.queue or "") == restrictions.queue,
        "Tags": asked.tags is UNSET or tuple(asked.tags or ()) == restrictions.tags,
    }
    for name, unchanged in same.items():
        if not unchanged:
            raise Invalid(
                f"Validation failed: {name} can't be changed after creation; create another token",
                code="immutable",
            )
