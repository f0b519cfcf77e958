"""Which organization and deployment a request is about: its path against its headers (contract §1, §2)."""

from watchword.domain.deployments import Deployment
from watchword.domain.errors import Malformed, NotFound
from watchword.edge.http import Request
from watchword.services.dagsteragents import not_served
from watchword.services.dagsterdoor import Guest

BASE = "/dagster"
TOKEN = b"dagster-cloud-api-token"
_DEPLOYMENT = b"dagster-cloud-deployment"
_ORGANIZATION = b"dagster-cloud-organization"


def variants(path: str) -> tuple[str, ...]:
    """The addresses of an operation: alone, below an organization or a deployment, below both.

    Slashes that come twice, or at the end, the router takes away.
    """
    return (f"{BASE}{path}", f"{BASE}/{{first}}{path}", f"{BASE}/{{first}}/{{second}}{path}")


def deployment_name(request: Request, guest: Guest, first: str | None, second: str | None) -> str | None:
    """The name of the deployment that a request is about; None where it names none.

    Args:
        request: its headers.
        guest: whose organization decides what the path's parts mean.
        first: of the path: the organization, or else a deployment.
        second: of the path: a deployment, below the organization.

    Raises:
        Malformed: path and header name two deployments, or the header another organization.
        NotFound: the path names another organization.
    """
    slug = guest.place.organization.slug
    organization = request.headers.get(_ORGANIZATION)
    if organization and organization.decode("latin-1") != slug:
        raise Malformed(
            "The header Dagster-Cloud-Organization names another organization than this token's.",
            code="other_organization",
        )
    header = request.headers.get(_DEPLOYMENT)
    named = header.decode("latin-1") if header else None
    if first is None:
        return named
    if second is not None and first != slug:
        raise NotFound(f"This token is of no organization {first[:100]!r}.", code="no_such_organization")
    path = second if second is not None else None if first == slug else first
    if path is not None and named is not None and path != named:
        raise Malformed(
            f"The address names the deployment {path[:100]!r} and the header Dagster-Cloud-Deployment"
            f" {named[:100]!r}; name one of them.",
            code="deployments_differ",
        )
    return path if path is not None else named


def deployment_of(guest: Guest, name: str | None) -> Deployment | None:
    """The deployment of a name.

    An agent token gets no further with one that it may not serve; a person who named one that does not exist
    only where it is needed, since command lines send a default along with everything.

    Raises:
        Forbidden: the agent token may not serve it, or there is none of this name.
    """
    if name is None:
        return None
    if not guest.is_agent:
        return guest.place.deployments.get(name)
    served = guest.serves(name)
    if served is None:
        raise not_served([name])
    return served
