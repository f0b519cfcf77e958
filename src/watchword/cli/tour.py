"""`tour`: the life of a token in one minute, on a scratch folder, with a real server and a real agent."""

import asyncio

from cyclopts import App

from watchword.cli.stage import PATIENCE, Stage, play
from watchword.domain.tokens import MIN_LIFETIME_US
from watchword.services.context import LOCAL
from watchword.services.issuing import Issued
from watchword.services.revoking import revoke

_REFUSED = 1

app = App(name="tour", help="Play the life of a token, or a rotation, on a scratch folder.")


@app.default
def tour() -> None:
    """Play the life of a token: join, two jobs, revoke, expiry, leave.

    Everything happens in a temporary folder with a server of its own; nothing is left behind.
    """
    play(_play)


@app.command
def rotation() -> None:
    """Play a rotation, a drain and a cut with 14 agents: none locked out, no job lost, refusal at once.

    Everything happens in a temporary folder with a server of its own; nothing is left behind.
    """
    from watchword.cli.rotationtour import play_rotation  # noqa: PLC0415 - the other tour needs none of it

    play(play_rotation)


async def _play(stage: Stage) -> None:
    stage.say("1. Issue an agent token, and join with it")
    issued = await stage.issue("tour machines")
    stage.check(f"issued {issued.value}; only its digest is stored", holds=True)
    agent = await stage.agent(issued, "tourist")
    try:
        await _work(stage, issued)
        await _revoke(stage, issued)
        await _expire(stage)
    finally:
        agent.terminate()
        code = await asyncio.wait_for(agent.wait(), PATIENCE)
    stage.say("5. Leave")
    stage.check("the agent disconnected gracefully; its session token is dead", holds=code == 0)
    stage.check("no agent is left", holds=not stage.application.authority.fleet.agents)


async def _work(stage: Stage, issued: Issued) -> None:
    stage.say("2. Run two jobs, each with a token of its own")
    for number in ("one", "two"):
        job = await stage.run_job(f"echo job {number} says hello")
        text = await stage.log(job)
        stage.check(f"job {number}: passed; its token died with it", holds=job.passed)
        stage.check("its log is here", holds=f"job {number} says hello" in text)
    use = await stage.application.authority.ledger.last_used(issued.token.organization_id, issued.token.id)
    stage.check(f"the agent token was last used from {use.address if use else '?'}", holds=use is not None)


async def _revoke(stage: Stage, issued: Issued) -> None:
    stage.say("3. Revoke the agent token")
    context = stage.application.authority.context
    await context.store.write(
        lambda tx: revoke(context, tx, LOCAL, issued.token, stage.first.admin.id, "tour")
    )
    job = await stage.run_job("echo still here")
    stage.check("the connected agent goes on: it ran another job", holds=job.passed)
    await _refused(stage, issued, "revoked")


async def _expire(stage: Stage) -> None:
    stage.say("4. Let a token expire (ten minutes are skipped)")
    brief = await stage.issue("ten minutes", expires_in=MIN_LIFETIME_US + 1_000_000)
    stage.clock.shift += MIN_LIFETIME_US + 2_000_000
    await _refused(stage, brief, "expired")


async def _refused(stage: Stage, issued: Issued, word: str) -> None:
    process = await stage.agent(issued, "latecomer")
    output, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    said = output.decode(errors="replace")
    line = next((line.strip() for line in said.splitlines() if word in line), "")
    stage.check(f"a new agent is refused: {line}", holds=process.returncode == _REFUSED and bool(line))
    stage.check("the refusal shows no token", holds=issued.value.reveal() not in said)
