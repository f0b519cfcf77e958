"""The organization's banner (contract rest-graphql §3.4, §3.5)."""

from collections.abc import Mapping

from watchword.domain import accounts
from watchword.domain.teams import Banner
from watchword.graphql import ids
from watchword.graphql.binding import Arguments, Thing, field, mutation
from watchword.graphql.call import Call, Order
from watchword.graphql.connections import listed
from watchword.graphql.finding import node, organization_id
from watchword.services.banners import banner_of, delete_banner, set_banner
from watchword.services.queries import Access, Unit

_TYPE = "OrganizationBanner"


def show_banner(banner: Banner) -> Thing:
    """A banner as an object."""
    values = {"id": ids.encode(_TYPE, banner.id), "uuid": banner.id, "message": banner.message}
    return Thing(_TYPE, banner.organization_id, banner, values)


@node(_TYPE, "organization_banner.read")
async def find(tx: Unit, access: Access, uuid: str) -> Thing | None:
    """The banner of an organization."""
    banner = await banner_of(tx, access.id)
    return show_banner(banner) if banner is not None and banner.id == uuid else None


@field("Organization", "banners", "organization_banner.read")
async def banners_of_organization(
    call: Call, organization: accounts.Organization, arguments: Arguments
) -> object:
    """The one banner, if there is one."""
    banner = await call.read(lambda tx: banner_of(tx, organization.id))
    rows = [banner] if banner is not None else []
    return listed(rows, arguments, show_banner, lambda row: row.id)


@mutation("organizationBannerUpsert", "organization_banner.update")
async def upsert(order: Order) -> Mapping[str, object]:
    """Set or change the banner."""

    async def work(tx: Unit, access: Access) -> Banner:
        message = order.text("message")
        return await set_banner(order.context, tx, access.caller, access.id, message, access.user.id)

    return {"banner": show_banner(await order.write(organization_id(order), work))}


@mutation("organizationBannerDelete", "organization_banner.update")
async def delete(order: Order) -> Mapping[str, object]:
    """Delete the banner."""

    async def work(tx: Unit, access: Access) -> Banner:
        return await delete_banner(order.context, tx, access.caller, access.id)

    banner = await order.write(organization_id(order), work)
    return {"deletedBannerId": ids.encode(_TYPE, banner.id)}
