"""The stacks API as the client library of agent-stack-k8s calls it (contract agent-api §10.3)."""

from collections.abc import Iterator
from typing import Any

import pytest

from support import MINUTE_US, SECOND_US, Answer, Client, FakeAgent, FakeClock, LiveServer
from watchword.domain.accounts import Queue
from watchword.domain.ids import QueueId
from watchword.domain.pipelines import JobState
from watchword.domain.restrictions import Restrictions
from watchword.services.accounts import create_organization
from watchword.services.context import LOCAL

STACK = "/v3/stacks/k8s"
NOWHERE = "01900000-0000-7000-8000-000000000000"


@pytest.fixture
def clocked(tmp_path: object) -> Iterator[LiveServer]:
    made = LiveServer(tmp_path, FakeClock())  # type: ignore[arg-type]
    yield made
    made.close()


def value_of(server: LiveServer) -> str:
    return server.first.agent_token.value.reveal()


def stack(server: LiveServer, value: str = "", key: str = "k8s", **fields: Any) -> Client:
    """A client whose stack is registered; it sends what the Go library sends."""
    client = Client(server.url, value or value_of(server))
    body = {"key": key, "type": "kubernetes", "queue_key": "_default", "metadata": {}, **fields}
    assert client.call("POST", "/v3/stacks/register", body).status in (200, 201)
    return client


def listed(client: Client, query: str = "queue_key=_default") -> Any:
    answer = client.call("GET", f"{STACK}/scheduled-jobs?{query}")
    assert answer.status == 200, answer
    return answer.body


def reserve(client: Client, *job_ids: str, key: str = "k8s", **fields: Any) -> Any:
    path = f"/v3/stacks/{key}/scheduled-jobs/batch-reserve"
    answer = client.call("PUT", path, {"job_uuids": list(job_ids), **fields})
    assert answer.status == 200, answer
    return answer.body


def states(client: Client, *job_ids: str) -> Any:
    answer = client.call("POST", f"{STACK}/jobs/get-states", {"job_uuids": list(job_ids)})
    assert answer.status == 200, answer
    return answer.body["states"]


def forward(server: LiveServer, microseconds: int) -> None:
    assert server.clock is not None
    server.clock.forward(microseconds)
    server.run(server.authority.reserver.sweep(LOCAL))


def pause(server: LiveServer) -> None:
    context, owner = server.authority.context, server.first.organization.id
    controller = server.authority.controller

    async def work(tx: Any) -> Any:
        queue = await tx.accounts.queue(owner, QueueId(server.first.cluster.default_queue_id or ""))
        return await controller.pause_queue_in(tx, LOCAL, queue, "", None)

    controller.settle_queue(server.run(context.store.write(work)))


