"""Whole pipelines over REST: what they show, archiving, deletion, and what retention drops afterwards."""

import pytest

from rest_client import Rest
from services.scene import Scene
from support import World
from watchword.domain.events import Action
from watchword.services.house import House


@pytest.fixture
def scene(world: World) -> Scene:
    return Scene(world)


def create(rest: Rest, **more: object) -> dict[str, object]:
    body = {"name": "App", "repository": "git@github.com:acme/app.git", "steps": [{"command": "true"}]}
    answer = rest("POST", "pipelines", json={**body, **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, object] = answer.json()
    return made


def test_a_pipeline_shows_where_it_lives_and_what_of_it_has_not_ended(world: World, scene: Scene) -> None:
    rest = Rest(world)
    made = create(rest, tags=["backend", "go"])
    assert made["provider"] == {
        "id": "github",
        "webhook_url": "",
        "settings": {"repository": "acme/app"},
    }
    assert (made["tags"], made["visibility"], made["archived_at"]) == (["backend", "go"], "private", None)
    assert str(made["cluster_url"]).endswith(f"/clusters/{world.first.cluster.id}")

    def counts() -> list[int]:
        shown = rest("GET", "pipelines/app").json()
        (listed,) = rest("GET", "pipelines").json()
        names = ("scheduled_builds", "running_builds", "scheduled_jobs", "running_jobs", "waiting_jobs")
        assert shown == listed
        return [shown[f"{name}_count"] for name in names]

    assert counts() == [0, 0, 0, 0, 0]
    agent = scene.agent()
    scene.running(agent)
    scene.build("true", "true")
    assert counts() == [1, 1, 2, 1, 0]
    assert rest("GET", "pipelines/app/builds/1").json()["pipeline"]["running_jobs_count"] is None
    assert rest("PUT", "pipelines/app", json={"tags": []}).json()["tags"] == []


@pytest.mark.parametrize(
    ("repository", "provider", "name"),
    [
        ("https://github.com/acme/app.git", "github", "acme/app"),
        ("https://user@bitbucket.org/acme/app", "bitbucket", "acme/app"),
        ("git@gitlab.com:group/sub/app.git", "gitlab", "group/sub/app"),
        ("ssh://git@git.example.com/app.git", "unknown", None),
        ("none", "unknown", None),
    ],
)
def test_the_provider_is_told_by_the_address(
    world: World, repository: str, provider: str, name: str | None
) -> None:
    shown = create(Rest(world), repository=repository)["provider"]
    assert shown == {"id": provider, "webhook_url": "", "settings": {"repository": name} if name else {}}


def test_an_archived_pipeline_takes_no_builds_and_no_changes(world: World, scene: Scene) -> None:
    rest = Rest(world)
    create(rest)
    archived = rest("POST", "pipelines/app/archive")
    assert archived.status_code == 200
    assert archived.json()["archived_at"] == "2027-01-15T08:00:00.000Z"
    again = rest("POST", "pipelines/app/archive")
    assert (again.status_code, again.json()["message"]) == (422, "Pipeline could not be archived.")
    for method, path, body in (
        ("POST", "pipelines/app/builds", {"commit": "HEAD", "branch": "main"}),
        ("PATCH", "pipelines/app", {"name": "Other"}),
    ):
        refused = rest(method, path, json=body)
        assert (refused.status_code, refused.json()["code"]) == (422, "pipeline_archived")
    assert rest("POST", "pipelines/app/unarchive").json()["archived_at"] is None
    again = rest("POST", "pipelines/app/unarchive")
    assert (again.status_code, again.json()["message"]) == (422, "Pipeline could not be unarchived.")
    assert rest("POST", "pipelines/app/builds", json={"commit": "HEAD"}).status_code == 201
    assert len(scene.events(Action.PIPELINE_ARCHIVED)) == len(scene.events(Action.PIPELINE_UNARCHIVED)) == 1


def test_a_deleted_pipeline_is_gone_at_once_and_its_builds_in_time(world: World, scene: Scene) -> None:
    rest = Rest(world)
    create(rest)
    build, (job,) = scene.build("true")
    refused = rest("DELETE", "pipelines/app")
    assert (refused.status_code, refused.json()["code"]) == (422, "pipeline_has_builds")
    agent = scene.agent()
    accepted = scene.accept(agent, job)
    scene.start(accepted.job)
    scene.finish(accepted.job)
    gone = rest("DELETE", "pipelines/app")
    assert (gone.status_code, gone.content) == (204, b"")
    for path, message in (
        ("pipelines/app", "No pipeline found"),
        ("pipelines/app/builds/1", "No pipeline found"),
        (f"jobs/{job.id}", "No build found"),
    ):
        answer = rest("GET", path)
        assert (answer.status_code, answer.json()["message"]) == (404, message)
    assert rest("GET", "builds").json() == rest("GET", "pipelines").json() == []
    assert rest("DELETE", "pipelines/app").status_code == 404
    (event,) = scene.events(Action.PIPELINE_DELETED)
    assert event.subject_id == build.pipeline_id
    assert create(rest)["slug"] == "app"
    world.run(House(world.context).keep())
    owner = world.first.organization.id
    assert world.run(world.store.read(lambda tx: tx.builds.build(owner, build.id))) is None
    assert list(world.run(world.store.read(lambda tx: tx.pipelines.deleted(9)))) == []


def test_a_webhook_at_the_repositorys_host_is_refused_in_the_vendors_words(world: World) -> None:
    rest = Rest(world)
    create(rest)
    answer = rest("POST", "pipelines/app/webhook")
    text = "Auto-creating webhooks is not supported for your repository."
    assert (answer.status_code, answer.json()["message"]) == (422, text)
    assert rest("POST", "pipelines/none/webhook").status_code == 404
