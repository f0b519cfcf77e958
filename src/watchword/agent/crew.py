"""The agents of one process: they register together, live side by side, and leave one by one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence

import httpx
from structlog.typing import FilteringBoundLogger

from watchword.agent.acquiring import REJECTED, Rejected
from watchword.agent.config import Settings
from watchword.agent.errors import AgentError, ApiError
from watchword.agent.health import Health, health_check
from watchword.agent.jobenv import OWN_COMMAND
from watchword.agent.lifecycle import run_hooks
from watchword.agent.loop import Shared, Worker
from watchword.agent.modes import Leaving
from watchword.agent.retry import Policy
from watchword.agent.stop import Stop, drop, unless
from watchword.agent.tokenkeeper import TokenKeeper


class Crew:
    """All agents of a process.

    Args:
        settings: their settings.
        keeper: the agent token.
        http: the client that carries all calls.
        policy: the clock and the attempts.
        log: the agent's own log.
        stop: how they are asked to leave.
        environ: the agent's environment, of which jobs get a few variables.
        own_command: how a job calls this agent.
    """

    def __init__(
        self,
        settings: Settings,
        keeper: TokenKeeper,
        http: httpx.AsyncClient,
        *,
        policy: Policy,
        log: FilteringBoundLogger,
        stop: Stop,
        environ: Mapping[str, str],
        own_command: Sequence[str] = OWN_COMMAND,
    ) -> None:
        self._shared = Shared(
            settings=settings,
            keeper=keeper,
            http=http,
            policy=policy,
            log=log,
            stop=stop,
            environ=environ,
            leaving=Leaving(settings, policy),
            health=Health(policy),
            own_command=own_command,
        )
        self._log = log
        self._workers = [Worker(self._shared, index) for index in range(1, settings.spawn + 1)]

    async def run(self) -> int:
        """Live until the last agent has left.

        Returns:
            The exit status of the process (contract sections 1.9 and 5.3): 0 after a wanted end; 1 if
            an agent ended against its will; 27 if the job to acquire was not to be had; that of the
            job if it is to be reflected.
        """
        shared = self._shared
        try:
            async with self._watching(), health_check(shared.health, shared.settings.health_check_addr):
                if not await self._register():
                    return 0
                return await self._serve()
        except AgentError as error:
            return self._ended(error)

    async def _register(self) -> bool:
        """Register every agent; if one is refused for good, none of them stays.

        Returns:
            False if there was a stop meanwhile; those that had registered have left then.

        Raises:
            AgentError: a registration was refused.
        """
        drain = self._shared.stop.drain
        tasks = [asyncio.create_task(unless(drain, worker.register())) for worker in self._workers]
        try:
            await asyncio.gather(*tasks)
        except AgentError:
            await drop(*tasks)
            await self._dismiss()
            raise
        if drain.is_set():
            await self._dismiss()
        return not drain.is_set()

    async def _dismiss(self) -> None:
        registered = [worker.online for worker in self._workers if worker.online is not None]
        await asyncio.gather(*(online.disconnect() for online in registered))

    async def _serve(self) -> int:
        """Let the agents live; hooks of the operator's run before the first and after the last."""
        sessions = [worker.online.session for worker in self._workers if worker.online is not None]
        names = [session.name or "" for session in sessions]
        identities = {
            "BUILDKITE_AGENT_IDS": ",".join(session.id or "" for session in sessions),
            "BUILDKITE_AGENT_NAMES": ",".join(names),
        }
        if not await self._hooks("agent-startup", identities):
            await self._dismiss()
            raise AgentError("the hook agent-startup failed")
        try:
            ends = await asyncio.gather(*(self._live(worker) for worker in self._workers))
        finally:
            await self._hooks("agent-shutdown", identities)
        return next((status for status in ends if status), 0)

    async def _hooks(self, name: str, variables: Mapping[str, str]) -> bool:
        jobs = self._shared.settings.jobs
        folders = [folder for folder in (jobs.hooks_path, *jobs.additional_hooks_paths) if folder is not None]
        return await run_hooks(name, folders, {**self._shared.environ, **variables}, self._log)

    async def _live(self, worker: Worker) -> int:
        try:
            await worker.live()
        except AgentError as error:
            return self._ended(error)
        return (worker.exit_status or 0) if self._shared.settings.reflect_exit_status else 0

    def _ended(self, error: AgentError) -> int:
        """Say why an agent ended against its will."""
        if isinstance(error, ApiError):
            code = {"code": error.code} if error.code else {}
            self._log.error(
                "the agent ends", reason=error.message, status=error.status or "no answer", **code
            )
        else:
            self._log.error("the agent ends", reason=str(error))
        return REJECTED if isinstance(error, Rejected) else 1

    @contextlib.asynccontextmanager
    async def _watching(self) -> AsyncIterator[None]:
        """Look for new values of the token beside the agents."""
        watch = asyncio.create_task(self._shared.keeper.watch(self._shared.settings.token_refresh))
        try:
            yield
        finally:
            await drop(watch)
