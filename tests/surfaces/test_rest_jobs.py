"""Jobs over REST: environment, annotations by people, logs in every form, what a job shows, its agent."""

import pytest

from rest_client import Rest
from services.scene import Scene
from support import World
from watchword.domain.events import Action
from watchword.domain.pipelines import Job
from watchword.services.context import LOCAL
from watchword.services.logs import add_chunk


@pytest.fixture
def scene(world: World) -> Scene:
    return Scene(world)


def places(job: Job, number: int = 1) -> tuple[str, str]:
    """The two paths of a job."""
    return f"jobs/{job.id}", f"pipelines/app/builds/{number}/jobs/{job.id}"


def test_the_environment_is_what_the_agent_got(world: World, scene: Scene) -> None:
    rest = Rest(world)
    job = scene.one_job()
    for path in places(job):
        assert rest("GET", f"{path}/env").json() == {"env": {}}
    agent = scene.agent(tags=("local=yes",))
    accepted = scene.accept(agent, job)
    for path in places(job):
        answer = rest("GET", f"{path}/env")
        assert answer.json()["env"] == dict(accepted.env)
        assert accepted.value is not None
        assert accepted.value.reveal() not in answer.text
    assert answer.json()["env"]["BUILDKITE_AGENT_META_DATA_LOCAL"] == "yes"
    text = rest("GET", f"jobs/{job.id}/env.txt")
    assert text.headers["content-type"].startswith("text/plain")
    assert f'BUILDKITE_JOB_ID="{job.id}"' in text.text.splitlines()
    assert rest("GET", f"jobs/{job.id}/env", headers={"Accept": "text/plain"}).text == text.text
    assert rest("GET", "jobs/none/env").json()["message"] == "No job found"


def test_people_annotate_builds_and_jobs(world: World, scene: Scene) -> None:
    rest = Rest(world)
    job = scene.one_job()
    build = "pipelines/app/builds/1/annotations"
    body = {"body": "<b>", "style": "info", "context": "greeting", "priority": 5}
    made = rest("POST", build, json=body)
    assert made.status_code == 201
    assert made.json() == {
        "id": made.json()["id"],
        "context": "greeting",
        "style": "info",
        "scope": "build",
        "job_id": None,
        "priority": 5,
        "body": "<b>",
        "body_html": "&lt;b&gt;",
        "created_at": "2027-01-15T08:00:00.000Z",
        "updated_at": "2027-01-15T08:00:00.000Z",
    }
    more = rest("POST", build, json={"body": "more", "context": "greeting", "append": True}).json()
    assert (more["id"], more["body"], more["style"]) == (made.json()["id"], "<b>more", "info")
    for path in places(job):
        on_job = rest("POST", f"{path}/annotations", json={"body": "x"}).json()
        assert (on_job["scope"], on_job["job_id"], on_job["context"]) == ("job", job.id, "default")
        assert [one["id"] for one in rest("GET", f"{path}/annotations").json()] == [on_job["id"]]
    assert [one["scope"] for one in rest("GET", build).json()] == ["build"]
    assert [one["scope"] for one in rest("GET", f"{build}?scope=job").json()] == ["job"]
    (first, _) = rest("GET", f"{build}?scope=all&omit_body=true").json()
    assert (first["body"], first["body_html"], first["context"]) == (None, None, "greeting")
    assert rest("GET", f"{build}?scope=none").status_code == 400
    assert rest("DELETE", f"jobs/{job.id}/annotations/{more['id']}").status_code == 404  # not the job's
    assert rest("DELETE", f"jobs/{job.id}/annotations/{on_job['id']}").status_code == 204
    assert rest("DELETE", f"{build}/{more['id']}").status_code == 204
    assert rest("DELETE", f"{build}/{more['id']}").json()["message"] == "No annotation found"
    assert rest("GET", f"{build}?scope=all").json() == []
    assert len(scene.events(Action.ANNOTATION_CREATED)) == 4
    assert len(scene.events(Action.ANNOTATION_DELETED)) == 2
    for wrong, code in (
        ({}, "body_missing"),
        ({"body": " "}, "body_missing"),
        ({"body": "x", "style": "loud"}, "invalid_style"),
        ({"body": "x", "priority": 11}, "invalid_priority"),
    ):
        answer = rest("POST", build, json=wrong)
        assert (answer.status_code, answer.json()["code"]) == (422, code)


def with_log(world: World, scene: Scene) -> Job:
    """A job that ended, with a log of twelve bytes."""
    accepted = scene.running(scene.agent())
    world.run(add_chunk(world.context, accepted.job, 1, 0, b"one\n<b>two\xff\n"))
    return scene.finish(accepted.job)


