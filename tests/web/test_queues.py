"""Queues of a cluster on the console."""

import pytest

from console_client import Console
from console_places import NOWHERE, cluster_at, maintainer_of, member_of, queue_at
from services.scene import Scene
from support import World
from watchword.domain.events import Action


@pytest.fixture
def scene(world: World) -> Scene:
    return Scene(world)


def test_a_cluster_opens_with_its_queues_in_the_frame_of_its_tabs(admin: Console, world: World) -> None:
    cluster = world.first.cluster
    answer = admin.get(f"clusters/{cluster.id}")
    assert answer.status_code == 200
    at = f"/organizations/acme/clusters/{cluster.id}"
    assert f'<a href="{at}" aria-current="page">Queues</a>' in answer.text
    for tab in ("agents", "tokens", "maintainers", "secrets", "settings"):
        assert f"{at}/{tab}" in admin.links()
    assert answer.text.count("<h1>") == 1


def test_what_is_nowhere_is_absent(admin: Console, world: World) -> None:
    for cluster in (NOWHERE, "nonsense"):
        assert admin.get(f"clusters/{cluster}").status_code == 404
    for page in ("", "/edit", "/pause", "/delete"):
        assert admin.get(f"clusters/{world.first.cluster.id}/queues/{NOWHERE}{page}").status_code == 404
        assert admin.post(f"clusters/{NOWHERE}/queues/{NOWHERE}{page or '/resume'}").status_code == 404


def test_lists_say_what_each_queue_and_cluster_has(admin: Console, scene: Scene) -> None:
    scene.queue("linux")
    scene.queue("idle")
    scene.register(tags=("queue=linux",))
    scene.agent(name="two", tags=("queue=linux",))
    busy = scene.agent(name="three")
    scene.running(busy)
    scene.build("true", "true", "true", agents=("queue=linux",))
    admin.get(cluster_at(scene.world))
    text = admin.text()
    assert "default ○ Default ● Dispatching 1 connected agents in default 1 busy agents in default 0" in text
    assert "linux ● Dispatching 1 connected agents in linux 0 3 waiting jobs in linux" in text
    assert "idle ● Dispatching 0 0 0" in text
    admin.get("clusters")
    assert (
        "3 2 connected agents of Default 1 busy agents of Default 3 1 agent tokens of Default" in admin.text()
    )
    assert "Unclustered" not in admin.text()


def test_unclustered_agents_are_listed_beside_clusters_where_there_are_any(
    admin: Console, scene: Scene
) -> None:
    token = scene.token(unclustered=True)
    scene.agent(token)
    admin.get("clusters")
    assert "Unclustered" in admin.text()
    assert "1 connected unclustered agents 0 0 1 unclustered agent tokens" in admin.text()


def test_a_queue_is_made_shown_and_changed(admin: Console, world: World) -> None:
    at = f"clusters/{world.first.cluster.id}/queues"
    assert admin.get(f"{at}/new").status_code == 200
    fields = {"key": "gpu", "description": "with <b>cards</b>", "affinity": "prefer-different"}
    answer = admin.post(at, fields, follow=True)
    assert answer.status_code == 200
    assert "The queue is created." in admin.text()
    assert "with &lt;b&gt;cards&lt;/b&gt;" in answer.text
    assert "goes to another agent than before" in admin.text()
    queue = queue_at(world, "gpu")
    assert 'value="prefer-different" checked' in admin.get(f"{queue}/edit").text
    changes = {"description": "new", "affinity": "prefer-warmest"}
    admin.post(f"{queue}/edit", changes, follow=True)
    assert "The queue is changed." in admin.text()
    assert "goes to whoever asks first" in admin.text()


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"key": "no blanks"}, "invalid_queue_key", "key"),
        ({"key": "default"}, "taken", "key"),
        ({"key": "x", "affinity": "any"}, "invalid_affinity", "affinity"),
    ],
)
def test_a_queue_that_does_not_fit_comes_again_with_what_was_typed(
    admin: Console, world: World, fields: dict[str, str], code: str, field: str
) -> None:
    answer = admin.post(f"clusters/{world.first.cluster.id}/queues", fields)
    assert answer.status_code == 422
    assert code in admin.text()
    assert f'href="#f-{field}"' in answer.text
    assert f'value="{fields["key"]}"' in answer.text


def test_a_queues_description_that_is_too_long_comes_again(admin: Console, world: World) -> None:
    answer = admin.post(f"{queue_at(world)}/edit", {"description": "x" * 1025})
    assert answer.status_code == 422
    assert 'href="#f-description"' in answer.text


