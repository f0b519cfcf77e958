"""Arriving: a person's first sign-in, by a link of the host or an invitation; the first administrator."""

from watchword.crypto.values import Secret
from watchword.domain.accounts import Role, User
from watchword.domain.errors import Conflict, Refused
from watchword.domain.events import Action
from watchword.domain.ids import UserId
from watchword.domain.people import LinkPurpose, SignInData, check_password
from watchword.services.accounts import check_name
from watchword.services.context import Caller, Context
from watchword.services.invitations import accept, invitation_by_secret
from watchword.services.onetimelinks import MadeLink, link_owner, make_link, take_link
from watchword.services.passwords import hashed, set_password_in
from watchword.services.people import record_person
from watchword.services.sessions import SignedIn, acting, open_session
from watchword.store.base import EVERYTHING, Transaction

_ARRIVALS = (LinkPurpose.INVITE, LinkPurpose.FIRST_ADMIN)


async def somebody_can_sign_in(context: Context) -> bool:
    """Whether anybody has a password, a passkey or an identity at single sign-on."""
    return await context.store.read(lambda tx: tx.proofs.anybody_proves())


async def first_link(context: Context, caller: Caller) -> MadeLink | None:
    """A link for the first administrator of an installation where nobody can sign in yet; else None.

    Links that were made before are dead from now on.
    """

    async def work(tx: Transaction) -> MadeLink | None:
        user = None if await tx.proofs.anybody_proves() else await _first_administrator(tx)
        if user is None:
            return None
        await tx.people.drop_links(user.id, LinkPurpose.FIRST_ADMIN)
        await record_person(context, tx, caller, Action.USER_FIRST_LINK_MADE, user.id)
        return await make_link(context, tx, LinkPurpose.FIRST_ADMIN, user)

    return await context.store.write(work)


async def _first_administrator(tx: Transaction) -> User | None:
    for user in await tx.people.users(EVERYTHING):
        roles = {member.role for member in await tx.people.memberships(user.id)}
        if Role.ADMIN in roles and not (await tx.people.sign_in_data(user.id)).disabled_at:
            return user
    return None


async def arrive(context: Context, value: Secret, password: Secret, caller: Caller) -> SignedIn:
    """Set the first password by a link, and sign in; other sessions and links of the person end.

    Raises:
        Refused: the link is not valid.
        Invalid: the password is not acceptable; the link stays valid.
    """

    async def look(tx: Transaction) -> tuple[LinkPurpose, User]:
        for purpose in _ARRIVALS[:-1]:
            try:
                return purpose, await link_owner(context, tx, value, purpose)
            except Refused:
                continue
        return _ARRIVALS[-1], await link_owner(context, tx, value, _ARRIVALS[-1])

    purpose, user = await context.store.read(look)
    fresh = await hashed(check_password(password.reveal(), user.email, user.name))

    async def work(tx: Transaction) -> SignedIn:
        await take_link(context, tx, value, purpose)
        await set_password_in(context, tx, acting(user, caller), user, fresh, tell=False)
        return await open_session(context, tx, user, caller, f"link: {purpose.value}", complete=True)

    return await context.store.write(work)


async def accept_as_new(
    context: Context, secret: Secret, name: str, password: Secret, caller: Caller
) -> SignedIn:
    """Accept a mailed invitation as somebody new: an account with its address, and signed in.

    Raises:
        NotFound: there is no such invitation.
        Conflict: it is not pending any more, or there is an account with its address.
        Invalid: name or password is not acceptable; the invitation stays as it is.
    """
    invitation = await context.store.read(lambda tx: invitation_by_secret(context, tx, secret))
    called, email = check_name(name), invitation.email
    fresh = await hashed(check_password(password.reveal(), email, called))
    now = context.clock.now()
    user = User(UserId(context.new_id()), email, called, fresh, now)

    async def work(tx: Transaction) -> SignedIn:
        if await tx.people.user_by_email(email) is not None:
            raise Conflict(
                "There is an account with the invited address. Sign in with it, then open the link again.",
                code="account_exists",
            )
        await tx.accounts.add_user(user)
        # The secret came by mail.
        data = SignInData(user.id, password_changed_at=now, email_verified_at=now)
        await tx.people.save_sign_in_data(data)
        by, owner = acting(user, caller), invitation.organization_id
        await context.record(tx, by, Action.USER_CREATED, owner, ("user", user.id))
        await accept(context, tx, by, secret, user)
        return await open_session(context, tx, user, caller, "link: invitation", complete=True)

    return await context.store.write(work)
