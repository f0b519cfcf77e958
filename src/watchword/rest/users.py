"""Users: the person whose token it is, and people as they stand inside other things."""

from collections.abc import Mapping

import msgspec
from litestar import get

from watchword.domain import accounts
from watchword.domain.ids import UserId
from watchword.rest.call import Call, RestRequest, needs
from watchword.rest.formats import graphql_id, instant
from watchword.services.queries import Unit, holder_of


class User(msgspec.Struct, kw_only=True):
    """A person."""

    id: str
    graphql_id: str
    name: str
    email: str
    avatar_url: str | None
    created_at: str


def show_user(user: accounts.User) -> User:
    """A person as JSON."""
    return User(
        id=user.id,
        graphql_id=graphql_id("User", user.id),
        name=user.name,
        email=user.email,
        avatar_url=None,
        created_at=instant(user.created_at),
    )


def show_person(people: Mapping[UserId, accounts.User], user_id: UserId | None) -> User | None:
    """A person by id; None where nobody did it, or somebody who is gone."""
    user = people.get(user_id) if user_id is not None else None
    return show_user(user) if user is not None else None


@get("/v2/user", opt=needs("user.read"), summary="Get the current user")
async def get_user(request: RestRequest) -> User:
    """The person whose token is presented."""
    call = Call.of(request)

    async def work(tx: Unit) -> User:
        return show_user(await holder_of(tx, call.presented))

    return await call.context.store.read(work)


HANDLERS = (get_user,)