def test_a_log_comes_as_json_text_html_and_in_parts(world: World, scene: Scene) -> None:
    rest = Rest(world)
    job = with_log(world, scene)
    for place in places(job):
        path = f"{place}/log"
        head = rest("HEAD", path)
        assert (head.status_code, head.content) == (200, b"")
        assert (head.headers["content-length"], head.headers["accept-ranges"]) == ("12", "bytes")
        assert rest("GET", path).json()["size"] == 12
        page = rest("GET", f"{path}.html")
        assert page.headers["content-type"].startswith("text/html")
        assert page.text == "one\n&lt;b&gt;two\ufffd\n"
        assert page.headers["content-security-policy"] == "default-src 'none'"
        part = rest("GET", path, headers={"Accept": "text/plain", "Range": "bytes=-5"})
        assert (part.status_code, part.content) == (206, b"two\xff\n")
        assert part.headers["content-range"] == "bytes 7-11/12"
        whole = rest("GET", path, headers={"Accept": "text/plain", "Range": "bytes=-500"})
        assert (whole.status_code, whole.headers["content-range"]) == (206, "bytes 0-11/12")
        for accept, wanted in (
            ("text/plain", "bytes=0-3"),
            ("text/plain", "bytes=-0"),
            ("text/plain", "bytes=-1,-2"),
            ("application/json", "bytes=-5"),
        ):
            wrong = rest("GET", path, headers={"Accept": accept, "Range": wanted})
            assert (wrong.status_code, wrong.json()["code"]) == (400, "invalid_range")


def test_the_last_bytes_of_an_empty_log_are_out_of_range(world: World, scene: Scene) -> None:
    job = scene.one_job()
    asked = {"Accept": "text/plain", "Range": "bytes=-5"}
    assert Rest(world)("GET", f"jobs/{job.id}/log", headers=asked).status_code == 416


def test_a_deleted_log_is_gone_and_its_deletion_is_on_record(world: World, scene: Scene) -> None:
    rest = Rest(world)
    running = scene.running(scene.agent()).job
    refused = rest("DELETE", f"jobs/{running.id}/log")
    assert (refused.status_code, refused.json()["code"]) == (422, "job_not_ended")
    scene.finish(running)
    job = with_log(world, scene)
    gone = rest("DELETE", f"{places(job, 2)[1]}/log")
    assert (gone.status_code, gone.content) == (204, b"")
    for method, path in (("GET", "log"), ("GET", "log.txt"), ("GET", "log.html"), ("DELETE", "log")):
        answer = rest(method, f"jobs/{job.id}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (410, "log_expired")
    assert rest("HEAD", f"jobs/{job.id}/log").status_code == 410
    owner = world.first.organization.id
    assert list(world.run(world.store.read(lambda tx: tx.logs.chunks(owner, job.id)))) == []
    (event,) = scene.events(Action.LOG_DELETED)
    assert event.subject_id == job.id


def test_a_job_shows_its_promise_and_where_its_things_are(world: World, scene: Scene) -> None:
    rest = Rest(world)
    job = scene.running(scene.agent()).job
    world.run(world.authority.runner.promise_failure(LOCAL, job, 7, "tests failed"))
    shown = rest("GET", f"jobs/{job.id}").json()
    assert (shown["state"], shown["exit_status"]) == ("running", None)
    assert (shown["promised_exit_status"], shown["promised_exit_status_at"]) == (
        7,
        "2027-01-15T08:00:00.000Z",
    )
    assert shown["artifacts_url"] == f"{shown['log_url'].removesuffix('/log')}/artifacts"
    assert shown["cluster_queue_url"] == f"{shown['cluster_url']}/queues/{world.first.queue.id}"


def test_an_agent_shows_its_job_its_last_one_and_who_let_it_in(world: World, scene: Scene) -> None:
    rest = Rest(world)
    agent = scene.agent()
    shown = rest("GET", f"agents/{agent.agent.id}").json()
    assert (shown["job"], shown["last_job_finished_at"]) == (None, None)
    assert shown["creator"]["email"] == "admin@example.com"
    job = scene.running(agent).job
    (listed,) = rest("GET", "agents").json()
    assert (listed["job"]["id"], listed["job"]["state"]) == (job.id, "running")
    assert listed["job"]["agent"]["name"] == listed["name"]
    scene.forward(5)
    scene.finish(job)
    shown = rest("GET", f"agents/{agent.agent.id}").json()
    assert (shown["job"], shown["last_job_finished_at"]) == (None, "2027-01-15T08:00:05.000Z")
