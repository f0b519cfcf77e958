"""The organization's banner: a message for everybody in it (contract rest-graphql §3.4)."""

from watchword.domain.errors import Invalid, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import BannerId, OrganizationId, UserId
from watchword.domain.teams import Banner
from watchword.services.context import Caller, Context
from watchword.store.base import Transaction

MAX_MESSAGE = 1024


async def banner_of(tx: Transaction, organization_id: OrganizationId) -> Banner | None:
    """The banner, if there is one."""
    return await tx.members.banner(organization_id)


async def set_banner(
    context: Context,
    tx: Transaction,
    caller: Caller,
    organization_id: OrganizationId,
    message: str,
    by: UserId | None,
) -> Banner:
    """Set or change the banner, inside a unit of work.

    Raises:
        Invalid: the message is blank or too long.
    """
    text = message.strip()
    if not text or len(text) > MAX_MESSAGE:
        raise Invalid(
            f"Validation failed: Message can't be blank and takes at most {MAX_MESSAGE} characters",
            code="invalid_message",
        )
    now = context.clock.now()
    there = await tx.members.banner(organization_id)
    banner = Banner(
        organization_id=organization_id,
        id=there.id if there is not None else BannerId(context.new_id()),
        message=text,
        created_at=there.created_at if there is not None else now,
        updated_at=now,
        updated_by=by,
    )
    await tx.members.save_banner(banner)
    await context.record(
        tx,
        caller,
        Action.BANNER_UPDATED if there is not None else Action.BANNER_CREATED,
        organization_id,
        ("banner", banner.id),
        {"message": text},
    )
    return banner


async def delete_banner(
    context: Context, tx: Transaction, caller: Caller, organization_id: OrganizationId
) -> Banner:
    """Delete the banner, inside a unit of work; what it was is returned.

    Raises:
        NotFound: there is none.
    """
    banner = await tx.members.banner(organization_id)
    if banner is None or not await tx.members.drop_banner(organization_id):
        # Clients tolerate this text (contract rest-graphql §3.4).
        raise NotFound("Organization does not have an active banner", code="no_banner")
    await context.record(tx, caller, Action.BANNER_DELETED, organization_id, ("banner", banner.id))
    return banner
