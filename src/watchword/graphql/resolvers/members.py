"""Members of an organization (contract rest-graphql §3.4, §3.5)."""

from collections.abc import Callable, Mapping

from watchword.domain import accounts
from watchword.domain.accounts import Member, Role, SsoMode
from watchword.domain.ids import OrganizationId, UserId, is_uuid
from watchword.graphql import ids
from watchword.graphql.binding import Arguments, Thing, field, mutation, nothing, query
from watchword.graphql.call import Call, Order
from watchword.graphql.connections import empty, listed
from watchword.graphql.failures import unsupported
from watchword.graphql.finding import maybe, node, permission
from watchword.graphql.resolvers.organizations import owned, show_organization
from watchword.graphql.resolvers.users import show_user
from watchword.services.lookups import EVERYTHING
from watchword.services.members import Person, change_member, find_member, members_of, remove_member
from watchword.services.queries import Access, Unit
from watchword.services.second_factor import has_second_factor
from watchword.services.teammembers import team_members_of
from watchword.services.teams import find_team, find_team_by_slug

MISSING = "No member found"
_TYPE = "OrganizationMember"


def member_uuid(organization_id: OrganizationId, user_id: str) -> str:
    """The UUID of a membership, of those of the organization and the person: either gives the other back.

    A membership has no id of its own, and the person's would name memberships of several organizations.
    """
    mixed = int(organization_id.replace("-", ""), 16) ^ int(user_id.replace("-", ""), 16)
    text = f"{mixed:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def show_member(person: Person) -> Thing:
    """A member as an object."""
    member, user = person
    uuid = member_uuid(member.organization_id, member.user_id)
    values = {
        "id": ids.encode(_TYPE, uuid),
        "uuid": uuid,
        "role": member.role.name,
        "createdAt": member.created_at,
        "complimentary": False,
        "sso": Thing("OrganizationMemberSSO", member.organization_id, member, {"mode": member.sso_mode.name}),
        "user": show_user(user),
    }
    return Thing(_TYPE, member.organization_id, member, values)


owned(_TYPE)
nothing(_TYPE, "createdBy", "lastSeenAt")


async def find_person(tx: Unit, access: Access, uuid: str) -> Person | None:
    """A member by the UUID of the membership."""
    user_id = member_uuid(access.id, uuid) if is_uuid(uuid) else ""
    return await maybe(find_member(tx, access.id, user_id))


@node(_TYPE, "member.read")
async def find(tx: Unit, access: Access, uuid: str) -> Thing | None:
    """A member of an organization."""
    found = await find_person(tx, access, uuid)
    return show_member(found) if found is not None else None


@query("organizationMember", "member.read")
async def member_at(call: Call, arguments: Arguments) -> Thing | None:
    """By `organization-slug/uuid`, the person's or the membership's."""
    where, _, uuid = str(arguments["slug"]).strip().partition("/")
    access = await maybe(call.access_of(where))
    if access is None or not is_uuid(uuid):
        return None
    access.require("member.read")
    found = await call.read(lambda tx: maybe(find_member(tx, access.id, uuid)))
    if found is None:
        found = await call.read(lambda tx: find_person(tx, access, uuid))
    return show_member(found) if found is not None else None


@field(_TYPE, "permissions")
async def permissions_of_member(call: Call, member: Member, _arguments: Arguments) -> object:
    """What the person may do with it."""
    access = await call.access(member.organization_id)
    return {
        "organizationMemberDelete": permission(access, "member.remove"),
        "organizationMemberUpdate": permission(access, "member.update"),
    }


@field(_TYPE, "security", "member.update")
async def security_of_member(call: Call, member: Member, _arguments: Arguments) -> object:
    """How the member signs in; for administrators."""
    found = await call.read(lambda tx: has_second_factor(tx, member.user_id))
    person = await call.read(lambda tx: find_member(tx, member.organization_id, member.user_id))
    return {"twoFactorEnabled": found, "passwordProtected": bool(person[1].password_hash)}


