"""pybuildkite, unmodified, against a whole server: every class in scope and every method of it.

Quirks that it depends on (contract rest-graphql §4.3): slashes at the end, page=0 and per_page=100 on
every verb, no body or no content type means success, links cut at commas and ampersands.
"""

import datetime as dt
import gzip
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from pybuildkite.artifacts import Artifacts
from pybuildkite.buildkite import Buildkite
from pybuildkite.builds import Builds, BuildState
from pybuildkite.jobs import Jobs, LogFormat
from pybuildkite.pipelines import Pipelines

from support import Client, FakeAgent, LiveServer
from surfaces.artifact_agent import describe, exchange, form_of
from watchword.domain.scopes import ALL_SCOPES
from watchword.services.context import LOCAL
from watchword.services.issuing import issue_api_token

YAML = "steps:\n  - command: make\n    label: Make\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    made = LiveServer(tmp_path_factory.mktemp("pybuildkite"), limit_rest_user=0)
    yield made
    made.close()


def client(server: LiveServer, token: str = "") -> Buildkite:
    made = Buildkite()
    made.base_url = f"{server.url}/v2/"
    made.set_access_token(token or server.first.api_token.value.reveal())
    return made


@pytest.fixture(scope="module")
def buildkite(server: LiveServer) -> Buildkite:
    return client(server)


@pytest.fixture(scope="module")
def agent(server: LiveServer) -> FakeAgent:
    return FakeAgent(server.url, server.first.agent_token.value.reveal()).connect()


@pytest.fixture(scope="module")
def ran(buildkite: Buildkite, agent: FakeAgent) -> dict[str, Any]:
    """A build of the pipeline `ran` whose first job left a log, an artifact and an annotation and failed."""
    steps = [{"command": "make"}, {"command": "true"}, {"block": "Release?", "key": "release"}]
    pipelines: Pipelines = buildkite.pipelines()
    pipelines.create_pipeline("acme", "Ran", "git@example.com:ran.git", steps)
    builds: Builds = buildkite.builds()
    builds.create_build("acme", "ran", "a" * 40, "main", meta_data={"release": "1.1"})
    job = agent.accept()
    agent.on_job("PUT", f"/v3/jobs/{job}/start", {"started_at": "2026-01-01T00:00:00Z"})
    log = gzip.compress(b"one\n<two>\n")
    sent = agent.on_job(
        "POST",
        f"/v3/jobs/{job}/chunks?sequence=1&offset=0&size=10",
        log,
        headers={"Content-Type": "text/plain", "Content-Encoding": "gzip"},
    )
    assert sent.status < 300, sent
    note = {"body": "a note", "context": "note", "style": "info"}
    agent.on_job("POST", f"/v3/jobs/{job}/annotations", note)
    data = b"the bytes"
    announced = agent.on_job(
        "POST",
        f"/v3/jobs/{job}/artifacts",
        {"id": str(uuid.uuid4()), "artifacts": [describe("out/log.txt", data)]},
    )
    assert announced.status < 300, announced
    artifact = announced.body["artifact_ids"][0]
    url, kind, form = form_of(announced.body["upload_instructions"], "out/log.txt", data)
    assert exchange("POST", url, form, Content_Type=kind).status < 300
    agent.on_job("PUT", f"/v3/jobs/{job}/artifacts", {"artifacts": [{"id": artifact, "state": "finished"}]})
    agent.finish(job, "1")
    agent.run()  # the second job passes
    build = builds.get_build_by_number("acme", "ran", 1)
    return {"build": build, "job": job, "artifact": artifact}


def test_access_tokens(server: LiveServer) -> None:
    context, first = server.authority.context, server.first
    issued = server.run(
        context.store.write(
            lambda tx: issue_api_token(
                context, tx, LOCAL, first.organization.id, first.admin.id, "mine", ALL_SCOPES, 0
            )
        )
    )
    own = client(server, issued.value.reveal())
    shown = own.access_tokens().get_token()
    assert (shown["uuid"], shown["description"]) == (issued.token.id, "mine")
    assert "read_clusters" in shown["scopes"]
    assert own.access_tokens().revoke_token() is True
    with pytest.raises(requests.HTTPError, match="401"):
        own.access_tokens().get_token()


def test_organizations_users_meta_and_emojis(server: LiveServer, buildkite: Buildkite) -> None:
    (listed,) = buildkite.organizations().list_all()
    assert buildkite.organizations().get_org("acme") == listed
    assert listed["slug"] == "acme"
    assert buildkite.users().get_current_user()["email"] == "admin@example.com"
    assert buildkite.emojis().list_emojis("acme") == []
    nobody = Buildkite()
    nobody.base_url = f"{server.url}/v2/"
    assert isinstance(nobody.meta().get_meta_information()["webhook_ips"], list)
    with pytest.raises(requests.HTTPError, match="404"):
        buildkite.organizations().get_org("none")


