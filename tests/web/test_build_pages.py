"""Builds on the console: lists, new ones, a build's page, and what people do to it."""

import re
from collections.abc import AsyncIterator

import pytest

from console_client import Console
from support import World
from watchword.domain.ids import ArtifactId
from watchword.domain.pipelines import JobState
from watchword.services.artifactbytes import take
from watchword.services.artifacts import Announcement, File, Outcome, announce, find, settle
from watchword.services.links import DOWNLOADS
from web.build_scene import BuildScene

TWO = "steps: [{label: One, command: one}, {label: Two, command: two}]"
WHOLE = """
steps:
  - group: Tests
    steps:
      - { label: "Unit {{matrix}}", command: "test {{matrix}}", matrix: [a, b] }
  - wait
  - block: Release?
    key: gate
    prompt: Really <now>?
    fields:
      - { text: Version, key: version, hint: As in the tag. }
      - { text: Note, key: note, required: false, default: none }
      - select: Channels
        key: channels
        multiple: true
        options: [{ label: Stable, value: stable }, { label: Beta, value: beta }]
      - { select: Size, key: size, options: [{ label: Big, value: big }, { label: Small, value: small }] }
  - { label: Deploy, command: deploy }
"""


@pytest.fixture
def scene(world: World) -> BuildScene:
    return BuildScene(world)


def test_builds_are_listed_newest_first_and_narrowed(scene: BuildScene, admin: Console) -> None:
    pipeline = scene.pipeline()
    first = scene.build_of(pipeline, "The first <one>\nand more", "main")
    scene.build_of(pipeline, "The second", "feature/x")
    scene.ended(scene.jobs(first)[0])
    admin.get("/acme/app")
    text = admin.text()
    assert text.index("#2 The second") < text.index("#1 The first <one>")
    assert "and more" not in text
    for query, expected in (
        ("state=passed", ["1"]),
        ("branch=feature/*", ["2"]),
        ("branch=main&state=scheduled", []),
        ("", ["2", "1"]),
    ):
        page = admin.get(f"/acme/app/builds?{query}").text
        assert re.findall(r'href="/acme/app/builds/([0-9]+)"', page) == expected
    admin.get("/acme/app?state=failed")
    assert "No such builds" in admin.text()


def test_a_build_is_created_from_the_form(scene: BuildScene, admin: Console) -> None:
    scene.pipeline()
    page = admin.get("/acme/app/builds/new?message=Try%20it").text
    assert ('value="Try it"' in page, 'value="main"' in page) == (True, True)
    fields = {
        "message": "Ship it",
        "branch": "release",
        "commit": "abc123",
        "env": "A=1\r\nB=x=y\r\n",
        "clean_checkout": "1",
    }
    assert admin.post("/acme/app/builds", fields).headers["location"] == "/acme/app/builds/1"
    (build,) = scene.builds()
    assert (build.message, build.branch, build.commit, build.source) == ("Ship it", "release", "abc123", "ui")
    assert build.env == {"A": "1", "B": "x=y", "BUILDKITE_CLEAN_CHECKOUT": "true"}
    assert build.created_by == scene.first.admin.id
    assert scene.ping(scene.agent()) is not None


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"env": "nonsense"}, "invalid_env"),
        ({"env": "BUILDKITE_AGENT_ACCESS_TOKEN=x"}, "protected_variable"),
        ({"message": "x" * 70_000}, "too_long"),
        ({"branch": "x" * 300}, "too_long"),
    ],
)
def test_a_build_that_cannot_be_is_refused_with_what_was_typed(
    scene: BuildScene, admin: Console, fields: dict[str, str], code: str
) -> None:
    scene.pipeline()
    answer = admin.post("/acme/app/builds", {"message": "kept", **fields})
    assert answer.status_code == 422
    assert code in admin.text()
    assert next(iter(fields.values()))[:100] in answer.text
    assert scene.builds() == []


def test_a_pipeline_without_steps_says_so_before_and_after(scene: BuildScene, admin: Console) -> None:
    scene.pipeline("")
    assert "has no steps yet" in admin.get("/acme/app/builds/new").text
    assert admin.post("/acme/app/builds").status_code == 422
    assert "no_steps" in admin.text()


