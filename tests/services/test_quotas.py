"""Quotas: each refuses with a code of its own, or cuts off with a mark, and lets in again."""

import pytest

from services.scene import Scene
from watchword.domain.errors import Conflict, Invalid, TooMany
from watchword.domain.fleet import AgentState
from watchword.domain.pipelines import Job
from watchword.domain.quotas import Quotas
from watchword.services.context import LOCAL
from watchword.services.logs import add_chunk, log_limit, read_log
from watchword.services.tailing import read_tail

MARK = b"\r\n[The log is cut off here: it reached its limit of 10 bytes.]\r\n"


def limited(scene: Scene) -> Job:
    scene.configure(quotas=Quotas(job_log_bytes=10))
    return scene.running(scene.agent()).job


def send(scene: Scene, job: Job, sequence: int, offset: int, data: bytes) -> None:
    scene.run(add_chunk(scene.authority.context, scene.job(job), sequence, offset, data))


def read(scene: Scene, job: Job) -> bytes:
    context = scene.authority.context
    whole = scene.run(read_log(context, job))
    assert scene.run(read_tail(context, scene.job(job), 0)) == whole
    return whole


def test_a_log_within_its_limit_is_whole(scene: Scene) -> None:
    job = limited(scene)
    for sequence, offset, data in ((1, 0, b"01234"), (2, 5, b"56789"), (1, 0, b"01234")):
        send(scene, job, sequence, offset, data)
    assert read(scene, job) == b"0123456789"


def test_a_log_is_cut_off_at_its_limit_with_a_mark(scene: Scene) -> None:
    job = limited(scene)
    for sequence, offset, data in (
        (1, 0, b"01234"),
        (2, 5, b"56789abc"),
        (3, 13, b"def"),
        (2, 5, b"56789abc"),
    ):
        send(scene, job, sequence, offset, data)
    assert read(scene, job) == b"0123456789" + MARK
    assert scene.job(job).log_size == 10


def test_chunks_out_of_order_are_cut_off_alike(scene: Scene) -> None:
    job = limited(scene)
    for sequence, offset, data in ((3, 13, b"def"), (1, 0, b"01234")):
        send(scene, job, sequence, offset, data)
    # The hole before the mark may still be filled.
    assert scene.run(read_tail(scene.authority.context, scene.job(job), 0)) == b"01234"
    scene.finish(scene.job(job))
    assert scene.run(read_log(scene.authority.context, job)).endswith(MARK)


def test_many_chunks_at_one_place_take_no_more_than_the_limit(scene: Scene) -> None:
    job = limited(scene)
    for sequence in range(50):
        send(scene, job, sequence, 0, b"012345")
    assert scene.job(job).log_size <= 10


def test_no_limit_is_what_a_client_can_count(scene: Scene) -> None:
    scene.configure(quotas=Quotas(job_log_bytes=0))
    assert log_limit(scene.authority.context) == 2**53


def test_an_agent_more_than_allowed_waits_until_one_leaves(scene: Scene) -> None:
    scene.configure(quotas=Quotas(organization_agents=2))
    first = scene.agent(name="one")
    scene.agent(name="two")
    for _ in range(2):
        with pytest.raises(TooMany) as caught:
            scene.register(name="three")
        assert (caught.value.status, caught.value.code) == (429, "agent_quota")
    scene.run(scene.authority.finisher.disconnect(LOCAL, first.agent.id, AgentState.DISCONNECTED))
    scene.agent(name="three")
    with pytest.raises(TooMany):
        scene.register(name="four")
    scene.configure(quotas=Quotas(organization_agents=2))  # counted anew from the database
    with pytest.raises(TooMany):
        scene.register(name="four")


def test_no_limit_lets_everyone_in(scene: Scene) -> None:
    scene.configure(quotas=Quotas(organization_agents=0))
    for number in range(3):
        scene.agent(name=f"agent {number}")


def test_a_build_more_than_allowed_is_refused_until_one_ends(scene: Scene) -> None:
    scene.configure(quotas=Quotas(organization_builds=1))
    joined = scene.agent()
    job = scene.running(joined).job
    with pytest.raises(Conflict) as caught:
        scene.build("true")
    assert (caught.value.status, caught.value.code) == (422, "build_quota")
    scene.finish(job)
    assert scene.build("true")


def test_a_build_has_no_more_jobs_than_allowed(scene: Scene) -> None:
    scene.configure(quotas=Quotas(build_jobs=2))
    assert len(scene.build("one", "two")[1]) == 2
    with pytest.raises(Invalid) as caught:
        scene.build("one", "two", "three")
    assert (caught.value.status, caught.value.code) == (422, "job_quota")
