"""The organization's settings: where their pages are."""

from watchword.services.access import Access
from watchword.services.queries import Unit
from watchword.web.visit import Visit

SETTINGS = "/organizations/{org:str}/settings"


def base(visit: Visit) -> str:
    """Where the organization's settings are."""
    return f"/organizations/{visit.path('org')}/settings"


async def nothing(_tx: Unit, _access: Access) -> None:
    """Enter, and look no further."""
