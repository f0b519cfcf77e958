"""What the API says of itself, without a token."""

from typing import Any

import msgspec
from litestar import Response, get

from watchword.rest.call import RestRequest, needs, served


class Meta(msgspec.Struct, kw_only=True):
    """Addresses from which webhooks come, as far as the operator says."""

    webhook_ips: list[str]


@get("/v2/meta", opt=needs(None), summary="Get information about the installation")
async def get_meta(request: RestRequest) -> Meta:
    """What anybody may know."""
    authority = served(request).authority
    return Meta(webhook_ips=list(authority.context.installation.webhook_ips))


@get("/v2/openapi.json", opt=needs(None), summary="Get this description")
async def get_description(request: RestRequest) -> Response[dict[str, Any]]:
    """The description of this API in OpenAPI 3.1."""
    described = served(request).description()
    return Response(described, media_type="application/json")  # type: ignore[arg-type] # encoded already


HANDLERS = (get_meta, get_description)
