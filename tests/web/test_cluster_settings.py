"""Settings of a cluster on the console, and its end."""

import pytest

from console_client import Console, set_password
from console_places import NOWHERE, cluster_at, maintainer_of, member_of, queue_at
from services.scene import Scene
from support import World
from watchword.domain.accounts import Cluster
from watchword.domain.kinds import Kind
from watchword.domain.pipelines import Job
from watchword.domain.tokens import State
from watchword.services.accounts import add_queue
from watchword.services.builds import BuildRequest, CommandStep, create_pipeline
from watchword.services.context import LOCAL
from watchword.services.exchanging import Joined
from watchword.services.issuing import Issued, TokenRequest, issue_agent_token
from watchword.services.queries import Unit
from watchword.store.base import EVERYTHING
from watchword.web.rendering import emoji


@pytest.fixture
def scene(world: World) -> Scene:
    return Scene(world)


@pytest.fixture
def other(admin: Console) -> str:
    """Where a second cluster is."""
    return admin.post("clusters", {"name": "Other <b>farm</b>"}).headers["location"].partition("?")[0]


def test_name_words_color_and_default_queue_are_changed(admin: Console, scene: Scene) -> None:
    scene.queue("linux")
    queue = queue_at(scene.world, "linux").rpartition("/")[2]
    at = f"{cluster_at(scene.world)}/settings"
    assert 'value="Default"' in admin.get(at).text
    fields = {
        "name": "Farm",
        "description": "<i>words</i>",
        "emoji": ":rocket:",
        "color": "#A0b1C2",
        "default_queue": queue,
    }
    admin.post(at, fields, follow=True)
    assert "The cluster is changed." in admin.text()
    assert f'value="{queue}" selected' in admin.last.text
    answer = admin.get("clusters")
    assert "🚀" in answer.text
    assert 'fill="#A0b1C2"' in answer.text
    assert "&lt;i&gt;words&lt;/i&gt;" in answer.text
    assert "style=" not in answer.text
    admin.post(at, fields | {"default_queue": ""})
    assert 'value="" selected' in admin.get(at).text


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("name", "", "invalid_name"),
        ("description", "x" * 1025, "invalid_description"),
        ("emoji", "x" * 65, "invalid_emoji"),
        ("color", 'red" onload="x', "invalid_color"),
        ("default_queue", NOWHERE, "unknown_queue"),
    ],
)
def test_settings_that_do_not_fit_come_again_with_what_was_typed(
    admin: Console, world: World, field: str, value: str, code: str
) -> None:
    answer = admin.post(f"{cluster_at(world)}/settings", {"name": "Farm", "color": "", field: value})
    assert answer.status_code == 422
    assert code in admin.text()
    assert f'href="#f-{field}"' in answer.text
    assert "onload=" not in answer.text.replace("&#34; onload=", "")
    if code != "unknown_queue":
        fields = {"name": "New", "color": "", field: value}
        assert admin.post("clusters", fields).status_code == 422
        assert f'href="#f-{field}"' in admin.last.text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (":rocket:", "🚀"),
        ("🐧", "🐧"),
        (":linux:", ":linux:"),
        (":right-to-left_override:", ":right-to-left_override:"),
        (":latin_small_letter_a:", ":latin_small_letter_a:"),
        ("", ""),
        (":", ":"),
        ("words", "words"),
    ],
)
def test_names_of_signs_are_shown_as_signs_and_of_nothing_else(text: str, shown: str) -> None:
    assert emoji(text) == shown


def test_the_default_cluster_cannot_be_deleted(admin: Console, world: World) -> None:
    at = cluster_at(world)
    admin.get(f"{at}/settings")
    assert "which cannot be deleted" in admin.text()
    assert "Delete the cluster</button>" not in admin.get(f"{at}/delete").text
    assert admin.post(f"{at}/delete").status_code == 422
    assert "default_cluster" in admin.text()


def fill(scene: Scene, at: str) -> tuple[Cluster, Joined]:
    """Give a cluster a queue, and an agent with a token of its own."""
    context = scene.authority.context

    async def work(tx: Unit) -> tuple[Cluster, Issued]:
        clusters = await tx.accounts.clusters(scene.organization_id, EVERYTHING)
        cluster = next(one for one in clusters if one.id == at.rpartition("/")[2])
        await add_queue(context, tx, LOCAL, cluster, "default")
        request = TokenRequest(
            organization_id=scene.organization_id, cluster_id=cluster.id, description="for a test"
        )
        return cluster, await issue_agent_token(context, tx, LOCAL, request, scene.first.admin.id)

    cluster, issued = scene.run(context.store.write(work))
    return cluster, scene.agent(issued, tags=("queue=default",))


