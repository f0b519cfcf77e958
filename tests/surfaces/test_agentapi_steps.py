"""The agent API's pipeline uploads, steps and build cancel, as real agents call them."""

from typing import Any

from support import FakeAgent, LiveServer
from watchword.domain.environment import NO_REPOSITORY
from watchword.services.uploading import AT_ONCE

UUID = "01900000-0000-7000-8000-00000000000a"


def running(server: LiveServer) -> tuple[FakeAgent, str, Any]:
    """An agent in the middle of a job, and what it was given to run it."""
    build, _ = server.create_build("upload", "later")
    agent = FakeAgent(server.url, server.first.agent_token.value.reveal()).connect()
    job = agent.offered()
    given = agent.call("PUT", f"/v3/jobs/{job}/accept").body
    agent.job_token = given["token"]
    assert agent.on_job("PUT", f"/v3/jobs/{job}/start", {}).status == 200
    return agent, job, build.id


def test_an_upload_is_answered_at_once_and_its_steps_run_with_all_that_they_say(server: LiveServer) -> None:
    agent, job, build = running(server)
    step = {
        "command": "echo {{matrix}}",
        "key": "m",
        "matrix": ["a"],
        "secrets": None,
        "plugins": [{"p#v1": None}],
    }
    body = {"uuid": UUID, "pipeline": {"steps": [step], "env": {"A": "b"}}}
    path = f"/v3/jobs/{job}/pipelines"
    for query in (
        "?async=true",
        "",
        "?async=true",
    ):  # old agents do not ask for the background; repeated, too
        assert agent.on_job("POST", path + query, body).status == 200
    refused = agent.on_job("POST", path, {**body, "uuid": "v", "pipeline": {"steps": [{"comand": "x"}]}})
    assert refused.status == 422
    assert "Step 1" in refused.body["message"]
    assert agent.on_job("POST", path, {"uuid": "w"}).status in (400, 422)
    assert agent.on_job("GET", f"{path}/{UUID}").body == {"state": "applied", "message": ""}
    assert agent.on_job("GET", f"{path}/nothing").status == 404
    assert agent.finish(job).status == 200
    agent.run()  # the second job of the build, which waited longer
    job = agent.offered()
    given = agent.call("PUT", f"/v3/jobs/{job}/accept").body
    assert given["env"]["BUILDKITE_COMMAND"] == "echo a"
    assert given["env"]["A"] == "b"
    assert given["env"]["BUILDKITE_BUILD_ID"] == build
    assert given["env"]["BUILDKITE_PULL_REQUEST"] == "false"
    assert given["env"]["BUILDKITE_REPO"] == NO_REPOSITORY
    assert all(isinstance(value, str) for value in given["env"].values())
    # Trap 6: `secrets` is left out where it is null; the command is the one that was signed.
    assert given["step"] == {name: value for name, value in step.items() if name != "secrets"}
    assert given["matrix_permutation"] == {"": "a"}
    assert given["priority"] == 0
    assert given["runnable_at"].endswith("Z")


def test_a_large_upload_is_taken_for_later_and_its_place_is_told(server: LiveServer) -> None:
    agent, job, _ = running(server)
    path = f"/v3/jobs/{job}/pipelines"
    pipeline = {"steps": [{"command": "x", "skip": True}] * (AT_ONCE + 1)}
    taken = agent.on_job("POST", f"{path}?async=true", {"uuid": UUID, "pipeline": pipeline})
    assert taken.status == 202
    assert taken.headers["location"].endswith(f"jobs/{job}/pipelines/{UUID}")
    assert taken.headers["retry-after"] == "1"
    server.run(server.authority.uploader.work_off())
    assert agent.on_job("GET", f"{path}/{UUID}").body["state"] == "applied"
    assert agent.on_job("POST", path, {"uuid": "at once", "pipeline": pipeline}).status == 200


def test_steps_are_read_changed_and_cancelled_by_the_jobs_of_their_build(server: LiveServer) -> None:
    agent, job, build = running(server)
    steps = [{"command": "x", "key": "a:b-c", "label": "L", "depends_on": [], "env": {"A": "1"}}]
    agent.on_job("POST", f"/v3/jobs/{job}/pipelines", {"uuid": UUID, "pipeline": {"steps": steps}})
    key = "/v3/steps/a%3Ab-c"
    asked = {"build_id": build, "attribute": "label"}
    assert agent.on_job("POST", f"{key}/export", asked).body == {"output": "L"}
    whole = agent.on_job("POST", f"{key}/export", {"build_id": build, "format": "json"}).body["output"]
    assert '"env": {"A": "1"}' in whole
    assert agent.on_job("POST", "/v3/steps/none/export", asked).status == 404
    change = {"idempotency_uuid": "1", "build_id": build, "attribute": "label", "value": "+", "append": True}
    for _ in range(2):
        assert agent.on_job("PUT", key, change).status == 200
    assert agent.on_job("POST", f"{key}/export", asked).body == {"output": "L+"}
    cancel = {"build_id": build, "force": False, "force_grace_period": 15}
    assert agent.on_job("POST", f"{key}/cancel", cancel).body["uuid"]
    assert (
        agent.on_job("POST", f"{key}/export", {**asked, "attribute": "outcome"}).body["output"] == "canceled"
    )
    assert agent.on_job("POST", f"{key}/cancel", cancel).status == 422


def test_a_job_cancels_its_own_build_and_no_other(server: LiveServer) -> None:
    agent, job, build = running(server)
    assert agent.on_job("POST", "/v3/builds/01900000-0000-7000-8000-000000000000/cancel").status == 403
    assert agent.on_job("POST", f"/v3/builds/{build}/cancel").body == {"uuid": build}
    assert agent.on_job("GET", f"/v3/jobs/{job}").body == {"state": "canceling"}
    assert agent.finish(job, "-1").status == 200
    assert server.job(job).state == "canceled"
