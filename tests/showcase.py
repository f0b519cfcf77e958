"""Pictures of the console for the documentation: `make pictures` takes them of a server that it furnishes."""

import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from journeys import Journey, Witness, chromium
from support import FakeAgent, LiveServer
from watchword.domain.pipelines import Build
from watchword.domain.tokens import DAY_US
from watchword.services.accounts import add_cluster, add_queue
from watchword.services.context import LOCAL
from watchword.store.base import Transaction

FOLDER = Path(__file__).parent.parent / "docs" / "images"
SIZE = {"width": 1180, "height": 760}
_LOG = """~~~ Preparing working directory
\x1b[90m$\x1b[0m git clone -v -- . app
--- Installing
\x1b[32m✓\x1b[0m 214 packages in 1.8 s
+++ Testing
\x1b[1mtests/api\x1b[0m .............................. \x1b[32m[ 38%]\x1b[0m
\x1b[1mtests/web\x1b[0m ....................\x1b[33ms\x1b[0m............. \x1b[32m[ 81%]\x1b[0m
\x1b[1mtests/e2e\x1b[0m ...............                  \x1b[32m[100%]\x1b[0m
\x1b[32m\x1b[1m79 passed\x1b[0m, \x1b[33m1 skipped\x1b[0m in 41.07s
"""


@dataclass
class Showcase:
    """A furnished server with somebody who looks at it."""

    server: LiveServer
    journey: Journey
    token: str = ""
    job: str = ""
    build: Build | None = None

    def furnish(self) -> None:
        """Agent tokens in different states, agents, a build that runs."""
        server = self.server
        context = server.authority.context
        now = context.clock.now()
        frankfurt = server.issue(description="production, builders in Frankfurt")
        server.issue(description="staging", expires_at=now + 6 * DAY_US)
        server.issue(description="laptops of the platform team", expires_at=now + 80 * DAY_US)
        server.run(context.store.write(self._furnish_clusters))
        value = frankfurt.value.reveal()
        for number in range(1, 12):
            FakeAgent(
                server.url,
                value,
                name=f"builder-{number:02}",
                hostname=f"ip-10-4-0-{number}",
                meta_data=["queue=default", "os=linux", "region=eu-central-1"],
            ).connect()
        self.build, _ = server.create_build("make test", "make lint")
        tags = ["queue=default", "os=linux"]
        agent = FakeAgent(server.url, value, name="builder-12", hostname="ip-10-4-0-12", meta_data=tags)
        job = agent.connect().accept()
        self.token, self.job = frankfurt.token.id, job
        agent.on_job("PUT", f"/v3/jobs/{job}/start", {"started_at": "2026-01-01T00:00:00Z"})
        log = _LOG.encode()
        agent.on_job("POST", f"/v3/jobs/{job}/chunks?sequence=1&offset=0&size={len(log)}", log)

    async def _furnish_clusters(self, tx: Transaction) -> None:
        context, first = self.server.authority.context, self.server.first
        for key in ("deploy", "gpu"):
            await add_queue(context, tx, LOCAL, first.cluster, key)
        for name in ("macOS builders", "Release signing"):
            await add_cluster(context, tx, LOCAL, first.organization.id, name)

    def take(self, name: str, path: str, prepare: Callable[[Journey], None] | None = None) -> None:
        """Take one picture, in the light theme."""
        self.journey.go(path)
        if prepare is not None:
            prepare(self.journey)
        self.journey.page.wait_for_load_state("load")
        self.journey.page.screenshot(path=FOLDER / f"{name}.png", animations="disabled", caret="hide")
        sys.stdout.write(f"docs/images/{name}.png\n")


@contextlib.contextmanager
def opened() -> Iterator[Showcase]:
    """A furnished server and a browser."""
    witness = Witness()
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        server = LiveServer(Path(folder), watch=witness.around)
        try:
            journey = Journey.begin(server, witness, browser, viewport=SIZE)
            journey.sign_in_as(server.first.admin)
            made = Showcase(server, journey)
            made.furnish()
            yield made
        finally:
            server.close()


def _create(journey: Journey) -> None:
    page = journey.page
    page.get_by_label("Description").fill("Release signing, Frankfurt")
    page.get_by_role("button", name="Create the token").click()
    page.locator("ww-once").wait_for()
    # A picture never holds a value, not even one of a server that is gone.
    page.evaluate(
        """() => { for (const one of document.querySelectorAll("[data-secret]"))
                     one.value = one.value.replace(/[.].*/, "." + "\u2022".repeat(60)); }"""
    )


def main() -> None:
    """Take all pictures."""
    FOLDER.mkdir(exist_ok=True)
    started = time.monotonic()
    with opened() as show:
        assert show.build is not None
        cluster = f"clusters/{show.server.first.cluster.id}"
        build = f"/acme/app/builds/{show.build.number}"
        show.take("overview", "")
        show.take("agents", f"{cluster}/agents")
        show.take("agent-tokens", f"{cluster}/tokens")
        show.take("new-token", f"{cluster}/tokens/new")
        show.take("value-once", f"{cluster}/tokens/new", _create)
        show.take("token", f"{cluster}/tokens/{show.token}")
        show.take("revoke", f"{cluster}/tokens/{show.token}/revoke")
        show.take("tokens", "tokens")
        show.take("job", f"{build}/jobs/{show.job}")
        show.take("security-policy", "settings")
        show.journey.page.evaluate("() => localStorage.setItem('watchword-theme', 'dark')")
        show.take("overview-dark", "")
    sys.stdout.write(f"{time.monotonic() - started:.0f} s\n")


if __name__ == "__main__":
    main()
