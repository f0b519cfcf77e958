"""Agents older than 3.39 know no job tokens: their session token serves the one job they run."""

import pytest

from services.scene import Scene
from watchword.domain.fleet import AgentState
from watchword.domain.tokens import Reason
from watchword.services.context import LOCAL


@pytest.mark.parametrize("version", ["3.38.0", "3.0", "2.6.10", "v3.1"])
def test_an_old_agent_gets_no_job_token_and_uses_its_session(scene: Scene, version: str) -> None:
    agent = scene.agent(version=version)
    accepted = scene.running(agent)
    assert accepted.value is None
    assert scene.job_reason(agent.value.reveal(), accepted.job) == ""
    assert scene.verify_job(agent.value.reveal(), accepted.job).id == accepted.job.id


@pytest.mark.parametrize("version", ["3.39.0", "3.100.0", "4.0.0-beta.15", "", "unknown"])
def test_a_new_agents_session_serves_no_job(scene: Scene, version: str) -> None:
    agent = scene.agent(version=version)
    accepted = scene.running(agent)
    assert accepted.value is not None
    assert scene.job_reason(accepted.value.reveal(), accepted.job) == ""
    assert scene.job_reason(agent.value.reveal(), accepted.job) == Reason.WRONG_KIND


def test_an_old_agents_session_serves_no_other_job(scene: Scene) -> None:
    agent, other = scene.agent(version="3.38.0"), scene.agent(name="other", version="3.38.0")
    mine, theirs = scene.running(agent), scene.running(other)
    waiting = scene.one_job()
    value = agent.value.reveal()
    assert scene.job_reason(value, theirs.job) == Reason.OTHER_JOB
    assert scene.job_reason(value, waiting) == Reason.OTHER_JOB
    assert scene.job_reason(value, mine.job) == ""


def test_an_old_agents_session_serves_its_job_until_that_ends(scene: Scene) -> None:
    agent = scene.agent(version="3.38.0")
    waiting = scene.one_job()
    assert scene.job_reason(agent.value.reveal(), waiting) != ""
    accepted = scene.accept(agent, waiting)
    assert scene.job_reason(agent.value.reveal(), waiting) == ""
    scene.finish(accepted.job)
    assert scene.job_reason(agent.value.reveal(), waiting) == Reason.OTHER_JOB
    assert scene.reason(agent.value.reveal()) == ""


def test_an_old_agents_session_ends_with_its_connection(scene: Scene) -> None:
    agent = scene.agent(version="3.38.0")
    accepted = scene.running(agent)
    scene.run(scene.authority.finisher.disconnect(LOCAL, agent.agent.id, AgentState.DISCONNECTED))
    assert scene.job_reason(agent.value.reveal(), accepted.job) == Reason.SESSION_ENDED


def test_the_setting_turns_it_off(scene: Scene) -> None:
    agent = scene.agent(version="3.38.0")
    accepted = scene.running(agent)
    scene.configure(session_on_job_routes=False)
    assert scene.job_reason(agent.value.reveal(), accepted.job) == Reason.WRONG_KIND
    assert scene.reason(agent.value.reveal()) == ""
    new = scene.agent(name="new")
    held = scene.running(new)
    assert held.value is not None
    assert scene.job_reason(held.value.reveal(), held.job) == ""