def test_a_paused_queue_holds_its_jobs_back_until_it_is_resumed(admin: Console, scene: Scene) -> None:
    at = queue_at(scene.world)
    agent = scene.agent()
    scene.one_job()
    admin.get(f"{at}/pause")
    assert "1 waiting job waits longer" in admin.text()
    admin.post(f"{at}/pause", {"note": "<i>upgrade</i>"}, follow=True)
    assert "Dispatch is paused." in admin.text()
    assert "by Ada Admin: <i>upgrade</i>" in admin.text()
    assert scene.ping(agent) is None
    assert admin.post(f"{at}/pause", {"note": "again"}).status_code == 303
    admin.post(f"{at}/resume", follow=True)
    assert "Jobs are dispatched again." in admin.text()
    assert scene.ping(agent) is not None
    assert admin.post(f"{at}/resume").status_code == 303
    assert [len(scene.events(one)) for one in (Action.QUEUE_PAUSED, Action.QUEUE_RESUMED)] == [1, 1]


def test_a_note_that_is_too_long_comes_again(admin: Console, world: World) -> None:
    answer = admin.post(f"{queue_at(world)}/pause", {"note": "x" * 256})
    assert answer.status_code == 422
    assert 'href="#f-note"' in answer.text


def test_a_queues_page_shows_what_runs_and_what_comes_next(admin: Console, scene: Scene) -> None:
    scene.running(scene.agent())
    _, jobs = scene.build("make one", "make two")
    admin.get(queue_at(scene.world))
    assert "Running (1 job)" in admin.text()
    assert "Waiting (2 jobs), next first" in admin.text()
    assert admin.text().index("make one") < admin.text().index("make two")
    assert f"/acme/app/builds/2/jobs/{jobs[0].id}" in admin.links()


def test_a_queue_in_use_says_what_stands_against_its_deletion(admin: Console, scene: Scene) -> None:
    scene.queue("linux")
    at = queue_at(scene.world, "linux")
    scene.agent(tags=("queue=linux",))
    scene.one_job(agents=("queue=linux",))
    admin.get(f"{at}/delete")
    assert "1 agent serves it" in admin.text()
    assert "1 job waits in it" in admin.text()
    assert "Delete the queue</button>" not in admin.last.text
    assert admin.post(f"{at}/delete").status_code == 422
    assert "queue_has_agents" in admin.text()
    admin.get(f"{queue_at(scene.world)}/delete")
    assert "It is the cluster's default queue" in admin.text()


def test_a_queue_that_nobody_uses_is_deleted(admin: Console, scene: Scene) -> None:
    scene.queue("linux")
    at = queue_at(scene.world, "linux")
    assert "Delete the queue</button>" in admin.get(f"{at}/delete").text
    admin.post(f"{at}/delete", follow=True)
    assert "The queue is deleted." in admin.text()
    assert admin.get(at).status_code == 404


def test_members_see_queues_and_change_none(world: World) -> None:
    member, cluster, at = member_of(world), cluster_at(world), queue_at(world)
    for page in (cluster, at):
        assert member.get(page).status_code == 200
        assert not [link for link in member.links() if link.endswith(("/new", "/edit", "/pause", "/delete"))]
        assert "Agent Tokens" not in member.text()
        assert "Settings" not in member.text().partition("Maintainers")[2]
    for page in (f"{cluster}/queues/new", f"{at}/edit", f"{at}/pause", f"{at}/delete"):
        assert member.get(page).status_code == 403
    for page in (f"{cluster}/queues", f"{at}/edit", f"{at}/pause", f"{at}/resume", f"{at}/delete"):
        assert member.post(page, {"key": "x"}).status_code == 403


def test_maintainers_change_queues_of_their_cluster_alone(world: World, admin: Console) -> None:
    maintainer, at = maintainer_of(world), cluster_at(world)
    maintainer.get(at)
    assert f"/organizations/acme/{at}/queues/new" in maintainer.links()
    assert maintainer.post(f"{at}/queues", {"key": "theirs"}).status_code == 303
    other = admin.post("clusters", {"name": "Other"}).headers["location"].partition("?")[0]
    assert maintainer.post(f"{other}/queues", {"key": "theirs"}).status_code == 403
    theirs = queue_at(world, "theirs").rpartition("/")[2]
    assert maintainer.post(f"{other}/queues/{theirs}/pause").status_code == 403
    assert admin.post(f"{other}/queues/{theirs}/pause").status_code == 404
