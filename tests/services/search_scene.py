"""People who look for tokens: short words for tests of the token search and of the overview."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from services.scene import ADDRESS, Scene
from watchword.crypto.values import Secret
from watchword.domain.accounts import Member, Role, User
from watchword.domain.ids import ClusterId, MaintainerId, UserId
from watchword.domain.scopes import ALL_SCOPES
from watchword.domain.teams import Maintainer
from watchword.services.access import Access, enter
from watchword.services.context import LOCAL
from watchword.services.issuing import Issued, issue_api_token
from watchword.services.tokensearch import Pasted, Sought, TokenPage, TokenRow
from watchword.services.verifying import look_at
from watchword.store.base import Transaction

T = TypeVar("T")


class Searcher:
    """Somebody who looks for tokens."""

    def __init__(self, scene: Scene, issued: Issued) -> None:
        self.scene = scene
        self.issued = issued

    def access(self) -> Access:
        presented = look_at(self.scene.record(self.issued.token))
        return self.read(lambda tx: enter(tx, presented, "acme", ADDRESS, "request"))

    def read(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        return self.scene.run(self.scene.world.store.read(work))

    def page(self, **sought: Any) -> TokenPage:
        access, finder = self.access(), self.scene.authority.finder
        return self.read(lambda tx: finder.page_in(tx, access, Sought(**sought)))

    def rows(self, **sought: Any) -> list[TokenRow]:
        return list(self.page(**sought).rows)

    def ids(self, **sought: Any) -> set[str]:
        return {row.token.id for row in self.rows(**sought)}

    def paste(self, text: str) -> Pasted:
        access, finder = self.access(), self.scene.authority.finder
        return self.read(lambda tx: finder.pasted_in(tx, access, Secret(text)))


def administrator(scene: Scene) -> Searcher:
    """The first organization's administrator."""
    return Searcher(scene, scene.first.api_token)


def member(scene: Scene, email: str = "m@example.com") -> Searcher:
    """A member with an API access token, who maintains nothing."""
    context = scene.authority.context

    async def work(tx: Transaction) -> Issued:
        user = User(UserId(context.new_id()), email, email.partition("@")[0], "", context.clock.now())
        await tx.accounts.add_user(user)
        await tx.accounts.add_member(Member(scene.organization_id, user.id, Role.MEMBER, user.created_at))
        return await issue_api_token(
            context, tx, LOCAL, scene.organization_id, user.id, "mine", ALL_SCOPES, 0
        )

    return Searcher(scene, scene.run(context.store.write(work)))


def maintain(scene: Scene, searcher: Searcher, cluster_id: ClusterId) -> None:
    """Make somebody a maintainer of a cluster."""
    context = scene.authority.context

    async def work(tx: Transaction) -> None:
        await tx.teams.add_maintainer(
            Maintainer(
                scene.organization_id,
                MaintainerId(context.new_id()),
                cluster_id,
                searcher.issued.token.user_id,
                None,
                context.clock.now(),
                None,
            )
        )

    scene.run(context.store.write(work))
