"""The routes of leaks, all of them below `/leaks/`."""

from watchword.edge.router import Route
from watchword.leaks_api.partners import Partners
from watchword.leaks_api.public import Public
from watchword.services.authority import Authority


def routes(authority: Authority) -> list[Route]:
    """Every route of this surface."""
    return [*Partners(authority).routes(), *Public.of(authority).routes()]
