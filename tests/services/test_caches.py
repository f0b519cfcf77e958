"""The index of caches: what a job saves, which jobs restore it, and what nobody can put before others."""

from typing import Any

import pytest

from services.scene import Scene
from support import World
from watchword.domain.caches import Address, KeyPart, Sharing, check_address
from watchword.domain.errors import Conflict, Malformed, NotFound
from watchword.domain.events import Action
from watchword.domain.pipelines import Job
from watchword.domain.quotas import Quotas
from watchword.domain.tokens import DAY_US
from watchword.services.builds import BuildRequest, CommandStep
from watchword.services.cacheregistries import create_registry
from watchword.services.context import LOCAL
from watchword.store.base import Transaction

DIGEST = "ab" * 32
FORK = {"id": "1", "base": "main", "repository": "https://git.example.com/mallory/app"}


@pytest.fixture
def scene(world: World) -> Scene:
    return Scene(world)


def running(scene: Scene, **request: Any) -> Job:
    """A job that runs, of a build of `app`."""
    scene.build("true")
    joined = scene.agent(name=f"agent-{scene.world.clock.now()}")
    scene.world.clock.forward(1)
    authority = scene.authority

    async def work(tx: Transaction) -> list[Job]:
        pipeline = await tx.builds.pipeline_by_slug(scene.organization_id, "app")
        assert pipeline is not None
        steps = (CommandStep(command="x"),)
        asked = BuildRequest(**request)
        return (await authority.builder.create_in(tx, LOCAL, pipeline, steps, asked, None))[1]

    (job,) = scene.run(scene.world.store.write(work))
    authority.builder.announce([job])
    scene.accept(joined, job)
    scene.start(scene.job(job))
    return scene.job(job)


def key(*parts: str, mandatory: int = 1, paths: tuple[str, ...] = ("node_modules",)) -> Address:
    return check_address(paths, [KeyPart(part, place < mandatory) for place, part in enumerate(parts)])


def announce(scene: Scene, job: Job, address: Address, slug: str = "~", size: int = 5) -> str:
    blobs = [("sha256", DIGEST, size, "zip")]
    return scene.run(scene.authority.caches.save(job, slug, address, blobs, "linux/amd64"))


def save(scene: Scene, job: Job, address: Address, slug: str = "~") -> bool:
    upload = announce(scene, job, address, slug)
    return scene.run(scene.authority.caches.commit(LOCAL, job, slug, upload))


def restored(scene: Scene, job: Job, address: Address, slug: str = "~") -> tuple[str, bool] | None:
    """By which job the found entry was saved, and whether it stands in."""
    try:
        found = scene.run(scene.authority.caches.retrieve(job, slug, address))
    except NotFound as error:
        assert error.message == "Cache entry not found"  # noqa: PT017 - the word is the wire's
        return None
    return found.entry.job_id, found.fallback


def registry(scene: Scene, name: str, sharing: Sharing) -> None:
    context, cluster = scene.authority.context, scene.first.cluster
    scene.run(
        context.store.write(lambda tx: create_registry(context, tx, LOCAL, cluster, name, sharing=sharing))
    )


def test_an_entry_is_there_once_it_is_committed_and_then_stays(scene: Scene) -> None:
    job, other = running(scene), running(scene)
    upload = announce(scene, job, key("a", "1"))
    assert restored(scene, job, key("a", "1")) is None
    assert scene.run(scene.authority.caches.commit(LOCAL, job, "~", upload))
    assert scene.run(scene.authority.caches.commit(LOCAL, job, "~", upload))  # repeated after a lost answer
    assert restored(scene, other, key("a", "1")) == (job.id, False)
    assert not save(scene, other, key("a", "1"))  # the first one's counts
    assert restored(scene, other, key("a", "1")) == (job.id, False)
    assert len(scene.events(Action.CACHE_ENTRY_SAVED)) == 1


def test_paths_are_a_set_and_a_key_is_a_list(scene: Scene) -> None:
    job = running(scene)
    save(scene, job, key("a", "b", paths=("x", "y", "x"), mandatory=2))
    assert restored(scene, job, key("a", "b", paths=("y", "x"), mandatory=2)) == (job.id, False)
    assert restored(scene, job, key("a", "b", paths=("x",), mandatory=2)) is None
    assert restored(scene, job, key("b", "a", paths=("x", "y"), mandatory=2)) is None


def test_the_newest_entry_whose_mandatory_parts_match_stands_in(scene: Scene) -> None:
    job = running(scene)
    save(scene, job, key("node", "old"))
    second = running(scene)
    save(scene, second, key("node", "new"))
    assert restored(scene, job, key("node", "none")) == (second.id, True)
    assert restored(scene, job, key("node", "old")) == (job.id, False)
    assert restored(scene, job, key("yarn", "none")) is None
    assert restored(scene, job, key("node", "none", mandatory=2)) is None
    assert restored(scene, job, key("node", "none", mandatory=0)) is None