def test_a_stack_takes_a_job_from_its_list_to_an_agent_that_acquires_it(clocked: LiveServer) -> None:
    client = Client(clocked.url, value_of(clocked))
    wish = {"key": "k8s", "type": "kubernetes", "queue_key": "_default", "metadata": {"region": "x"}}
    registered = client.call("POST", "/v3/stacks/register", wish)
    assert registered.status == 201
    assert registered.body == {
        "id": registered.body["id"],
        "organization_uuid": clocked.first.organization.id,
        "key": "k8s",
        "type": "kubernetes",
        "cluster_queue_key": "default",
        "metadata": {"region": "x"},
        "last_connected_on": None,
        "state": "connected",
    }
    build, jobs = clocked.create_build("make")
    job = jobs[0].id
    found = listed(client, "queue_key=default&limit=1000")
    assert found["jobs"] == [
        {
            "id": job,
            "priority": 0,
            "agent_query_rules": list(jobs[0].rules),
            "scheduled_at": found["jobs"][0]["scheduled_at"],
            "pipeline": {"slug": "app", "uuid": build.pipeline_id},
            "build": {"number": 1, "branch": build.branch, "uuid": build.id},
            "step": {"key": ""},
        }
    ]
    assert found["jobs"][0]["scheduled_at"].endswith("Z")
    assert found["page_info"] == {"has_next_page": False, "end_cursor": None}
    queue = clocked.first.cluster.default_queue_id
    assert found["cluster_queue"] == {"id": queue, "dispatch_paused": False, "paused": False}
    polling = FakeAgent(clocked.url, value_of(clocked), name="polling").connect()
    assert polling.offered() == job  # and yet the stack gets it, for the agent did not accept in time
    assert reserve(client, job, NOWHERE, "nonsense") == {
        "reserved": [job],
        "not_reserved": [NOWHERE, "nonsense"],
    }
    assert polling.offered() == ""
    assert polling.call("PUT", f"/v3/jobs/{job}/accept").status == 422
    assert listed(client)["jobs"] == []
    shown = client.call("GET", f"{STACK}/jobs/{job}").body
    assert (shown["id"], shown["command"]) == (job, "make")
    assert shown["env"]["BUILDKITE_JOB_ID"] == job
    assert shown["env"]["BUILDKITE_PIPELINE_SLUG"] == "app"
    assert not [name for name in shown["env"] if name.startswith("BUILDKITE_AGENT_")]
    assert states(client, job, NOWHERE) == {job: "reserved"}
    pod = FakeAgent(clocked.url, value_of(clocked), name="pod", ignore_in_dispatches=True).connect()
    acquired = pod.call("PUT", f"/v3/jobs/{job}/acquire")
    assert acquired.status == 200
    pod.job_token = acquired.body["token"]
    assert states(client, job) == {job: "accepted"}
    assert pod.on_job("PUT", f"/v3/jobs/{job}/start", {}).status == 200
    assert pod.finish(job).status == 200
    assert states(client, job) == {job: "finished"}
    assert client.call("POST", f"{STACK}/deregister").status == 204
    assert client.call("POST", f"{STACK}/deregister").status == 204
    assert client.call("GET", f"{STACK}/scheduled-jobs?queue_key=default").status == 404
    assert client.call("POST", "/v3/stacks/register", wish).status == 200


@pytest.mark.parametrize("spelling", ["__default__", "_default", "~", "-", "default"])
def test_every_spelling_of_the_default_queue_is_taken(server: LiveServer, spelling: str) -> None:
    client = stack(server, queue_key=spelling)
    server.create_build("one")
    assert len(listed(client, f"queue_key={spelling}")["jobs"]) == 1


def test_lists_go_on_from_their_cursor(clocked: LiveServer) -> None:
    client = stack(clocked)
    for _ in range(5):
        assert clocked.clock is not None
        clocked.clock.forward(SECOND_US)
        clocked.create_build("one")
    seen, after = [], ""
    while True:
        page = listed(client, f"queue_key=_default&limit=2&after={after}")
        seen.append([job["build"]["number"] for job in page["jobs"]])
        after = page["page_info"]["end_cursor"]
        if not page["page_info"]["has_next_page"]:
            break
    assert seen == [[1, 2], [3, 4], [5]]
    assert after is None
    for query, status in (("after=x", 400), ("limit=x", 400), ("limit=0", 422), ("limit=1001", 422)):
        answer = client.call("GET", f"{STACK}/scheduled-jobs?queue_key=_default&{query}")
        assert (answer.status, bool(answer.body["message"])) == (status, True)


def test_a_reservation_ends_by_time_and_survives_a_restart(tmp_path: Any) -> None:
    clock = FakeClock()
    first = LiveServer(tmp_path, clock)
    client = stack(first)
    _, jobs = first.create_build("one", "two")
    one, two = (job.id for job in jobs)
    reserve(client, one, reservation_expiry_seconds=60)
    reserve(client, two)
    value, settings = value_of(first), first.settings
    first.close()
    second = LiveServer(tmp_path, clock, listen=settings.listen)
    try:
        client = Client(second.url, value)
        agent = FakeAgent(second.url, value).connect()
        forward(second, 59 * SECOND_US)
        assert agent.offered() == ""
        assert listed(client)["jobs"] == []
        forward(second, SECOND_US)
        assert agent.offered() == one
        assert [job["id"] for job in listed(client)["jobs"]] == [one]
        forward(second, 839 * SECOND_US)
        assert states(client, one, two) == {one: "scheduled", two: "reserved"}
        forward(second, SECOND_US)  # 900 seconds unless asked otherwise
        assert states(client, two) == {two: "scheduled"}
    finally:
        second.close()


