"""Changing one's address: a link goes to the new one, and the change is made when it is opened."""

from dataclasses import replace

from watchword.crypto.values import Secret
from watchword.domain.accounts import User
from watchword.domain.errors import Conflict
from watchword.domain.events import Action
from watchword.domain.people import LinkPurpose, normal_email
from watchword.services.context import Caller, Context
from watchword.services.mail import queue_mail
from watchword.services.onetimelinks import link_owner, make_link, take_link
from watchword.services.people import record_person
from watchword.services.sessions import Visitor, acting, require_escalated
from watchword.services.throttling import Key, charge
from watchword.store.base import Duplicate, Transaction


async def request_email_change(context: Context, visitor: Visitor, email: str, caller: Caller) -> None:
    """Send a link to a new address, or to the present one to have it verified.

    The answer is the same where the address is somebody else's: then nothing is sent.

    Raises:
        Refused: the person has not proved again who they are.
        Invalid: it is no address.
        TooMany: links were asked for too often.
    """
    require_escalated(visitor, context.clock.now())
    user, address = visitor.user, normal_email(email)

    async def work(tx: Transaction) -> None:
        await charge(tx, context.clock.now(), (Key("reset", f"email:{user.id}"),))
        await tx.people.drop_links(user.id, LinkPurpose.VERIFY_EMAIL)
        await record_person(
            context, tx, acting(user, caller), Action.USER_EMAIL_CHANGE_REQUESTED, user.id, {"email": address}
        )
        owner = await tx.people.user_by_email(address)
        if owner is not None and owner.id != user.id:
            return
        made = await make_link(context, tx, LinkPurpose.VERIFY_EMAIL, user, address)
        text = (
            f"Somebody asked to use this address at {context.installation.url}.\n"
            f"This link confirms it once, within a day:\n\n  {made.url.reveal()}\n\n"
            "If you do not know what this is about, do nothing.\n"
        )
        await queue_mail(context, tx, address, "Confirm your address", text, "")

    await context.store.write(work)


async def finish_email_change(context: Context, value: Secret, caller: Caller) -> User:
    """Change the address by the mailed link; the former one is told, links to it are dead.

    Raises:
        Refused: the link is not valid.
        Conflict: the address was taken meanwhile.
    """

    async def work(tx: Transaction) -> User:
        user = await link_owner(context, tx, value, LinkPurpose.VERIFY_EMAIL)
        link = await take_link(context, tx, value, LinkPurpose.VERIFY_EMAIL)
        now = context.clock.now()
        data = await tx.people.sign_in_data(user.id)
        await tx.people.save_sign_in_data(replace(data, email_verified_at=now))
        if link.email == user.email:
            return user
        try:
            await tx.people.set_email(user.id, link.email)
        except Duplicate:
            raise Conflict("This address was taken meanwhile.", code="taken") from None
        for purpose in (LinkPurpose.RESET_PASSWORD, LinkPurpose.INVITE, LinkPurpose.RECOVER):
            await tx.people.drop_links(user.id, purpose)
        details: dict[str, object] = {"from": user.email, "to": link.email}
        await record_person(context, tx, acting(user, caller), Action.USER_EMAIL_CHANGED, user.id, details)
        text = (
            f"Your address at {context.installation.url} is {link.email} from now on.\n"
            "If that was not you, ask whoever runs the server for help at once.\n"
        )
        await queue_mail(context, tx, user.email, "Your address was changed", text, "")
        return replace(user, email=link.email)

    return await context.store.write(work)
