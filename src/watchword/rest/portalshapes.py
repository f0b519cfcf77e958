"""Portals, their tokens and secrets as JSON; a value stands in one answer."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from watchword.domain import accounts, portals
from watchword.domain.ids import UserId
from watchword.domain.kinds import Kind
from watchword.domain.portals import MAX_DESCRIPTION, MAX_NAME, MAX_QUERY
from watchword.rest.bodies import Body
from watchword.rest.call import Call
from watchword.rest.formats import instant, maybe_instant, whole_seconds
from watchword.rest.users import User, show_user
from watchword.services.portaltokens import KeptPortalToken

Name = Annotated[str, Meta(max_length=MAX_NAME)]
Description = Annotated[str, Meta(max_length=MAX_DESCRIPTION)]
Query = Annotated[str, Meta(max_length=MAX_QUERY)]


class PortalCreator(User, kw_only=True):
    """Who made a portal, with its id under both names that clients read (contract rest-graphql §2.12)."""

    uuid: str


class Portal(msgspec.Struct, kw_only=True):
    """A portal."""

    uuid: str
    slug: str
    organization_uuid: str
    name: str
    description: str | None
    query: str
    allowed_ip_addresses: str | None
    user_invokable: bool
    created_at: str
    created_by: PortalCreator | None


class CreatedPortal(Portal, kw_only=True):
    """A fresh portal with the value of its first service token."""

    token: str


class NewPortal(Body):
    """What a new portal is; null counts as absent."""

    name: Name | None = None
    query: Query | None = None
    slug: str | None = None
    description: Description | None = None
    allowed_ip_addresses: str | None = None
    user_invokable: bool | None = None


class PortalChange(Body):
    """What changes of a portal: an absent key leaves it as it is; null clears what may be empty."""

    name: Name | UnsetType = UNSET
    query: Query | UnsetType = UNSET
    slug: str | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    allowed_ip_addresses: str | UnsetType | None = UNSET
    user_invokable: bool | UnsetType | None = UNSET

    def given(self) -> dict[str, object]:
        """What the body names, as fields of a portal."""
        found: dict[str, object] = {
            "name": self.name,
            "query": self.query,
            "slug": self.slug,
            "description": self.description if self.description is not None else "",
            "allowed_networks": self.allowed_ip_addresses if self.allowed_ip_addresses is not None else "",
            "user_invokable": self.user_invokable if self.user_invokable is not None else False,
        }
        return {name: value for name, value in found.items() if value is not UNSET}


class PortalToken(msgspec.Struct, kw_only=True):
    """A portal's token or secret; never its value.

    `kind` is `service`, `ephemeral`, `user` or `secret`; `user` is the member who approved it, if any.
    """

    id: str
    kind: str
    description: str
    state: str
    value_digest: str
    user: User | None
    created_at: str
    created_by: User | None
    expires_at: str | None
    revoked_at: str | None
    revoked_by: User | None
    revoked_reason: str | None
    last_used_at: str | None
    last_used_from: str | None


class CreatedPortalToken(PortalToken, kw_only=True):
    """A fresh token or secret with its value."""

    token: str


class NewPortalToken(Body):
    """What a token or secret is for."""

    description: str = ""


_WORDS = {
    Kind.PORTAL_SERVICE: "service",
    Kind.PORTAL_EPHEMERAL: "ephemeral",
    Kind.PORTAL_USER: "user",
    Kind.PORTAL_SECRET: "secret",
}


def show_portal(portal: portals.Portal, people: Mapping[UserId, accounts.User]) -> Portal:
    """A portal as JSON."""
    return Portal(
        uuid=portal.id,
        slug=portal.slug,
        organization_uuid=portal.organization_id,
        name=portal.name,
        description=portal.description or None,
        query=portal.query,
        allowed_ip_addresses=portal.allowed_networks or None,
        user_invokable=portal.user_invokable,
        created_at=instant(portal.created_at),
        created_by=_creator(people, portal.created_by),
    )


def _creator(people: Mapping[UserId, accounts.User], user_id: UserId | None) -> PortalCreator | None:
    user = people.get(user_id) if user_id is not None else None
    if user is None:
        return None
    return PortalCreator(**msgspec.structs.asdict(show_user(user)), uuid=user.id)


def show_token(call: Call, kept: KeptPortalToken) -> PortalToken:
    """A token or secret as JSON."""
    token, used = kept.token, kept.used
    return PortalToken(
        id=token.id,
        kind=_WORDS[token.kind],
        description=token.description,
        state=token.state_at(call.context.clock.now()).value,
        value_digest=token.digest.hex(),
        user=_person(kept.owner),
        created_at=instant(token.created_at),
        created_by=_person(kept.creator),
        expires_at=whole_seconds(token.expires_at),
        revoked_at=maybe_instant(token.ended_at),
        revoked_by=_person(kept.ender),
        revoked_reason=token.ended_reason or None,
        last_used_at=instant(used.last_at) if used is not None else None,
        last_used_from=(used.address or None) if used is not None else None,
    )


def _person(user: accounts.User | None) -> User | None:
    return show_user(user) if user is not None else None