@pytest.mark.parametrize("seconds", [-1, 3601])
def test_a_reservation_lasts_an_hour_at_most(server: LiveServer, seconds: int) -> None:
    client = stack(server)
    body = {"job_uuids": [NOWHERE], "reservation_expiry_seconds": seconds}
    assert client.call("PUT", f"{STACK}/scheduled-jobs/batch-reserve", body).status == 422
    body = {"job_uuids": [NOWHERE] * 1001}
    assert client.call("PUT", f"{STACK}/scheduled-jobs/batch-reserve", body).status == 422


def test_a_paused_queue_is_empty_and_says_so_twice(server: LiveServer) -> None:
    """The client library reads `paused`, the documentation says `dispatch_paused` (trap 27)."""
    client = stack(server)
    _, jobs = server.create_build("one")
    pause(server)
    found = listed(client)
    assert found["jobs"] == []
    assert (found["cluster_queue"]["paused"], found["cluster_queue"]["dispatch_paused"]) == (True, True)
    assert reserve(client, jobs[0].id)["not_reserved"] == [jobs[0].id]


def test_a_stack_gives_a_job_up_once_and_the_build_fails(clocked: LiveServer) -> None:
    client = stack(clocked)
    other = stack(clocked, key="other")
    build, jobs = clocked.create_build("one", "two", "three")
    one, two, three = (job.id for job in jobs)
    reserve(client, one)
    reserve(other, two, key="other")
    gone = {"detail": "no node has room", "exit_status": 7}
    assert client.call("POST", f"{STACK}/jobs/{two}/finish", gone).status == 422  # another's
    assert client.call("POST", f"{STACK}/jobs/{NOWHERE}/finish", gone).status == 404
    assert client.call("POST", f"{STACK}/jobs/{one}/finish", {"detail": "x" * 4097}).status == 422
    assert client.call("POST", f"{STACK}/jobs/{one}/finish", gone).status == 200
    assert client.call("POST", f"{STACK}/jobs/{one}/finish", gone).status == 422
    ended = clocked.job(one)
    assert (ended.state, ended.exit_status, ended.signal_reason) == (JobState.FINISHED, "7", "stack_error")
    assert ended.stack_error == "no node has room"
    # Not reserved, and without a status, which the Go library leaves out for 0: that is no success.
    assert client.call("POST", f"{STACK}/jobs/{three}/finish", {"detail": ""}).status == 200
    assert clocked.job(three).exit_status == "-1"
    agent = FakeAgent(clocked.url, value_of(clocked)).connect()
    assert agent.offered() == ""
    acquired = agent.call("PUT", f"/v3/jobs/{two}/acquire")
    agent.job_token = acquired.body["token"]
    agent.on_job("PUT", f"/v3/jobs/{two}/start", {})
    assert other.call("POST", f"/v3/stacks/other/jobs/{two}/finish", gone).status == 422  # an agent has it
    assert agent.finish(two).status == 200
    context = clocked.authority.context
    found = clocked.run(context.store.read(lambda tx: tx.builds.build(build.organization_id, build.id)))
    assert found is not None
    assert found.state.value == "failed"


def test_notifications_are_kept_but_for_those_that_are_told_by_their_place(clocked: LiveServer) -> None:
    client = stack(clocked)
    _, jobs = clocked.create_build("one")
    job = jobs[0].id
    assert clocked.clock is not None
    clocked.clock.forward(MINUTE_US)

    def note(detail: str = "Pod starting", job_uuid: str = job, **more: str) -> dict[str, str]:
        return {"job_uuid": job_uuid, "detail": detail, **more}

    def notify(*notes: dict[str, str]) -> Any:
        answer = client.call("POST", f"{STACK}/notifications", {"notifications": list(notes)})
        assert answer.status == 200, answer
        return answer.body["errors"]

    assert notify(note(), note("é" * 256), note(timestamp="2026-01-01T00:00:30.123456789Z")) in (
        [],
        [{"error": "timestamp is before the job was created", "indexes": [2]}],
        [{"error": "timestamp is in the future", "indexes": [2]}],
    )
    wrong = notify(
        note(),
        note(""),
        note("x" * 257),
        note(""),
        note(job_uuid=NOWHERE),
        note(timestamp="2999-01-01T00:00:00Z"),
        note(timestamp="1999-01-01T00:00:00Z"),
        note(timestamp="yesterday"),
    )
    assert wrong == [
        {"error": "detail is required", "indexes": [1, 3]},
        {"error": "detail exceeds its length limit of 256", "indexes": [2]},
        {"error": "job not found", "indexes": [4]},
        {"error": "timestamp is in the future", "indexes": [5]},
        {"error": "timestamp is before the job was created", "indexes": [6]},
        {"error": "timestamp is invalid", "indexes": [7]},
    ]
    kept = clocked.run(clocked.authority.stack_notes.of_job(clocked.first.organization.id, jobs[0].id))
    errors = notify(*[note()] * 100)
    assert errors == [
        {
            "error": "job stack notification count exceeded",
            "indexes": list(range(100 - len(kept), 100)),
        }
    ]
    too_many = {"notifications": [note()] * 1001}
    assert client.call("POST", f"{STACK}/notifications", too_many).status == 422


