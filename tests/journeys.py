"""Journeys through the console in a real Chromium: a person, their browser, and what must hold at the end."""

import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import axe_playwright_python
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    expect,
    sync_playwright,
)

from support import LiveServer
from watchword.domain.accounts import Member, Role, User
from watchword.domain.ids import UserId
from watchword.edge.app import Edge
from watchword.services.people import person_caller
from watchword.services.sessions import SignedIn, open_session
from watchword.store.base import Transaction
from watchword.web.security import SESSION_COOKIE

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
_ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium, without a window."""
    arguments = [*_ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


class Witness:
    """Stands around a server and keeps what its answers said, so that a value can be looked for in them.

    Attributes:
        bodies: path and body of every answer.
        addresses: every path with its query, and every Referer.
    """

    def __init__(self) -> None:
        self.bodies: list[tuple[str, bytes]] = []
        self.addresses: list[str] = []

    def around(self, edge: Edge) -> Edge:
        """The server, watched."""
        return cast("Edge", _Watched(edge, self))

    def bodies_with(self, value: str) -> list[str]:
        """Paths of the answers that hold a value."""
        return [path for path, body in self.bodies if value.encode() in body]


class _Watched:
    def __init__(self, edge: Edge, witness: Witness) -> None:
        self._edge = edge
        self._witness = witness

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope.get("headers", ()))
        query = scope.get("query_string", b"").decode("latin-1")
        self._witness.addresses.append(f"{scope['path']}?{query} {headers.get(b'referer', b'').decode()}")
        pieces: list[bytes] = []

        async def noted(message: Any) -> None:
            pieces.append(message.get("body", b""))
            await send(message)

        try:
            await self._edge(scope, receive, noted)
        finally:
            self._witness.bodies.append((scope["path"], b"".join(pieces)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._edge, name)


@dataclass(frozen=True, eq=False)
class Said:
    """A text that a page may be about to show: comparing waits for it, and fails where it does not come."""

    line: Locator

    def __eq__(self, text: object) -> bool:
        """Whether it becomes this text."""
        expect(self.line).to_have_text(str(text))
        return True

    __hash__ = None  # type: ignore[assignment] # it changes

    def __contains__(self, text: str) -> bool:
        """Whether it comes to hold this text."""
        expect(self.line).to_contain_text(text)
        return True

    def startswith(self, text: str) -> bool:
        """Whether it comes to begin with this text."""
        expect(self.line).to_have_text(re.compile("^" + re.escape(text)))
        return True


@dataclass
class Journey:
    """One person's way through the console, in a browser context of their own.

    Attributes:
        said: what the browser's console said, errors of scripts included.
        expected: what of that is meant: texts of failures that a test brings about.
        outside: other sites to which a test leads on purpose.
    """

    server: LiveServer
    witness: Witness
    context: BrowserContext
    page: Page
    said: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    @classmethod
    def begin(cls, server: LiveServer, witness: Witness, browser: Browser, **options: Any) -> "Journey":
        """Open a browser context, for example with `java_script_enabled=False` or a small `viewport`."""
        context = browser.new_context(base_url=server.url, **options)
        context.set_default_timeout(20_000)
        made = cls(server, witness, context, context.new_page())
        made.page.on("console", made._hear)
        made.page.on("pageerror", lambda error: made.said.append(f"error: {error}"))
        made.page.on("request", made._note)
        return made

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.said.append(message.text)

    def _note(self, request: Request) -> None:
        self.asked.append(request.url)

    # -- who -------------------------------------------------------------------------------------

    def sign_in_as(self, user: User) -> None:
        """Give the browser a fresh session of a person, as if they had just signed in."""
        authority = self.server.authority

        async def work(tx: Transaction) -> SignedIn:
            by = person_caller(user, "127.0.0.1", "a browser")
            return await open_session(authority.context, tx, user, by, "password", complete=True)

        signed = self.server.run(authority.context.store.write(work))
        value = signed.cookie.reveal()
        self.context.add_cookies(
            [
                {
                    "name": SESSION_COOKIE,
                    "value": value,
                    "url": self.server.url.replace("http:", "https:"),
                    "httpOnly": True,
                    "secure": True,
                    "sameSite": "Lax",
                }
            ]
        )

    def person(self, email: str, role: Role = Role.MEMBER) -> User:
        """A new member of the first organization."""
        server = self.server
        context = server.authority.context
        user = User(UserId(context.new_id()), email, email.partition("@")[0].title(), "", context.clock.now())

        async def work(tx: Transaction) -> None:
            await tx.accounts.add_user(user)
            await tx.accounts.add_member(Member(server.first.organization.id, user.id, role, 1))

        server.run(context.store.write(work))
        return user

    # -- where -----------------------------------------------------------------------------------

    def go(self, path: str) -> None:
        """Open a page; `path` begins below the organization unless it begins with `/`."""
        slug = self.server.first.organization.slug
        self.page.goto(path if path.startswith("/") else f"/organizations/{slug}/{path}".rstrip("/"))

    @property
    def status(self) -> "Said":
        """What the page's status line says, or will in a moment."""
        return Said(self.page.locator("#status"))

    # -- what must hold --------------------------------------------------------------------------

    def require_accessible(self) -> None:
        """Require that axe finds nothing on the page as it stands, in both themes."""
        self.page.evaluate(AXE)
        for theme in ("light", "dark"):
            self.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            self.page.evaluate(f"() => {{ document.documentElement.dataset.theme = '{theme}'; }}")
            # What passes is not asked for: to list it takes axe as long as to find out.
            found = self.page.evaluate(
                "options => axe.run(document, options)",
                {"runOnly": {"type": "tag", "values": AXE_TAGS}, "resultTypes": ["violations"]},
            )
            wrong = [
                f"{one['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:240]}"
                for one in found["violations"]
                for node in one["nodes"]
            ]
            assert not wrong, f"{theme} {self.page.url}\n" + "\n".join(wrong)

    def require_no_overflow(self) -> None:
        """Require that the page needs no scrolling to the side (WCAG 1.4.10)."""
        wide = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert wide <= 0, f"{self.page.url} is {wide} px too wide"

    def require_kept_secret(self, value: str, *, shown: int = 1) -> None:
        """Require that a value stood in exactly so many answers, and nowhere else that outlives the page."""
        assert len(self.witness.bodies_with(value)) == shown, self.witness.bodies_with(value)
        stored = self.page.evaluate(
            "() => JSON.stringify([{...localStorage}, {...sessionStorage}, history.state, document.title])"
        )
        for text in (stored, *self.said, *self.asked, *self.witness.addresses, self.page.url):
            assert value not in text

    def end(self) -> None:
        """Close the browser context; nothing may have failed that the test does not know of."""
        self.context.close()
        unknown = [text for text in self.said if not any(re.search(each, text) for each in self.expected)]
        assert not unknown, unknown
        outside = [
            url
            for url in self.asked
            if not url.startswith((*self.outside, self.server.url, "data:", "blob:"))
        ]
        assert not outside, outside


Begin = Callable[..., Journey]


def axe_on(journey: Journey, paths: Sequence[str]) -> None:
    """Require that pages are accessible, one after the other."""
    for path in paths:
        journey.go(path)
        journey.require_accessible()
