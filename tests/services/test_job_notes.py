"""What a job writes down: meta-data and annotations, within its build and its limits."""

from typing import Any

import pytest

from services.scene import Scene
from watchword.domain.errors import Invalid, NotFound, TooLarge, WatchwordError
from watchword.domain.pipelines import MAX_ANNOTATION_BYTES, MAX_META_DATA_BYTES, Annotation, Job
from watchword.services.logs import (
    Note,
    add_chunk,
    annotate,
    build_for_job,
    read_meta_data,
    remove_annotation,
    set_meta_data,
)


def held(scene: Scene) -> Job:
    return scene.running(scene.agent()).job


def note(scene: Scene, job: Job, **named: Any) -> None:
    scene.run(annotate(scene.authority.context, job, Note(**named)))


def notes(scene: Scene, job: Job) -> list[Annotation]:
    return list(
        scene.run(scene.world.store.read(lambda tx: tx.logs.annotations(job.organization_id, job.build_id)))
    )


def data(scene: Scene, job: Job) -> dict[str, str]:
    return scene.run(read_meta_data(scene.authority.context, job.organization_id, job.build_id))


def test_an_annotation_is_made_and_changed_part_by_part(scene: Scene) -> None:
    job = held(scene)
    note(scene, job, body="one")
    (made,) = notes(scene, job)
    assert (made.context, made.body, made.style, made.priority, made.scope) == (
        "default",
        "one",
        "",
        3,
        "build",
    )
    scene.forward(5)
    note(scene, job, style="warning", priority=9)
    note(scene, job, body=" two", append=True)
    (changed,) = notes(scene, job)
    assert (changed.body, changed.style, changed.priority) == ("one two", "warning", 9)
    assert (changed.id, changed.created_at) == (made.id, made.created_at)
    assert changed.updated_at > made.updated_at
    note(scene, job, body="three")
    (replaced,) = notes(scene, job)
    assert (replaced.body, replaced.style) == ("three", "warning")


def test_contexts_and_scopes_are_apart(scene: Scene) -> None:
    job = held(scene)
    for context in ("default", "tests"):
        for scope in ("build", "job"):
            note(scene, job, body=f"{context} {scope}", context=context, scope=scope)
    assert sorted(one.body for one in notes(scene, job)) == [
        "default build",
        "default job",
        "tests build",
        "tests job",
    ]
    scene.run(remove_annotation(scene.authority.context, job, "tests", "job"))
    scene.run(remove_annotation(scene.authority.context, job, "tests", "job"))  # no error
    assert len(notes(scene, job)) == 3


@pytest.mark.parametrize(
    ("named", "error"),
    [
        ({}, Invalid),
        ({"style": "info"}, Invalid),
        ({"body": "x", "style": "loud"}, Invalid),
        ({"body": "x", "style": ""}, Invalid),
        ({"body": "x", "scope": "pipeline"}, Invalid),
        ({"body": "x", "context": "c" * 101}, Invalid),
        ({"body": "x", "priority": 0}, Invalid),
        ({"body": "x", "priority": 11}, Invalid),
        ({"body": "x" * (MAX_ANNOTATION_BYTES + 1)}, TooLarge),
        ({"body": "ä" * (MAX_ANNOTATION_BYTES // 2 + 1)}, TooLarge),
    ],
)
def test_an_unacceptable_annotation_leaves_nothing(
    scene: Scene, named: dict[str, Any], error: type[WatchwordError]
) -> None:
    job = held(scene)
    with pytest.raises(error):
        note(scene, job, **named)
    assert notes(scene, job) == []


def test_appending_stops_at_the_limit(scene: Scene) -> None:
    job = held(scene)
    note(scene, job, body="x" * (MAX_ANNOTATION_BYTES - 1))
    note(scene, job, body="y", append=True)
    with pytest.raises(TooLarge):
        note(scene, job, body="z", append=True)
    assert notes(scene, job)[0].body.endswith("xy")


def test_meta_data_is_set_all_or_none(scene: Scene) -> None:
    job = held(scene)
    context = scene.authority.context
    scene.run(set_meta_data(context, job, [("b", "1"), ("a", "2"), ("b", "3")]))
    assert data(scene, job) == {"a": "2", "b": "3"}
    with pytest.raises(Invalid):
        scene.run(set_meta_data(context, job, [("c", "4"), ("a", "")]))
    assert data(scene, job) == {"a": "2", "b": "3"}


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("", "x", Invalid),
        (" ", "x", Invalid),
        ("k" * 256, "x", Invalid),
        ("k", "", Invalid),
        ("k", " \n", Invalid),
        ("k", "x" * (MAX_META_DATA_BYTES + 1), TooLarge),
        ("k", "ä" * (MAX_META_DATA_BYTES // 2 + 1), TooLarge),
    ],
)
def test_unacceptable_meta_data_is_refused(
    scene: Scene, key: str, value: str, error: type[WatchwordError]
) -> None:
    job = held(scene)
    with pytest.raises(error):
        scene.run(set_meta_data(scene.authority.context, job, [(key, value)]))
    assert data(scene, job) == {}


@pytest.mark.parametrize(
    ("key", "value"), [("k" * 255, "x"), ("k", "x" * MAX_META_DATA_BYTES), ("ö/%", " x ")]
)
def test_meta_data_takes_what_is_within_its_limits(scene: Scene, key: str, value: str) -> None:
    job = held(scene)
    scene.run(set_meta_data(scene.authority.context, job, [(key, value)]))
    assert data(scene, job) == {key: value}


def test_a_job_that_ended_writes_nothing_more(scene: Scene) -> None:
    job = held(scene)
    scene.finish(job)
    context = scene.authority.context
    late = [
        annotate(context, job, Note(body="late")),
        remove_annotation(context, job, "default", "build"),
        set_meta_data(context, job, [("k", "late")]),
        add_chunk(context, job, 1, 0, b"late"),
    ]
    for work in late:
        with pytest.raises(NotFound) as caught:
            scene.run(work)
        assert caught.value.code == "job_ended"
    assert (notes(scene, job), data(scene, job), scene.job(job).log_size) == ([], {}, 0)


def test_a_former_holder_writes_nothing_more(scene: Scene) -> None:
    agent = scene.agent()
    accepted = scene.accept(agent, scene.one_job())
    scene.forward(180)
    scene.sweep()  # the agent is lost, its job waits again
    second = scene.accept(scene.agent(name="second"), accepted.job)
    context = scene.authority.context
    with pytest.raises(NotFound):
        scene.run(set_meta_data(context, accepted.job, [("k", "late")]))
    scene.run(set_meta_data(context, second.job, [("k", "mine")]))
    assert data(scene, second.job) == {"k": "mine"}


def test_a_job_reads_builds_of_its_own_cluster(scene: Scene) -> None:
    job = held(scene)
    context = scene.authority.context
    build, _ = scene.build("true")
    assert scene.run(build_for_job(context, job, build.id)) == (scene.organization_id, build.id)
    loose, _ = scene.build("true", unclustered=True)
    with pytest.raises(NotFound):
        scene.run(build_for_job(context, job, loose.id))