CALLS: dict[str, tuple[str, str, Any, int]] = {
    "list-scheduled-jobs": ("GET", f"{STACK}/scheduled-jobs?queue_key=_default", None, 10),
    "batch-reserve": ("PUT", f"{STACK}/scheduled-jobs/batch-reserve", {"job_uuids": []}, 10),
    "show-job": ("GET", f"{STACK}/jobs/{NOWHERE}", None, 1000),
    "batch-load-job-states": ("POST", f"{STACK}/jobs/get-states", {"job_uuids": []}, 20),
    "finish-job": ("POST", f"{STACK}/jobs/{NOWHERE}/finish", {"detail": "x"}, 100),
    "stack-notification": ("POST", f"{STACK}/notifications", {"notifications": []}, 200),
    "default": ("POST", f"{STACK}/deregister", None, 10),
}


@pytest.mark.parametrize("scope", list(CALLS))
def test_every_answer_tells_of_the_limit_of_its_call(clocked: LiveServer, scope: str) -> None:
    client = stack(clocked)
    method, path, body, limit = CALLS[scope]
    answer = client.call(method, path, body)
    told = {name: value for name, value in answer.headers.items() if name.startswith("ratelimit-")}
    assert told == {
        "ratelimit-scope": scope,
        "ratelimit-limit": str(limit),
        "ratelimit-remaining": str(limit - 1),
        "ratelimit-reset": "1",
    }


def test_a_limit_slides_and_is_each_stacks_own(clocked: LiveServer) -> None:
    client, other = stack(clocked), stack(clocked, key="other")
    assert clocked.clock is not None

    def ask(who: Client = client, key: str = "k8s") -> Answer:
        return who.call("GET", f"/v3/stacks/{key}/scheduled-jobs?queue_key=_default")

    for place in range(10):
        assert ask().status == 200
        if place == 4:
            clocked.clock.forward(SECOND_US // 2)
    refused = ask()
    assert refused.status == 429
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["ratelimit-remaining"] == "0"
    message = refused.body.pop("message")
    assert "wait 1 seconds" in message
    assert refused.body == {
        "code": "rate_limited",
        "scope": "list-scheduled-jobs",
        "limit": 10,
        "current": 11,
        "reset": 1,
    }
    assert ask(other, "other").status == 200
    clocked.clock.forward(SECOND_US // 2)  # the first five are a second old, the other five are not
    assert [ask().status for _ in range(6)] == [200] * 5 + [429]


def test_limits_can_be_changed_and_switched_off(tmp_path: Any) -> None:
    server = LiveServer(
        tmp_path, FakeClock(), limit_stack_list_jobs=0, limit_stack_job_states=1, max_organization_stacks=1
    )
    try:
        client = stack(server)
        assert {listed(client)["page_info"]["has_next_page"] for _ in range(30)} == {False}
        codes = [client.call("POST", f"{STACK}/jobs/get-states", {"job_uuids": []}).status for _ in range(2)]
        assert codes == [200, 429]
        second = {"key": "two", "type": "custom", "queue_key": "-"}
        assert client.call("POST", "/v3/stacks/register", second).status == 403
    finally:
        server.close()


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"key": ""}, 422),
        ({"key": "a b"}, 422),
        ({"key": "k" * 81}, 422),
        ({"type": "other"}, 422),
        ({"queue_key": "nowhere"}, 404),
        ({"metadata": {"k" * 65: "v"}}, 422),
        ({"metadata": {"k": "v" * 257}}, 422),
        ({"metadata": {str(number): "" for number in range(101)}}, 422),
        ({"metadata": None}, 201),
    ],
)
def test_registrations_are_checked(server: LiveServer, changes: dict[str, Any], status: int) -> None:
    body = {"key": "k8s", "type": "custom", "queue_key": "-", "metadata": {}, **changes}
    assert Client(server.url, value_of(server)).call("POST", "/v3/stacks/register", body).status == status


