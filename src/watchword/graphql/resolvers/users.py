"""Users and the viewer (contract rest-graphql §3.5)."""

from watchword.domain import accounts
from watchword.domain.ids import UserId
from watchword.graphql import ids
from watchword.graphql.binding import Arguments, Thing, field, nothing, query
from watchword.graphql.call import Call
from watchword.graphql.connections import empty, listed
from watchword.graphql.finding import denied, node
from watchword.services.lookups import member_by_id
from watchword.services.queries import Access, Unit, holder_of, people


def show_user(user: accounts.User) -> Thing:
    """A person as an object."""
    values = {
        "id": ids.encode("User", user.id),
        "uuid": user.id,
        "name": user.name,
        "email": user.email,
        "bot": False,
        "machineUser": False,
        "hasPassword": bool(user.password_hash),
        "avatar": {"url": ""},  # this server keeps no pictures
    }
    return Thing("User", None, user, values)


async def person(call: Call, user_id: UserId | None) -> Thing | None:
    """A person by id; None where nobody did it, or somebody who is gone."""
    if user_id is None:
        return None

    async def read() -> accounts.User | None:
        return (await call.read(lambda tx: people(tx, [user_id]))).get(user_id)

    user = await call.once(("user", user_id), read)
    return show_user(user) if user is not None else None


def by(of: str, name: str, attribute: str) -> None:
    """Bind a field that shows the person whose id stands in the record."""

    @field(of, name)
    async def resolve(call: Call, record: object, _arguments: Arguments) -> Thing | None:
        return await person(call, getattr(record, attribute))


@node("User", "member.read")
async def find_user(tx: Unit, access: Access, uuid: str) -> Thing | None:
    """A person who belongs to the organization."""
    found = await member_by_id(tx, access.id, UserId(uuid))
    return show_user(found[1]) if found is not None else None


@field("User", "builds")
async def builds_of_user(_call: Call, _user: accounts.User, _arguments: Arguments) -> object:
    """None are listed by person."""
    return empty()


@query("viewer", "user.read")
async def viewer(call: Call, _arguments: Arguments) -> Thing:
    """The person whose token is presented."""
    user = await call.read(lambda tx: holder_of(tx, call.presented))
    values = {
        "id": ids.encode("Viewer", user.id),
        "permissions": {"totpConfigure": denied("Sign in to do that.", "sign_in_required")},
        "user": show_user(user),
    }
    return Thing("Viewer", None, user, values)


@field("Viewer", "emails")
async def emails_of_viewer(_call: Call, user: accounts.User, arguments: Arguments) -> object:
    """The one address of a person."""
    shown = Thing(
        "Email",
        None,
        user,
        {
            "id": ids.encode("Email", user.id),
            "uuid": user.id,
            "address": user.email,
            "primary": True,
            "verified": True,
        },
    )
    rows = [] if arguments.get("verified") is False else [shown]
    return listed(rows, arguments, lambda row: row, lambda row: row.record.id)


@field("Viewer", "authorizations")
async def authorizations_of_viewer(_call: Call, _user: accounts.User, _arguments: Arguments) -> object:
    """Nobody signs in elsewhere."""
    return empty()


@field("Viewer", "builds")
async def builds_of_viewer(_call: Call, _user: accounts.User, _arguments: Arguments) -> object:
    """None are listed by person."""
    return empty()


nothing("Viewer", "notice", "totp")
