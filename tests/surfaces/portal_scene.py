"""A live server with portals, and those who call them."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from support import FakeClock, LiveServer
from watchword.domain.accounts import Member, Role, User
from watchword.domain.ids import UserId
from watchword.domain.kinds import Kind
from watchword.domain.portals import Portal
from watchword.services.access import user_actor
from watchword.services.context import LOCAL, Caller
from watchword.services.issuing import Issued
from watchword.services.portals import PortalRequest
from watchword.services.portaltokens import issue_in
from watchword.store.base import EVERYTHING, Transaction

NAME = '{ organization(slug: "acme") { name } }'


class Site:
    """A server with portals, and callers of them."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.clock = FakeClock()
        self.server = LiveServer(folder, self.clock, limit_portal_organization=40, **settings)
        self.context = self.server.authority.context
        self.first = self.server.first
        self.http = httpx.Client(base_url=self.server.url)

    def portal(self, query: str = NAME, slug: str = "tools", **changes: Any) -> tuple[Portal, Issued]:
        asked = PortalRequest(name=slug, slug=slug, query=query, **changes)
        desk, first = self.server.authority.portals, self.first
        made: tuple[Portal, Issued] = self.write(
            lambda tx: desk.create_in(tx, LOCAL, first.organization.id, asked, first.admin.id)
        )
        return made

    def write(self, work: Any) -> Any:
        return self.server.run(self.context.store.write(work))

    def read(self, work: Any) -> Any:
        return self.server.run(self.context.store.read(work))

    def run(self, token: Issued | str, slug: str = "tools", **options: Any) -> httpx.Response:
        value = token if isinstance(token, str) else token.value.reveal()
        headers = {"Authorization": f"Bearer {value}"} if value else {}
        at = options.pop("at", f"/portal/organizations/acme/portals/{slug}")
        return self.http.post(at, headers={**headers, **options.pop("headers", {})}, **options)

    def member(self, name: str = "mia", role: Role = Role.MEMBER) -> User:
        now = self.clock.now()
        user = User(UserId(self.context.new_id()), f"{name}@example.com", name, "", now)

        async def work(tx: Transaction) -> None:
            await tx.accounts.add_user(user)
            await tx.accounts.add_member(Member(self.first.organization.id, user.id, role, now))

        self.write(work)
        return user

    def user_token(self, portal: Portal, user: User) -> Issued:
        issued: Issued = self.write(
            lambda tx: issue_in(
                self.context,
                tx,
                Caller(user_actor(user)),
                portal,
                Kind.PORTAL_USER,
                user_id=user.id,
                created_by=user.id,
                expires_at=self.clock.now() + 10**9,
            )
        )
        return issued

    @property
    def organization(self) -> str:
        """The organization's id as GraphQL writes it."""
        return base64.b64encode(f"Organization---{self.first.organization.id}".encode()).decode()

    def clear(self) -> None:
        """Delete every portal, a minute later."""
        self.clock.forward(61_000_000)
        desk, owner = self.server.authority.portals, self.first.organization.id

        async def work(tx: Transaction) -> None:
            for portal in await tx.portals.list(owner, EVERYTHING):
                await desk.delete_in(tx, LOCAL, portal, None)

        self.write(work)


@contextmanager
def serving(folder: Path, **settings: Any) -> Iterator[Site]:
    """A server for a whole module of tests."""
    site = Site(folder, **settings)
    try:
        yield site
    finally:
        site.http.close()
        site.server.close()


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]
