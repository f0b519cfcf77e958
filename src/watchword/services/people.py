"""People: who they are, the trail of what they do to themselves, and what the host does for them."""

from dataclasses import dataclass, replace

from watchword.domain.accounts import Member, Role, User
from watchword.domain.errors import Conflict, NotFound
from watchword.domain.events import Action, Actor
from watchword.domain.ids import OrganizationId, UserId
from watchword.domain.people import LinkPurpose, SignInData, normal_email
from watchword.services.accounts import check_name
from watchword.services.context import Caller, Context
from watchword.services.onetimelinks import MadeLink, make_link
from watchword.store.base import EVERYTHING, Duplicate, Transaction


@dataclass(frozen=True, slots=True)
class Person:
    """A person with what is known of them."""

    user: User
    data: SignInData
    memberships: tuple[tuple[str, Role], ...]


def person_caller(user: User, address: str | None, user_agent: str, request_id: str = "") -> Caller:
    """A person who acts for themselves, as the audit trail names them."""
    return Caller(Actor("user", user.id, user.name), address, request_id, user_agent)


async def find_user(tx: Transaction, email: str) -> User:
    """A person by address.

    Raises:
        Invalid: it is no address.
        NotFound: there is none.
    """
    user = await tx.people.user_by_email(normal_email(email))
    if user is None:
        raise NotFound(f"There is no user {email!r}.", code="unknown_user")
    return user


async def record_person(
    context: Context,
    tx: Transaction,
    caller: Caller,
    action: Action,
    user_id: UserId,
    data: dict[str, object] | None = None,
) -> None:
    """Write what concerns a person into the trail of each organization that they belong to."""
    for member in await tx.people.memberships(user_id):
        await context.record(tx, caller, action, member.organization_id, ("user", user_id), data)


async def list_people(context: Context) -> list[Person]:
    """Everybody, oldest first, with their organizations."""

    async def work(tx: Transaction) -> list[Person]:
        slugs = {one.id: one.slug for one in await tx.accounts.organizations()}
        found = []
        for user in await tx.people.users(EVERYTHING):
            members = await tx.people.memberships(user.id)
            places = tuple((slugs.get(each.organization_id, ""), each.role) for each in members)
            found.append(Person(user, await tx.people.sign_in_data(user.id), places))
        return found

    return await context.store.read(work)


async def create_person(
    context: Context, caller: Caller, organization_id: OrganizationId, email: str, name: str, role: Role
) -> tuple[User, MadeLink]:
    """Create a person in an organization, and a link by which they sign in for the first time.

    Raises:
        Invalid: address or name is not acceptable.
        Conflict: the address is taken.
    """
    now = context.clock.now()
    user = User(UserId(context.new_id()), normal_email(email), check_name(name), "", now)

    async def work(tx: Transaction) -> MadeLink:
        taken = Conflict(f"There is a user {user.email!r} already.", code="taken")
        if await tx.people.user_by_email(user.email) is not None:
            raise taken
        try:
            await tx.accounts.add_user(user)
        except Duplicate:
            raise taken from None
        await tx.accounts.add_member(Member(organization_id, user.id, role, now))
        subject = ("user", user.id)
        await context.record(tx, caller, Action.USER_CREATED, organization_id, subject)
        await context.record(tx, caller, Action.MEMBER_ADDED, organization_id, subject, {"role": role.value})
        return await make_link(context, tx, LinkPurpose.INVITE, user)

    return user, await context.store.write(work)


async def disable_person(context: Context, caller: Caller, email: str) -> int:
    """Keep a person out: sessions end now, API access tokens are refused until they are enabled again.

    Returns:
        How many sessions ended.

    Raises:
        NotFound: there is no such person.
    """
    now = context.clock.now()

    async def work(tx: Transaction) -> int:
        user = await find_user(tx, email)
        data = await tx.people.sign_in_data(user.id)
        if not data.disabled_at:
            await tx.people.save_sign_in_data(replace(data, disabled_at=now))
            await record_person(context, tx, caller, Action.USER_DISABLED, user.id)
        for purpose in LinkPurpose:
            await tx.people.drop_links(user.id, purpose)
        return await tx.sessions.end_all(user.id, now, "account disabled")

    return await context.store.write(work)


async def enable_person(context: Context, caller: Caller, email: str) -> None:
    """Let a person in again, as they were.

    Raises:
        NotFound: there is no such person.
    """

    async def work(tx: Transaction) -> None:
        user = await find_user(tx, email)
        data = await tx.people.sign_in_data(user.id)
        if data.disabled_at:
            await tx.people.save_sign_in_data(replace(data, disabled_at=0))
            await record_person(context, tx, caller, Action.USER_ENABLED, user.id)

    await context.store.write(work)


async def recover_person(context: Context, caller: Caller, email: str) -> MadeLink:
    """A link that signs a person in once, without password and second factor; neither is changed by it.

    Links for the same purpose that were not used are dead from now on.

    Raises:
        NotFound: there is no such person.
        Conflict: the account is disabled.
    """

    async def work(tx: Transaction) -> MadeLink:
        user = await find_user(tx, email)
        if (await tx.people.sign_in_data(user.id)).disabled_at:
            raise Conflict(
                "This account is disabled; enable it first: watchword admin user enable", code="user_disabled"
            )
        await tx.people.drop_links(user.id, LinkPurpose.RECOVER)
        await record_person(context, tx, caller, Action.USER_RECOVERED, user.id)
        return await make_link(context, tx, LinkPurpose.RECOVER, user)

    return await context.store.write(work)