def test_a_build_shows_its_steps_in_order_with_groups_and_attempts(scene: BuildScene, admin: Console) -> None:
    build = scene.build_of(scene.pipeline(WHOLE), "Ship <it>")
    unit = scene.jobs(build)[0]
    scene.ended(unit, "3")
    admin.get("/acme/app/builds/1")
    text = admin.text().partition("Took")[2]
    places = [text.index(word) for word in ("Tests", "Unit a", "Unit b", "Wait", "Release?", "Deploy")]
    assert places == sorted(places)
    assert "Failed (3)" in text
    assert f'id="{unit.id}"' in admin.last.text
    assert "Ship &lt;it&gt;" in admin.last.text
    answer = admin.post(f"/acme/app/builds/1/jobs/{unit.id}/retry")
    again = next(job for job in scene.jobs(build) if job.retry_source == unit.id)
    assert answer.headers["location"] == f"/acme/app/builds/1/jobs/{again.id}?done=job-retried"
    admin.get("/acme/app/builds/1")
    text = admin.text()
    assert "Former attempts: 1, failed (3)" in text
    assert text.index("Unit a") < text.index("Unit b")


def test_jobs_are_narrowed_by_how_they_stand(scene: BuildScene, admin: Console) -> None:
    build = scene.build_of(scene.pipeline(TWO))
    one, two = scene.jobs(build)
    scene.ended(one, "1")
    for show, seen, unseen in (("failed", one, two), ("waiting", two, one)):
        page = admin.get(f"/acme/app/builds/1?show={show}").text
        assert (f'id="{seen.id}"' in page, f'id="{unseen.id}"' in page) == (True, False)
    admin.get("/acme/app/builds/1?show=running")
    assert "No such jobs" in admin.text()
    assert f'id="{one.id}"' in admin.get("/acme/app/builds/1?show=nonsense").text


def test_a_build_of_many_jobs_is_shown_in_pages(scene: BuildScene, admin: Console) -> None:
    scene.build_of(scene.pipeline("steps: [{command: x, parallelism: 201}]"))
    assert "(200 of 201)" in admin.get("/acme/app/builds/1").text
    assert "(201 of 201)" not in admin.last.text
    assert "(201 of 201)" in admin.get("/acme/app/builds/1?page=2").text


def test_annotations_are_formatted_and_nothing_in_them_acts(scene: BuildScene, admin: Console) -> None:
    job = scene.begin(scene.jobs(scene.build_of(scene.pipeline()))[0])
    scene.annotate(job, "**Look** <script>alert(1)</script><img src=x onerror=alert(1)>", "error")
    scene.annotate(job, "See [it](artifact://log/a%20b.txt)", context="other")
    page = admin.get("/acme/app/builds/1").text
    assert "<strong>Look</strong>" in page
    assert "note-bad" in page
    assert "alert(1)" not in page
    assert 'href="/acme/app/builds/1/artifacts?path=log/a%20b.txt"' in page


def test_a_build_is_canceled_retried_and_rebuilt(scene: BuildScene, admin: Console) -> None:
    build = scene.build_of(scene.pipeline(TWO))
    one, two = scene.jobs(build)
    scene.ended(one, "1")
    running = scene.begin(two)
    assert "Cancel the build" in admin.get("/acme/app/builds/1").text
    assert admin.post("/acme/app/builds/1/cancel").headers["location"].endswith("done=build-canceled")
    assert scene.job(two).state is JobState.CANCELING
    scene.finish(running, "-1")
    assert admin.post("/acme/app/builds/1/cancel").status_code == 422
    assert "build_ended" in admin.text()
    assert "Cancel the build" not in admin.get("/acme/app/builds/1").text
    assert "Retry failed jobs" in admin.last.text
    admin.post("/acme/app/builds/1/retry-failed")
    assert len(scene.jobs(build)) == 4
    assert admin.post("/acme/app/builds/1/rebuild").headers["location"] == (
        "/acme/app/builds/2?done=build-rebuilt"
    )
    admin.get("/acme/app/builds/2")
    assert "rebuilt from #1" in admin.text()


def test_a_job_is_canceled_and_what_cannot_be_done_is_said(scene: BuildScene, admin: Console) -> None:
    build = scene.build_of(scene.pipeline(TWO))
    one, _ = scene.jobs(build)
    assert admin.post(f"/acme/app/builds/1/jobs/{one.id}/cancel").status_code == 303
    assert scene.job(one).state is JobState.CANCELED
    assert admin.post(f"/acme/app/builds/1/jobs/{one.id}/cancel").status_code == 422
    assert "job_ended" in admin.text()
    assert "/acme/app/builds/1" in admin.links()