def test_a_cluster_that_nothing_hangs_on_is_deleted_without_typing(admin: Console, other: str) -> None:
    admin.get(f"{other}/delete")
    assert "0 agents are connected" in admin.text()
    assert "Type the cluster" not in admin.text()
    admin.post(f"{other}/delete", follow=True)
    assert "The cluster is deleted, and its agent tokens are revoked." in admin.text()
    assert admin.get(other).status_code == 404


def test_a_cluster_in_use_says_what_breaks_and_wants_its_name(
    admin: Console, scene: Scene, other: str
) -> None:
    cluster, _ = fill(scene, other)
    admin.get(f"{other}/delete")
    assert "1 agent is connected" in admin.text()
    assert "1 agent token is revoked" in admin.text()
    assert "0 pipelines cannot start builds" in admin.text()
    assert admin.post(f"{other}/delete", {"confirm": "Other"}).status_code == 422
    assert "not_confirmed" in admin.text()
    assert admin.get(other).status_code == 200
    assert admin.post(f"{other}/delete", {"confirm": cluster.name}).status_code == 303
    tokens = scene.run(
        scene.world.store.read(
            lambda tx: tx.tokens.list_in(
                scene.organization_id, Kind.AGENT, cluster.id, State.REVOKED, 1, EVERYTHING
            )
        )
    )
    assert len(tokens) == 1


def test_agents_of_a_deleted_cluster_keep_their_page_and_take_the_jobs_that_wait(
    admin: Console, scene: Scene, other: str
) -> None:
    cluster, agent = fill(scene, other)
    context = scene.authority.context

    async def work(tx: Unit) -> Job:
        pipeline = await create_pipeline(
            context, tx, LOCAL, scene.organization_id, "short", cluster_id=cluster.id
        )
        steps = (CommandStep(command="true", agents=("queue=default",)),)
        create = scene.authority.builder.create_in
        _, (job,) = await create(tx, LOCAL, pipeline, steps, BuildRequest(), None)
        return job

    job = scene.run(context.store.write(work))
    scene.authority.builder.announce([job])
    admin.get(f"{other}/delete")
    assert "1 job waits" in admin.text()
    assert "1 pipeline cannot start builds until it has another cluster: short" in admin.text()
    assert admin.post(f"{other}/delete", {"confirm": cluster.name}).status_code == 303
    assert scene.ping(agent) == job.id
    assert scene.accept(agent, job).job.id == job.id
    admin.get(f"agents/{agent.agent.id}")
    assert "deleted with its cluster" in admin.text()
    assert "Unclustered" not in admin.text()
    assert admin.get(f"agents/{agent.agent.id}/stop").status_code == 200


def test_a_deletion_asks_for_a_fresh_proof(world: World, other: str) -> None:
    set_password(world, world.first.admin)
    admin = Console(world)
    admin.sign_in_as(world.first.admin, fresh=False)
    assert "Delete the cluster</button>" in admin.get(f"{other}/delete").text
    answer = admin.post(f"{other}/delete")
    assert 'name="proof"' in answer.text
    assert admin.get(other).status_code == 200


def test_maintainers_change_settings_and_members_do_not(world: World) -> None:
    at = cluster_at(world)
    maintainer, member = maintainer_of(world), member_of(world)
    assert "Delete this cluster" not in maintainer.get(f"{at}/settings").text
    assert maintainer.post(f"{at}/settings", {"name": "Theirs"}).status_code == 303
    assert maintainer.get(f"{at}/delete").status_code == 403
    assert maintainer.post(f"{at}/delete").status_code == 403
    for path in ("settings", "delete"):
        assert member.get(f"{at}/{path}").status_code == 403
        assert member.post(f"{at}/{path}", {"name": "x"}).status_code == 403


def test_settings_of_what_is_nowhere_are_absent(admin: Console) -> None:
    for path in ("settings", "delete"):
        assert admin.get(f"clusters/{NOWHERE}/{path}").status_code == 404
        assert admin.post(f"clusters/{NOWHERE}/{path}", {"name": "x"}).status_code == 404
