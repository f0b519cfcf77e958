"""Stacks on the console: the cluster's page, and what they did to jobs."""

from console_client import Console
from console_places import cluster_at
from rest_client import Rest
from services.scene import Scene
from support import MINUTE_US, World
from watchword.domain.pipelines import Job
from watchword.services.context import LOCAL
from watchword.services.stacknotes import Note
from watchword.services.stacks import StackReach, StackWish

PHRASE = "no node <b>has room</b>"


def reach_of(world: World) -> StackReach:
    return StackReach.of(world.first.agent_token.token)


def reserved_job(world: World) -> Job:
    authority, reach = world.authority, reach_of(world)
    world.run(authority.stacks.register(LOCAL, reach, StackWish("k8s", "kubernetes", "-", {})))
    job = Scene(world).one_job()
    world.run(authority.reserver.reserve(LOCAL, reach, "k8s", [job.id], 600))
    world.run(authority.stack_notes.add(reach, "k8s", [Note(job.id, "Pod <i>waits</i>")]))
    return job


def test_a_clusters_stacks_show_state_and_reservations(admin: Console, world: World) -> None:
    at = f"{cluster_at(world)}/stacks"
    admin.get(at)
    assert "No stacks yet" in admin.text()
    reserved_job(world)
    admin.get(at)
    for said in ("k8s", "Connected", "kubernetes", "never"):
        assert said in admin.text()
    world.clock.forward(6 * MINUTE_US)
    admin.get(at)
    assert "Disconnected" in admin.text()


def test_the_job_says_who_reserved_it_and_why_it_was_given_up(admin: Console, world: World) -> None:
    job = reserved_job(world)
    page = f"/acme/app/builds/1/jobs/{job.id}"
    admin.get(page)
    for said in ("Reserved by a stack", "reserved by the stack k8s until", "Pod <i>waits</i>"):
        assert said in admin.text()
    admin.get("/acme/app/builds/1")
    assert "Reserved by a stack" in admin.text()
    fail = world.authority.reserver.fail(LOCAL, reach_of(world), "k8s", job.id, None, PHRASE)
    world.run(fail)
    admin.get(page)
    assert f"Its stack could not start an agent: {PHRASE}" in admin.text()
    admin.get("/acme/app/builds/1")
    assert PHRASE in admin.text()


def test_rest_tells_the_same(world: World) -> None:
    rest = Rest(world)
    job = reserved_job(world)
    for path in (f"jobs/{job.id}", f"pipelines/app/builds/1/jobs/{job.id}"):
        assert rest("GET", path).json()["state"] == "reserved"
        told = rest("GET", f"{path}/stack").json()
        assert told == {
            "stack_id": Scene(world).job(job).reserved_by,
            "reserved_until": "2027-01-15T08:10:00.000Z",
            "error": None,
            "notifications": [
                {
                    "stack_id": told["stack_id"],
                    "detail": "Pod <i>waits</i>",
                    "timestamp": "2027-01-15T08:00:00.000Z",
                    "received_at": "2027-01-15T08:00:00.000Z",
                }
            ],
        }
    world.run(world.authority.reserver.fail(LOCAL, reach_of(world), "k8s", job.id, 3, PHRASE))
    told = rest("GET", f"jobs/{job.id}/stack").json()
    assert (told["error"], told["reserved_until"]) == (PHRASE, None)
    shown = rest("GET", f"jobs/{job.id}").json()
    assert (shown["state"], shown["exit_status"], shown["signal_reason"]) == ("failed", 3, "stack_error")