@field("OrganizationMemberSSO", "authorizations")
async def authorizations_of_member(_call: Call, _member: Member, _arguments: Arguments) -> object:
    """Nobody signs in elsewhere."""
    return empty()


@field(_TYPE, "pipelines")
async def pipelines_of_member(_call: Call, _member: Member, _arguments: Arguments) -> object:
    """Every member sees every pipeline: none are listed by member."""
    return empty()


async def _in_team(call: Call, access: Access, team: str) -> set[UserId]:
    """People in a team by slug or UUID; nobody where there is none."""

    async def read(tx: Unit) -> set[UserId]:
        find_one = find_team if is_uuid(team) else find_team_by_slug
        found = await maybe(find_one(tx, access, team))
        rows = await team_members_of(tx, found, EVERYTHING) if found is not None else []
        return {user.id for _, user in rows}

    return await call.read(read)


def _fits(arguments: Arguments, inside: set[UserId] | None) -> Callable[[Person], bool]:
    searched = str(arguments.get("search") or "").lower()
    email = str(arguments.get("email") or "").strip().lower()
    roles = arguments.get("role")
    return lambda person: (
        (searched in person[1].name.lower() or searched in person[1].email.lower())
        and email in ("", person[1].email.lower())
        and (roles is None or person[0].role.name in roles)
        and (inside is None or person[1].id in inside)
    )


@field("Organization", "members", "member.read")
async def members_of_organization(
    call: Call, organization: accounts.Organization, arguments: Arguments
) -> object:
    """Members that fit; first come first unless ordered."""
    for name in ("security", "sso", "inactiveSince"):
        if arguments.get(name) is not None:
            raise unsupported(f"members({name}:)")
    team = arguments.get("team")
    inside = await _in_team(call, await call.access(organization.id), str(team)) if team else None
    rows = await call.read(lambda tx: members_of(tx, organization.id, EVERYTHING))
    fits = _fits(arguments, inside)
    kept = [person for person in rows if fits(person)]
    order = arguments.get("order")
    if order == "NAME":
        kept.sort(key=lambda person: (person[1].name.lower(), person[1].id))
    elif order == "RECENTLY_CREATED":
        kept.reverse()
    return listed(kept, arguments, show_member, lambda person: person[1].id)


@mutation("organizationMemberUpdate", "member.update")
async def update(order: Order) -> Mapping[str, object]:
    """Change a member's role or way of signing in."""
    uuid = ids.uuid_of(str(order.input["id"]), _TYPE)
    role = order.input.get("role")
    mode = (order.input.get("sso") or {}).get("mode")

    async def look(tx: Unit, access: Access) -> Person | None:
        return await find_person(tx, access, uuid)

    async def work(tx: Unit, access: Access, person: Person) -> Person:
        await change_member(
            order.context,
            tx,
            access.caller,
            person[0],
            access.user.id,
            role=Role[role] if role is not None else None,
            sso_mode=SsoMode[mode] if mode is not None else None,
        )
        return await find_member(tx, access.id, person[1].id)

    return {"organizationMember": show_member(await order.write_found(look, MISSING, work))}


@mutation("organizationMemberDelete", "member.remove")
async def delete(order: Order) -> Mapping[str, object]:
    """Remove a member with all that the membership gave."""
    uuid = ids.uuid_of(str(order.input["id"]), _TYPE)

    async def look(tx: Unit, access: Access) -> Person | None:
        return await find_person(tx, access, uuid)

    async def work(tx: Unit, access: Access, person: Person) -> tuple[Person, accounts.Organization]:
        await remove_member(order.context, tx, access.caller, person[0], access.user.id)
        return person, access.organization

    (member, user), organization = await order.write_found(look, MISSING, work)
    return {
        "deletedOrganizationMemberID": ids.encode(_TYPE, member_uuid(member.organization_id, user.id)),
        "organization": show_organization(organization),
        "user": show_user(user),
    }