def test_what_a_token_does_not_reach_is_not_there(clocked: LiveServer) -> None:
    """Another organization's token, and one that is limited to another queue."""
    stack(clocked)
    _, jobs = clocked.create_build("one")
    job = jobs[0].id
    foreign = clocked.run(
        create_organization(clocked.authority.context, LOCAL, "other", "Other", "o@example.com", "Oda")
    )
    stranger = Client(clocked.url, foreign.agent_token.value.reveal())
    for method, path, body, _ in CALLS.values():
        answer = stranger.call(method, path, body)
        assert (answer.status, answer.body["code"]) == (404, "unknown_stack")
    stranger = stack(clocked, foreign.agent_token.value.reveal())
    assert listed(stranger)["jobs"] == []
    assert reserve(stranger, job)["not_reserved"] == [job]
    assert states(stranger, job) == {}
    shown = [stranger.call("GET", f"{STACK}/jobs/{each}") for each in (job, NOWHERE)]
    assert shown[0][:2] == shown[1][:2]
    context, cluster = clocked.authority.context, clocked.first.cluster
    deploy = Queue(
        cluster.organization_id,
        QueueId(NOWHERE),
        cluster.id,
        "deploy",
        "",
        False,
        7,
        None,
    )
    clocked.run(context.store.write(lambda tx: tx.accounts.add_queue(deploy)))
    narrow = clocked.issue(restrictions=Restrictions(queue="deploy")).value.reveal()
    limited = Client(clocked.url, narrow)
    wish = {"key": "n", "type": "custom", "queue_key": "default"}
    assert limited.call("POST", "/v3/stacks/register", wish).status == 404
    stack(clocked, narrow, key="n", queue_key="deploy")
    assert reserve(limited, job, key="n")["not_reserved"] == [job]
    assert states(limited, job) == {}
    assert limited.call("GET", f"{STACK}/scheduled-jobs?queue_key=default").status == 404
    assert limited.call("GET", f"{STACK}/jobs/{job}").status == 404


def test_silence_shows(clocked: LiveServer) -> None:
    client = stack(clocked)
    assert clocked.clock is not None

    def seen() -> list[str]:
        clock, first = clocked.authority.context.clock, clocked.first
        work = clocked.authority.stacks.of_cluster(first.organization.id, first.cluster.id)
        return [each.state(clock.now()).value for each, _ in clocked.run(work)]

    clocked.clock.forward(4 * MINUTE_US)
    listed(client)
    clocked.clock.forward(4 * MINUTE_US)
    assert seen() == ["connected"]
    clocked.run(clocked.authority.flush(everything=True))
    clocked.authority.stacks.polls.clear()
    assert seen() == ["connected"]  # as the database knows it
    clocked.clock.forward(2 * MINUTE_US)
    assert seen() == ["disconnected"]
    clocked.clock.forward(24 * 60 * MINUTE_US)
    assert seen() == ["lost"]
    assert client.call("POST", f"{STACK}/deregister").status == 204
    assert seen() == ["disconnected"]


def test_reserved_jobs_count_in_the_total_of_metrics_alone(server: LiveServer) -> None:
    """Agents are not wanted for them: an autoscaler would start one too many."""
    client = stack(server)
    _, jobs = server.create_build("one", "two")
    reserve(client, jobs[0].id)
    found = client.call("GET", "/v3/metrics").body["jobs"]
    assert found["queues"]["default"] == {"scheduled": 1, "running": 0, "waiting": 0, "total": 2}
    one = client.call("GET", "/v3/metrics/queue?name=default").body["jobs"]
    assert one == {"scheduled": 1, "running": 0, "waiting": 0, "total": 2}
