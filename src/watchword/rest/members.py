"""Members of an organization (contract rest-graphql §2.3)."""

import msgspec
from litestar import Response, delete, get, route

from watchword.domain.accounts import Role, SsoMode
from watchword.domain.errors import Invalid
from watchword.rest.bodies import Body
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.services.members import Person, change_member, find_member, members_of, remove_member
from watchword.services.queries import Access, Unit

MEMBERS = "/v2/organizations/{org:str}/members"
MEMBER = MEMBERS + "/{user:str}"


class Member(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A person in an organization; `sso_mode` is for administrators and for oneself."""

    id: str
    name: str
    email: str
    role: str
    sso_mode: str | None = None


class MemberChange(Body):
    """What changes of a membership; at least one of the two."""

    role: Role | None = None
    sso_mode: SsoMode | None = None


def show_member(access: Access, person: Person) -> Member:
    """A member as JSON, as far as the caller may see."""
    member, user = person
    open_to_caller = access.standing.admin or member.user_id == access.user.id
    return Member(
        id=user.id,
        name=user.name,
        email=user.email,
        role=member.role.value,
        sso_mode=member.sso_mode.value if open_to_caller else None,
    )


@get(MEMBERS, opt=needs("member.read", query=PAGED), summary="List members")
async def list_members(request: RestRequest) -> Response[list[Member]]:
    """Members of the organization, first come first."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> tuple[list[Person], list[Member]]:
        rows = await members_of(tx, access.id, call.page.window)
        return rows, [show_member(access, person) for person in call.page.cut(rows)]

    rows, items = await call.read(work)
    return call.listed(items, rows)


@get(MEMBER, opt=needs("member.read"), summary="Get a member")
async def get_member(request: RestRequest) -> Member:
    """One member by the person's id."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> Member:
        return show_member(access, await find_member(tx, access.id, call.path("user")))

    return await call.read(work)


@route(
    MEMBER,
    http_method=["PUT", "PATCH"],
    status_code=200,
    opt=needs("member.update", body=MemberChange),
    summary="Update a member",
)
async def update_member(request: RestRequest) -> Member:
    """Change somebody else's role or way of signing in."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> Member:
        member, _ = await find_member(tx, access.id, call.path("user"))
        asked = call.decode(MemberChange)
        if asked.role is None and asked.sso_mode is None:
            raise Invalid("Validation failed: Give role or sso_mode", code="nothing_to_change")
        await change_member(
            call.context,
            tx,
            access.caller,
            member,
            access.user.id,
            role=asked.role,
            sso_mode=asked.sso_mode,
        )
        return show_member(access, await find_member(tx, access.id, member.user_id))

    return await call.write(work)


@delete(MEMBER, opt=needs("member.remove"), summary="Remove a member")
async def delete_member(request: RestRequest) -> None:
    """Remove somebody else; their tokens reach the organization no more from the next call on."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> None:
        member, _ = await find_member(tx, access.id, call.path("user"))
        await remove_member(call.context, tx, access.caller, member, access.user.id)

    await call.write(work)


HANDLERS = (list_members, get_member, update_member, delete_member)