def test_teams(server: LiveServer, buildkite: Buildkite) -> None:
    made = Client(server.url, server.first.api_token.value.reveal(), "Bearer").call(
        "POST", "/v2/organizations/acme/teams", {"name": "Platform"}
    )
    assert made.status == 201, made
    assert "platform" in [one["slug"] for one in buildkite.teams().list_teams("acme")]
    mine = buildkite.teams().list_teams("acme", user_id=server.first.admin.id, page=1, with_pagination=True)
    assert isinstance(mine.body, list)


def test_agents(server: LiveServer, buildkite: Buildkite, agent: FakeAgent) -> None:
    assert agent.registered.status == 200
    agents = buildkite.agents()
    other = FakeAgent(server.url, server.first.agent_token.value.reveal(), name="to stop").connect()
    assert {one["name"] for one in agents.list_all("acme")} >= {"a", "to stop"}
    (found,) = agents.list_all("acme", name="to stop", hostname="h", version="3.137.0")
    assert agents.get_agent("acme", found["id"])["connection_state"] == "connected"
    assert agents.list_all("acme", name="nobody") == []
    assert agents.stop_agent("acme", found["id"], force=False) is True
    assert other.call("GET", "/v3/ping").body["action"] == "disconnect"
    assert agents.get_agent("acme", found["id"])["connection_state"] == "stopping"
    with pytest.raises(requests.HTTPError, match="404"):
        agents.get_agent("acme", "none")


def test_pipelines(buildkite: Buildkite) -> None:
    pipelines: Pipelines = buildkite.pipelines()
    visual = pipelines.create_pipeline("acme", "Visual", "git@github.com:acme/visual.git")
    assert visual["steps"][0]["command"] == "buildkite-agent pipeline upload"
    assert visual["steps"][0]["name"] == ":pipeline:"
    assert visual["provider"]["id"] == "github"
    written = pipelines.create_yaml_pipeline(
        "acme", "Written", "git@example.com:w.git", YAML, default_branch="trunk"
    )
    assert (written["default_branch"], written["configuration"]) == ("trunk", YAML)
    assert pipelines.get_pipeline("acme", "written") == written
    changed = pipelines.update_pipeline("acme", "written", description="d", name="Renamed")
    assert (changed["description"], changed["name"], changed["slug"]) == ("d", "Renamed", "written")
    assert pipelines.archive_pipeline("acme", "written")["archived_at"] is not None
    assert pipelines.unarchive_pipeline("acme", "written")["archived_at"] is None
    assert {one["slug"] for one in pipelines.list_pipelines("acme")} >= {"visual", "written"}
    assert pipelines.delete_pipeline("acme", "written") is True
    with pytest.raises(requests.HTTPError, match="404"):
        pipelines.get_pipeline("acme", "written")
    with pytest.raises(requests.HTTPError, match="422"):
        pipelines.create_yaml_pipeline("acme", "Bad", "git@example.com:b.git", "steps: [")


def test_steps_of_the_visual_editor(buildkite: Buildkite) -> None:
    steps = [
        {"type": "script", "name": "Script", "command": "command.sh"},
        {"type": "waiter"},
        {"type": "manual", "label": "Go on?"},
    ]
    made = buildkite.pipelines().create_pipeline("acme", "Steps", "git@example.com:s.git", steps)
    assert [step["type"] for step in made["steps"]] == ["script", "waiter", "manual"]


def test_builds(buildkite: Buildkite) -> None:
    builds: Builds = buildkite.builds()
    buildkite.pipelines().create_yaml_pipeline("acme", "Builds", "git@example.com:b.git", YAML)
    made = builds.create_build(
        "acme",
        "builds",
        "c" * 40,
        "feature",
        author={"name": "A", "email": "a@example.com"},
        clean_checkout=True,
        env={"A": "b"},
        ignore_pipeline_branch_filters=True,
        message="m",
        meta_data={"key": "value"},
        pull_request_base_branch="main",
        pull_request_id=7,
        pull_request_repository="git@example.com:b.git",
        pull_request_labels=["bug"],
    )
    assert (made["author"]["name"], made["message"]) == ("A", "m")
    assert made["env"] == {"A": "b", "BUILDKITE_CLEAN_CHECKOUT": "true"}
    assert (made["meta_data"], made["pull_request"]["id"]) == ({"key": "value"}, "7")
    assert builds.get_build_by_number("acme", "builds", 1, include_retried_jobs=True)["id"] == made["id"]
    yesterday = dt.date(2020, 1, 1)
    for listed in (
        builds.list_all(branch="feature", states=[BuildState.SCHEDULED], created_from=yesterday),
        builds.list_all_for_org("acme", commit="c" * 40, meta_data={"key": "value"}),
        builds.list_all_for_pipeline(
            "acme",
            "builds",
            creator=made["creator"]["id"],
            states=[BuildState.SCHEDULED, BuildState.RUNNING],
            branch=["feature", "other"],
            include_retried_jobs=True,
        ),
    ):
        assert [one["id"] for one in listed] == [made["id"]]
    assert builds.list_all_for_org("acme", created_to=yesterday) == []
    assert builds.list_all(states=[BuildState.PASSED], finished_from=yesterday) == []
    assert builds.cancel_build("acme", "builds", 1)["state"] == "canceled"
    assert builds.list_all_for_pipeline("acme", "builds", states=[BuildState.FINISHED])
    again = builds.rebuild_build("acme", "builds", 1)
    assert (again["number"], again["rebuilt_from"]["number"]) == (2, 1)
    builds.cancel_build("acme", "builds", 2)
    with pytest.raises(requests.HTTPError, match="422"):
        builds.cancel_build("acme", "builds", 2)