def test_nothing_of_a_branch_a_tag_or_a_fork_comes_into_the_default_branch(scene: Scene) -> None:
    main = running(scene, branch="main")
    strangers = [
        running(scene, branch="topic"),
        running(scene, branch="main", pull_request=FORK),
        running(scene, branch="main", tag="main"),
    ]
    for place, job in enumerate(strangers):
        save(scene, job, key("k", str(place)))
        assert restored(scene, job, key("k", str(place))) == (job.id, False)
    assert restored(scene, main, key("k", "0")) is None
    assert restored(scene, strangers[1], key("k", "0")) != (strangers[0].id, False)
    save(scene, main, key("k", "m"))
    for job in strangers:
        assert restored(scene, job, key("k", "m")) == (main.id, False)  # the default branch's are for all
        assert not scene.run(scene.authority.caches.expire(LOCAL, job, "~", key("k", "m")))
    assert restored(scene, main, key("k", "m")) == (main.id, False)
    assert scene.run(scene.authority.caches.expire(LOCAL, main, "~", key("k", "m")))
    assert restored(scene, main, key("k", "m")) is None


def test_a_registry_may_share_more(scene: Scene) -> None:
    registry(scene, "Shared", Sharing.PIPELINE)
    registry(scene, "Everybody", Sharing.CLUSTER)
    fork, main = running(scene, branch="x", pull_request=FORK), running(scene, branch="main")
    for slug in ("shared", "everybody"):
        save(scene, fork, key("k"), slug)
        assert restored(scene, main, key("k"), slug) == (fork.id, False)
    assert restored(scene, main, key("k")) is None


def test_no_job_commits_what_another_announced_nor_into_another_registry(scene: Scene) -> None:
    registry(scene, "Other", Sharing.BRANCH)
    job, other = running(scene), running(scene)
    upload = announce(scene, job, key("a"))
    for who, slug, what in (
        (other, "~", upload),
        (job, "other", upload),
        (job, "~", "x"),
        (job, "~", job.id),
    ):
        with pytest.raises(NotFound):
            scene.run(scene.authority.caches.commit(LOCAL, who, slug, what))
    assert restored(scene, job, key("a")) is None


def test_entries_expire_after_their_last_use_and_are_swept(scene: Scene) -> None:
    job = running(scene)
    save(scene, job, key("a"))
    announce(scene, job, key("never"))
    scene.world.clock.forward(6 * DAY_US)
    assert restored(scene, job, key("a")) is not None
    scene.world.clock.forward(6 * DAY_US)
    assert restored(scene, job, key("a")) is not None
    scene.world.clock.forward(7 * DAY_US)
    assert restored(scene, job, key("a")) is None
    count = scene.world.store.read(lambda tx: tx.caches.load(job.organization_id, scene.first.cluster.id))
    scene.run(scene.authority.sweep(LOCAL))
    assert scene.run(count) == (0, 0)


def test_a_cluster_has_so_many_entries_and_bytes(scene: Scene) -> None:
    scene.configure(quotas=Quotas(cluster_cache_entries=2, cluster_cache_bytes=100))
    job = running(scene)
    announce(scene, job, key("a"), size=60)
    with pytest.raises(Conflict, match="as many entries or bytes"):
        announce(scene, job, key("b"), size=41)
    announce(scene, job, key("b"), size=40)
    with pytest.raises(Conflict, match="as many entries or bytes"):
        announce(scene, job, key("c"), size=0)


def test_an_unknown_registry_and_a_job_that_has_ended_get_nothing(scene: Scene) -> None:
    job = running(scene)
    with pytest.raises(NotFound, match="Cache registry not found"):
        scene.run(scene.authority.caches.registry(job, "none"))
    assert scene.run(scene.authority.caches.registry(job, "~")).slug == "default"
    ended = scene.finish(job)
    with pytest.raises(Conflict, match="while it runs"):
        scene.run(scene.authority.caches.registry(ended, "~"))


@pytest.mark.parametrize(
    ("paths", "parts"),
    [
        ((), ("a",)),
        (("x",), ()),
        (("",), ("a",)),
        (("x",), ("",)),
        (("x" * 5000,), ("a",)),
        (("x",) * 101, ("a",)),
    ],
)
def test_an_address_has_bounds(paths: tuple[str, ...], parts: tuple[str, ...]) -> None:
    with pytest.raises(Malformed):
        check_address(paths, [KeyPart(part) for part in parts])


def test_different_addresses_have_different_digests() -> None:
    seen = {
        address.exact
        for address in (
            check_address(["a", "b"], [KeyPart("c")]),
            check_address(["a"], [KeyPart("b"), KeyPart("c")]),
            check_address(["ab"], [KeyPart("c")]),
            check_address(["a", "b"], [KeyPart("c"), KeyPart("d")]),
            check_address(["a", "b"], [KeyPart("cd")]),
        )
    }
    assert len(seen) == 5
