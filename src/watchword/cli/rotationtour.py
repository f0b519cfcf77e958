"""`tour rotation`: 14 agents move to another token, are drained, and are cut, before your eyes."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from watchword.cli.childagent import start_crew
from watchword.cli.stage import PATIENCE, Stage
from watchword.crypto.values import Secret
from watchword.domain.ids import TokenId
from watchword.domain.lifecycle import Mode, Withdrawal
from watchword.domain.pipelines import Job
from watchword.domain.rotations import Rotation
from watchword.domain.tokens import MINUTE_US, Token
from watchword.services.context import LOCAL
from watchword.services.issuing import Issued
from watchword.services.rotating import Standing, Started
from watchword.services.withdrawing import Withdrawn
from watchword.store.base import Page, Transaction

AGENTS = 14
_HALF = AGENTS // 2
_BOUND_SECONDS = 0.1
_OK = 200
_AGAIN_SECONDS = 0.05
_PROBE_SECONDS = 0.002
_LEFT_WELL = 0


@dataclass(slots=True)
class Crew:
    """Agents of one process, and the file that holds their token."""

    process: asyncio.subprocess.Process
    token_file: Path

    def give(self, value: Secret) -> None:
        """Put another value into their file, as a whole."""
        _write(self.token_file, value)


def _write(path: Path, value: Secret) -> None:
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(value.reveal())
    fresh.replace(path)


@asynccontextmanager
async def _crews(stage: Stage, value: Secret, *sizes: int) -> AsyncIterator[list[Crew]]:
    """Agents in processes of their own; whoever is left at the end is told to go."""
    crews: list[Crew] = []
    try:
        for number, size in enumerate(sizes, 1):
            path = stage.folder / f"token-{number}"
            _write(path, value)
            url = stage.application.settings.public_url
            crews.append(Crew(await start_crew(url, path, stage.folder, f"crew-{number}", size), path))
        yield crews
    finally:
        for crew in crews:
            if crew.process.returncode is None:
                crew.process.terminate()
        for crew in crews:
            await asyncio.wait_for(crew.process.wait(), PATIENCE)


async def _until(holds: Callable[[], Awaitable[bool]]) -> bool:
    """Wait until something holds; False if it does not in time."""
    end = time.monotonic() + PATIENCE
    while not await holds():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(_AGAIN_SECONDS)
    return True


async def play_rotation(stage: Stage) -> None:
    """Play all of it."""
    stage.say(f"1. {AGENTS} agents join with one token")
    old = await stage.issue("tour machines")
    async with _crews(stage, old.value, _HALF, AGENTS - _HALF) as crews:
        everybody = await _connected(stage, AGENTS)
        stage.check(f"{AGENTS} agents are connected, in two processes", holds=everybody)
        started = await _rotate(stage, old, crews)
        await _reuse(stage, old, started)
        await _drain(stage, started.successor, crews)
    await _cut(stage)


async def _connected(stage: Stage, count: int) -> bool:
    fleet = stage.application.authority.fleet

    async def there() -> bool:
        return sum(live.connected for live in fleet.agents.values()) == count

    return await _until(there)


async def _rotate(stage: Stage, old: Issued, crews: Sequence[Crew]) -> Started:
    stage.say("2. Rotate the token while they work: both values work until the old one is provably unused")
    rotator = stage.application.authority.rotator
    build = await stage.build(*["sleep 1"] * AGENTS)
    started = await stage.write(
        lambda tx: rotator.start_in(tx, LOCAL, old.token, by=stage.first.admin.id, asker="tour")
    )
    stage.check(f"the successor is {started.value}", holds=True)
    for crew in crews:
        stage.check(
            "an agent that still comes with the old value is let in",
            holds=await _joins(stage, old.value) == "",
        )
        crew.give(started.value)
        stage.console.print("  the token file of seven agents has changed; they read it by themselves")
        await _follow(stage, old.token, (crews.index(crew) + 1) * _HALF)
    committed = await _until(lambda: _is_over(stage, old.token))
    rotation = await _rotation(stage, old.token)
    stage.check(f"committed on proof: {rotation.cause.value}", holds=committed and rotation.cause == "moved")
    stage.check(f"{AGENTS} agents are connected: none was locked out", holds=await _connected(stage, AGENTS))
    _no_job_lost(stage, await stage.ended(build))
    return started


async def _follow(stage: Stage, token: Token, count: int) -> None:
    """Show how far the rotation is, until so many have moved."""
    said = ""

    async def moved() -> bool:
        nonlocal said
        progress = (await _standing(stage, token)).progress
        text = f"{progress.moved} of {progress.total} agents moved"
        if text != said and progress.total == AGENTS:
            said = text
            bar = "█" * progress.moved + "░" * progress.left
            stage.console.print(f"  {bar} {text}", highlight=False)
        return progress.moved >= count and progress.total == AGENTS

    await _until(moved)


async def _standing(stage: Stage, token: Token) -> Standing:
    rotator = stage.application.authority.rotator
    rotation = await _rotation(stage, token)
    return await stage.read(lambda tx: rotator.standing_in(tx, rotation))


async def _rotation(stage: Stage, token: Token) -> Rotation:
    rotator = stage.application.authority.rotator
    return await stage.read(lambda tx: rotator.find_in(tx, token.organization_id, token.id))


async def _is_over(stage: Stage, token: Token) -> bool:
    return not (await _rotation(stage, token)).open


def _no_job_lost(stage: Stage, jobs: Sequence[Job]) -> None:
    passed = sum(job.passed for job in jobs)
    stage.check(f"{passed} of {len(jobs)} jobs passed: none was lost", holds=passed == len(jobs))


async def _reuse(stage: Stage, old: Issued, started: Started) -> None:
    stage.say("3. Somebody uses the old value (two minutes later)")
    stage.clock.shift += 2 * MINUTE_US
    stage.check("it is refused: token_superseded", holds=await _joins(stage, old.value) == "token_superseded")
    first = stage.first.organization.id
    found = await stage.read(lambda tx: tx.incidents.list(first, Page()))
    addresses = ", ".join(found[0].addresses) if found else "?"
    stage.check(f"an incident is open; it was seen from {addresses}", holds=len(found) == 1)
    held = await _joins(stage, started.value)
    stage.check(f"new joins from that address are held back: {held}", holds=held == "token_quarantined")
    stage.check(f"all {AGENTS} agents stay connected", holds=await _connected(stage, AGENTS))
    alarms = stage.application.authority.alarms
    await stage.write(lambda tx: alarms.close_in(tx, LOCAL, found[0], None, "it was the tour"))
    stage.check("the incident is closed, joins go on", holds=await _joins(stage, started.value) == "")


async def _drain(stage: Stage, token: Token, crews: Sequence[Crew]) -> None:
    stage.say("4. Drain: every agent finishes its job, then leaves")
    build = await stage.build(*["sleep 2"] * AGENTS)
    await _working(stage)
    await _withdraw(stage, token, Mode.DRAIN)
    _no_job_lost(stage, await stage.ended(build))
    stage.check("no agent is left", holds=await _connected(stage, 0))
    codes = [await asyncio.wait_for(crew.process.wait(), PATIENCE) for crew in crews]
    stage.check("their processes have ended by themselves", holds=codes == [_LEFT_WELL] * len(codes))


async def _cut(stage: Stage) -> None:
    stage.say("5. Cut: sessions and jobs end now")
    issued = await stage.issue("machines that are to be cut off")
    async with _crews(stage, issued.value, AGENTS), _probe(stage) as probe:
        await _connected(stage, AGENTS)
        build = await stage.build(*["sleep 60"] * AGENTS)
        await _working(stage)
        session = await probe.join(issued.value)
        refused = asyncio.create_task(probe.refused(session))
        begun = time.monotonic()
        acknowledged = await _withdraw(stage, issued.token, Mode.CUT)
        at, status, code = await refused
        whole, after = (at - begun) * 1000, max(0.0, at - acknowledged) * 1000
        stage.check(
            f"{after:.0f} ms after its acknowledgement ({whole:.0f} ms after it was asked for) a session is"
            f" refused: {status} {code}",
            holds=code == "session_ended" and after < _BOUND_SECONDS * 1000,
        )
        stage.check(f"all {AGENTS} sessions are over", holds=not stage.application.authority.fleet.agents)
        jobs = await stage.ended(build)
        stage.check("their jobs have ended too", holds=not any(job.passed for job in jobs))


async def _working(stage: Stage) -> bool:
    """Wait until every agent has a job that runs."""
    held = stage.application.authority.dispatcher.held

    async def busy() -> bool:
        return sum(job.started_at > 0 for job in held.values()) == AGENTS

    return await _until(busy)


async def _withdraw(stage: Stage, token: Token, mode: Mode) -> float:
    """Revoke a token; the moment at which that was acknowledged."""
    revoker = stage.application.authority.revoker
    by = stage.first.admin.id

    async def work(tx: Transaction) -> Withdrawn:
        current = await tx.tokens.find(token.organization_id, TokenId(token.id))
        return await revoker.revoke_in(tx, LOCAL, current or token, by, Withdrawal(mode, 0, "tour"))

    done = await stage.write(work)
    acknowledged = time.monotonic()
    revoker.settle(done)
    await revoker.confirm(token.organization_id, done.revocation.id)
    return acknowledged


class _Probe:
    """A client of the agent API that says exactly what it wants to."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def join(self, value: Secret) -> str:
        """Register and connect; the session's value, or the code of the refusal after a `!`."""
        body = {"name": "latecomer", "hostname": "elsewhere", "version": "3.137.0", "meta_data": []}
        answer = await self._call("POST", "register", value.reveal(), body)
        if answer.status_code != _OK:
            return f"!{answer.json().get('code')}"
        session = str(answer.json()["access_token"])
        await self._call("POST", "connect", session)
        return session

    async def leave(self, session: str) -> None:
        """Disconnect."""
        await self._call("POST", "disconnect", session)

    async def refused(self, session: str) -> tuple[float, int, str]:
        """Ping until it is refused; the moment, the status and the code of that."""
        while (answer := await self._call("GET", "ping", session)).status_code == _OK:  # noqa: ASYNC110 - only asking tells
            await asyncio.sleep(_PROBE_SECONDS)
        return time.monotonic(), answer.status_code, str(answer.json().get("code", ""))

    async def _call(self, method: str, path: str, value: str, body: Any = None) -> httpx.Response:  # noqa: ANN401 - JSON
        headers = {"authorization": f"Token {value}"}
        return await self._http.request(method, f"/v3/{path}", headers=headers, json=body)


@asynccontextmanager
async def _probe(stage: Stage) -> AsyncIterator[_Probe]:
    async with httpx.AsyncClient(base_url=stage.application.settings.public_url, timeout=PATIENCE) as http:
        yield _Probe(http)


async def _joins(stage: Stage, value: Secret) -> str:
    """Join and leave; the code of the refusal, or nothing."""
    async with _probe(stage) as probe:
        session = await probe.join(value)
        if session.startswith("!"):
            return session[1:]
        await probe.leave(session)
        return ""