def test_jobs(buildkite: Buildkite, ran: dict[str, Any], agent: FakeAgent) -> None:
    jobs: Jobs = buildkite.jobs()
    at = ("acme", "ran", 1, ran["job"])
    assert jobs.get_job_log(*at) == b"one\n&lt;two&gt;\n"
    assert jobs.get_job_log(*at, log_format=LogFormat.TEXT) == b"one\n<two>\n"
    assert jobs.get_job_log(*at, log_format=LogFormat.JSON)["size"] == 10
    assert jobs.get_job_environment_variables(*at)["env"]["BUILDKITE_JOB_ID"] == ran["job"]
    retried = jobs.retry_job(*at)
    assert (retried["retry_source"]["job_id"], retried["state"]) == (ran["job"], "scheduled")
    (gate,) = [one for one in ran["build"]["jobs"] if one["type"] == "manual"]
    agent.run()
    unblocked = jobs.unblock_job("acme", "ran", 1, gate["id"], {"name": "Ada"})
    assert unblocked["state"] == "unblocked"
    assert jobs.delete_job_log(*at) is True
    with pytest.raises(requests.HTTPError, match="410"):
        jobs.get_job_log(*at)


def test_annotations(buildkite: Buildkite, ran: dict[str, Any]) -> None:
    (note,) = buildkite.annotations().list_annotations("acme", "ran", ran["build"]["number"])
    assert (note["context"], note["body_html"], note["style"]) == ("note", "a note", "info")


def test_artifacts(buildkite: Buildkite, ran: dict[str, Any]) -> None:
    artifacts: Artifacts = buildkite.artifacts()
    (of_build,) = artifacts.list_artifacts_for_build("acme", "ran", 1)
    (of_job,) = artifacts.list_artifacts_for_job("acme", "ran", 1, ran["job"])
    shown = artifacts.get_artifact("acme", "ran", 1, ran["job"], ran["artifact"])
    assert of_build == of_job == shown
    assert (shown["path"], shown["file_size"], shown["state"]) == ("out/log.txt", 9, "finished")
    where = ("acme", "ran", 1, ran["job"], ran["artifact"])
    assert artifacts.download_artifact(*where) == b"the bytes"
    assert b"".join(artifacts.download_artifact(*where, as_stream=True)) == b"the bytes"


def test_pages_of_every_list(server: LiveServer, ran: dict[str, Any]) -> None:
    few = client(server)
    few.client.per_page = 1
    builds = few.builds()
    few.pipelines().create_pipeline("acme", "Paged", "git@example.com:p.git", [{"command": "true"}])
    for _ in range(3):
        builds.create_build("acme", "paged", "HEAD", "main")
    pages = [
        builds.list_all_for_pipeline("acme", "paged", page=page, with_pagination=True) for page in (1, 2, 3)
    ]
    assert [page.body[0]["number"] for page in pages] == [3, 2, 1]
    assert [(page.first_page, page.previous_page, page.next_page) for page in pages] == [
        (None, None, 2),
        (1, 1, 3),
        (1, 2, None),
    ]
    for number in (1, 2, 3):
        builds.cancel_build("acme", "paged", number)
    for page in (
        few.organizations().list_all(with_pagination=True),
        few.agents().list_all("acme", with_pagination=True),
        few.pipelines().list_pipelines("acme", with_pagination=True),
        few.emojis().list_emojis("acme", with_pagination=True),
        builds.list_all(with_pagination=True),
        builds.list_all_for_org("acme", states=[BuildState.CANCELED], with_pagination=True),
        few.annotations().list_annotations("acme", "ran", 1, with_pagination=True),
        few.artifacts().list_artifacts_for_build("acme", "ran", 1, with_pagination=True),
        few.artifacts().list_artifacts_for_job("acme", "ran", 1, ran["job"], with_pagination=True),
    ):
        assert isinstance(page.body, list)
        assert page.next_page in (None, 2)
