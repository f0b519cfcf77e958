"""The local agent of `watchword up`: a child process that joins with a token for one use."""

import asyncio

from watchword.cli.childagent import start_agent
from watchword.domain.accounts import Organization
from watchword.domain.tokens import MINUTE_US
from watchword.services.authority import Authority
from watchword.services.context import LOCAL
from watchword.services.issuing import Issued, TokenRequest, issue_agent_token
from watchword.settings import Settings
from watchword.store.base import Transaction

_VALID_US = 15 * MINUTE_US


class LocalAgent:
    """Starts one agent beside the server and ends it with the server.

    Its token serves one registration within 15 minutes.
    """

    def __init__(self, authority: Authority, settings: Settings) -> None:
        self._authority = authority
        self._settings = settings
        self._task: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None

    def start(self) -> None:
        """Start it on the running loop."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Let it finish its job and leave; it is killed after ten seconds."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _run(self) -> None:
        issued = await self._issue()
        if issued is None:
            return
        builds = self._settings.data / "builds"
        self._process = await start_agent(self._settings.public_url, issued.value, builds, "local-%random")

    async def _issue(self) -> Issued | None:
        context = self._authority.context

        async def work(tx: Transaction) -> Issued | None:
            organizations: list[Organization] = list(await tx.accounts.organizations())
            if not organizations or organizations[0].default_cluster_id is None:
                return None
            request = TokenRequest(
                organization_id=organizations[0].id,
                cluster_id=organizations[0].default_cluster_id,
                description="Local agent of `watchword up` (one use)",
                expires_at=context.clock.now() + _VALID_US,
                max_uses=1,
            )
            return await issue_agent_token(context, tx, LOCAL, request, None)

        return await context.store.write(work)
