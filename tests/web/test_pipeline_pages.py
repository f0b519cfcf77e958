"""Pipelines on the console: the list, new ones, their settings."""

import pytest

from console_client import Console, new_person
from support import World
from web.build_scene import BuildScene

STEPS = 'steps:\n  - label: "Test"\n    command: "make test"\n'


@pytest.fixture
def scene(world: World) -> BuildScene:
    return BuildScene(world)


def test_an_empty_list_says_what_a_pipeline_is(admin: Console) -> None:
    admin.get("pipelines")
    assert "No pipelines yet" in admin.text()
    assert "/organizations/acme/pipelines/new" in admin.links()


def test_pipelines_are_listed_with_their_latest_build_and_found_by_name(
    scene: BuildScene, admin: Console
) -> None:
    app, _ = scene.pipeline(), scene.pipeline(name="Other")
    scene.build_of(app, branch="release")
    admin.get("pipelines")
    assert "App #1 ○ Scheduled release" in admin.text()
    assert "Other none yet" in admin.text()
    assert {"/acme/app", "/acme/app/builds/1", "/acme/other"} <= set(admin.links())
    admin.get("pipelines?q=OTH")
    assert "/acme/other" in admin.links()
    assert "/acme/app" not in admin.links()
    admin.get("pipelines?q=nothing")
    assert "No such pipeline" in admin.text()


def test_a_pipeline_is_made_with_its_steps(scene: BuildScene, admin: Console) -> None:
    cluster = scene.first.cluster.id
    assert "make test" in admin.get("pipelines/new").text
    fields = {"name": "My App", "cluster": cluster, "configuration": STEPS, "description": "for <b>all</b>"}
    assert admin.post("pipelines", fields).headers["location"] == "/acme/my-app?done=pipeline-created"
    page = admin.get("/acme/my-app")
    assert "for &lt;b&gt;all&lt;/b&gt;" in page.text
    assert "No builds yet" in admin.text()
    again = admin.post("pipelines", fields)
    assert (again.status_code, 'value="My App"' in again.text) == (422, True)
    assert "taken" in admin.text()


def test_steps_that_cannot_be_read_come_again_with_what_is_wrong(scene: BuildScene, admin: Console) -> None:
    answer = admin.post("pipelines", {"name": "x", "configuration": "steps: [{comand: x}]"})
    assert answer.status_code == 422
    assert "invalid_pipeline" in admin.text()
    assert 'href="#f-configuration"' in answer.text
    assert "{comand: x}" in answer.text
    scene.pipeline()
    answer = admin.post("/acme/app/settings", {"name": "App", "configuration": "steps: ["})
    assert (answer.status_code, "invalid_yaml" in admin.text()) == (422, True)


def test_settings_are_shown_and_changed(scene: BuildScene, admin: Console) -> None:
    scene.pipeline(STEPS)
    assert "make test" in admin.get("/acme/app/settings").text
    fields = {"name": "Application", "configuration": STEPS.replace("test", "all"), "default_branch": "trunk"}
    assert admin.post("/acme/app/settings", fields).headers["location"] == (
        "/acme/app/settings?done=pipeline-updated"
    )
    page = admin.get("/acme/app/settings").text
    assert ("make all" in page, 'value="trunk"' in page, "Application" in page) == (True, True, True)


def test_an_archived_pipeline_takes_no_builds_until_it_is_brought_back(
    scene: BuildScene, admin: Console
) -> None:
    scene.pipeline()
    admin.post("/acme/app/settings/archive")
    admin.get("/acme/app")
    assert "Archived" in admin.text()
    assert "/acme/app/builds/new" not in admin.links()
    assert admin.post("/acme/app/builds").status_code == 422
    assert "pipeline_archived" in admin.text()
    assert admin.post("/acme/app/settings/archive").status_code == 422
    admin.post("/acme/app/settings/unarchive")
    assert admin.post("/acme/app/builds").status_code == 303


def test_deleting_asks_for_the_slug_and_for_builds_to_have_ended(scene: BuildScene, admin: Console) -> None:
    build = scene.build_of(scene.pipeline())
    assert admin.post("/acme/app/settings/delete", {"confirm": "App"}).status_code == 422
    assert "not_confirmed" in admin.text()
    assert admin.post("/acme/app/settings/delete", {"confirm": "app"}).status_code == 422
    assert "1 unfinished build" in admin.text()
    scene.ended(scene.jobs(build)[0])
    answer = admin.post("/acme/app/settings/delete", {"confirm": "app"})
    assert answer.headers["location"] == "/organizations/acme/pipelines?done=pipeline-deleted"
    assert admin.get("/acme/app").status_code == 404


def test_members_may_not_delete_a_pipeline(scene: BuildScene, world: World) -> None:
    scene.pipeline()
    member = Console(world)
    member.sign_in_as(new_person(world, "member@example.com"))
    assert "Delete the pipeline" not in member.get("/acme/app/settings").text
    assert member.post("/acme/app/settings/delete", {"confirm": "app"}).status_code == 403