def test_a_block_is_unblocked_with_what_was_filled_in(scene: BuildScene, admin: Console) -> None:
    build = scene.build_of(scene.pipeline(WHOLE))
    gate = next(step for step in scene.steps(build) if step.step.key == "gate")
    path = f"/acme/app/builds/1/steps/{gate.id}"
    assert "nothing to unblock" in admin.get(path).text
    for job in scene.jobs(build)[:2]:
        scene.ended(job)
    assert path in admin.get("/acme/app/builds/1").text
    page = admin.get(path).text
    assert "Really &lt;now&gt;?" in page
    assert 'name="field-note"' in page
    assert 'value="none"' in page
    answer = admin.post(path, {"field-note": "x<y", "field-channels": ["stable", "beta"]})
    assert answer.status_code == 422
    assert "missing_field" in admin.text()
    assert 'value="x&lt;y"' in answer.text
    assert len(re.findall(r'type="checkbox"[^>]* checked', answer.text)) == 2
    fields = {
        "field-version": "1.2",
        "field-note": "",
        "field-channels": ["stable", "beta"],
        "field-size": "big",
    }
    assert admin.post(path, fields).headers["location"] == "/acme/app/builds/1?done=step-unblocked"
    meta = scene.run(
        scene.world.store.read(lambda tx: tx.logs.all_meta_data(scene.organization_id, build.id))
    )
    assert dict(meta) == {"version": "1.2", "channels": "stable\nbeta", "size": "big"}
    assert "Ada Admin" in admin.get("/acme/app/builds/1").text
    assert admin.post(path, fields).status_code == 422
    assert "not_blocked" in admin.text()


def test_artifacts_are_listed_and_lead_to_their_bytes(scene: BuildScene, admin: Console) -> None:
    job = scene.begin(scene.jobs(scene.build_of(scene.pipeline()))[0])
    assert "No artifacts" in admin.get("/acme/app/builds/1/artifacts").text
    context = scene.authority.context

    def kept(batch: int, path: str, **named: str) -> ArtifactId:
        files = [File(path, 5, url=named.get("url", ""))]
        batch_id = f"00000000-0000-4000-8000-00000000000{batch}"
        asked = Announcement(batch_id, files, upload_destination=named.get("upload_destination", ""))
        return scene.run(announce(context, job, asked, "")).artifacts[0].id

    ours = kept(1, "log/<a>.txt")
    theirs = kept(2, "b.txt", url="https://files.example/b", upload_destination="s3://bucket/x")
    script = kept(3, "c.txt", url="javascript://x", upload_destination="s3://bucket/x")
    page = admin.get("/acme/app/builds/1/artifacts").text
    assert "log/&lt;a&gt;.txt" in page
    assert "Uploading" in page
    assert admin.get(f"/acme/app/builds/1/artifacts/{ours}").status_code == 422

    async def arrive() -> None:
        artifact = await context.store.read(lambda tx: find(tx, scene.organization_id, ours))
        await take(context, artifact, 1, _bytes(b"hello"))
        await settle(
            context, job, [Outcome(one, finished=True, receipts={}) for one in (ours, theirs, script)]
        )

    scene.run(arrive())
    assert f"/acme/app/builds/1/artifacts/{ours}" in admin.get("/acme/app/builds/1/artifacts").text
    assert "3 artifacts" in admin.get("/acme/app/builds/1").text
    assert admin.get("/acme/app/builds/1/artifacts?path=log/<a>.txt").headers["location"].endswith(ours)
    assert admin.get("/acme/app/builds/1/artifacts?path=nothing").status_code == 404
    address = admin.get(f"/acme/app/builds/1/artifacts/{ours}")
    assert address.status_code == 302
    assert address.headers["location"].startswith(f"{DOWNLOADS}/{scene.organization_id}/{ours}?")
    elsewhere = admin.get(f"/acme/app/builds/1/artifacts/{theirs}")
    assert elsewhere.headers["location"] == "https://files.example/b"
    assert admin.get(f"/acme/app/builds/1/artifacts/{script}").status_code == 422


async def _bytes(data: bytes) -> AsyncIterator[bytes]:
    yield data


def test_what_is_of_another_build_or_pipeline_is_not_found(scene: BuildScene, admin: Console) -> None:
    first = scene.build_of(scene.pipeline(WHOLE))
    other = scene.pipeline(name="Other")
    scene.build_of(other)
    job, gate = scene.jobs(first)[0], scene.steps(first)[0]
    for path in (
        f"/acme/other/builds/1/jobs/{job.id}",
        f"/acme/other/builds/1/steps/{gate.id}",
        f"/acme/app/builds/1/steps/{gate.id}",
        f"/acme/app/builds/1/steps/{job.id}",
        f"/acme/app/builds/9/jobs/{job.id}",
        "/acme/app/builds/9",
        "/acme/app/builds/x",
        "/acme/nothing",
        "/acme/app/builds/1/jobs/x",
        "/acme/app/builds/1/artifacts/x",
    ):
        assert admin.get(path).status_code == 404, path
