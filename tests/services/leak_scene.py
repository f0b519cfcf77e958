"""A scene for leaks: tokens of each kind, reports as a partner sends them, and what became of both."""

from dataclasses import replace

from services.scene import Scene
from watchword.crypto.values import Secret
from watchword.domain.ids import OrganizationId, TokenId
from watchword.domain.leakpolicy import LeakPolicy
from watchword.domain.leaks import Leak, Visibility
from watchword.domain.tokens import Token
from watchword.services.context import LOCAL
from watchword.services.issuing import Issued, issue_api_token
from watchword.services.leakfinding import Item
from watchword.services.leakreports import Answer, Source

GITHUB = Source(name="github", visibility=Visibility.PUBLIC)
CRAWLER = Source(name="crawler", visibility=Visibility.PRIVATE)


class LeakScene(Scene):
    """Reports, and the cases that they make."""

    def api_token(self, expires_at: int | None = 0) -> Issued:
        """An API access token of the administrator's."""
        context, first = self.authority.context, self.first
        owner, admin = first.organization.id, first.admin.id
        return self.run(
            context.store.write(
                lambda tx: issue_api_token(
                    context, tx, LOCAL, owner, admin, "robot", ("read_agents",), expires_at
                )
            )
        )

    def report(self, *values: Secret | Item, source: Source = GITHUB, body: str = "") -> list[Answer]:
        """Report values; the same body is the same report."""
        items = [
            each if isinstance(each, Item) else Item(value=each, type="token", url="https://example.com/a")
            for each in values
        ]
        self.count = getattr(self, "count", 0) + 1
        raw = (body or f"report {self.count}").encode()
        return self.run(self.authority.leak_reports.take(LOCAL, source, items, body=raw))

    def leak(self, token: Token) -> Leak | None:
        store = self.authority.context.store
        return self.run(store.read(lambda tx: tx.leaks.of_token(token.organization_id, token.id)))

    def the_leak(self, token: Token) -> Leak:
        found = self.leak(token)
        assert found is not None
        return found

    def everything(self) -> int:
        """How long the organization's audit trail is."""
        store = self.authority.context.store
        return len(self.run(store.read(lambda tx: tx.audit.events(self.organization_id, 0, 10_000))))

    def rules(self, *, dry_run: bool = False, **rules: str) -> None:
        """Set rules: `agent__public="rotate:60"`."""
        policy = LeakPolicy(
            OrganizationId(self.organization_id),
            {name.replace("__", ":"): text for name, text in rules.items()},
            dry_run,
        )
        self.run(self.authority.context.store.write(lambda tx: tx.leaks.save_policy(policy)))

    def stored(self, token: Token) -> Token:
        store = self.authority.context.store
        found = self.run(store.read(lambda tx: tx.tokens.find(token.organization_id, TokenId(token.id))))
        assert found is not None
        return found

    def breaker(self, per_minute: int = 0, percent: int = 0) -> None:
        """Go on with another circuit breaker."""
        self.configure(
            breaker=replace(
                self.authority.context.installation.breaker, per_minute=per_minute, percent=percent
            )
        )
