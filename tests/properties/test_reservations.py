"""Lives of reserved jobs in random order: none is both reserved and offered, and none is lost."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from properties.property_profiles import examples
from services.scene import Scene
from support import World
from watchword.domain.errors import WatchwordError
from watchword.domain.pipelines import Job, JobState
from watchword.services.context import LOCAL
from watchword.services.stacks import StackReach, StackWish

STACKS = ("one", "two")
PLACES = st.integers(min_value=0, max_value=9)
_SECONDS = 60


class Reservations(RuleBasedStateMachine):
    """Two stacks, an agent that asks for work, agents that acquire; the model knows each job's state."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self.folder.name))
        self.scene = Scene(self.world)
        self.reach = StackReach.of(self.world.first.agent_token.token)
        for key in STACKS:
            wish = StackWish(key, "custom", "-", {})
            self.world.run(self.world.authority.stacks.register(LOCAL, self.reach, wish))
        self.agent = self.scene.agent()
        self.known: list[Job] = []
        self.state: dict[str, JobState] = {}
        self.owner: dict[str, str] = {}
        self.until: dict[str, int] = {}

    def teardown(self) -> None:
        self.world.close()
        self.folder.cleanup()

    def pick(self, place: int) -> Job:
        return self.known[place % len(self.known)]

    def passes(self, work: Callable[[], object]) -> bool:
        try:
            work()
        except WatchwordError:
            return False
        return True

    @rule()
    def build(self) -> None:
        job = self.scene.one_job()
        self.known.append(job)
        self.state[job.id] = JobState.SCHEDULED

    @precondition(lambda self: self.known)
    @rule(places=st.lists(PLACES, min_size=1, max_size=4), key=st.sampled_from(STACKS))
    def reserve(self, places: list[int], key: str) -> None:
        jobs = {self.pick(place).id for place in places}
        reserver = self.world.authority.reserver
        done = self.world.run(reserver.reserve(LOCAL, self.reach, key, sorted(jobs), _SECONDS))
        assert set(done.reserved) == {job for job in jobs if self.state[job] is JobState.SCHEDULED}
        for job in done.reserved:
            self.state[job], self.owner[job] = JobState.RESERVED, key
            self.until[job] = self.world.clock.now() + _SECONDS * 1_000_000

    @rule()
    def ask(self) -> None:
        offered = self.scene.ping(self.agent)
        assert offered is None or self.state[offered] is JobState.SCHEDULED

    @precondition(lambda self: self.known)
    @rule(place=PLACES)
    def accept(self, place: int) -> None:
        job = self.pick(place)
        was = self.state[job.id]
        if self.passes(lambda: self.scene.accept(self.agent, job)):
            assert was is JobState.SCHEDULED
            self.done(job)

    @precondition(lambda self: self.known)
    @rule(place=PLACES)
    def acquire(self, place: int) -> None:
        job = self.pick(place)
        was = self.state[job.id]
        dispatcher = self.world.authority.dispatcher
        took = self.passes(lambda: self.world.run(dispatcher.acquire(LOCAL, self.agent.agent.id, job.id)))
        assert took == (was in (JobState.SCHEDULED, JobState.RESERVED))
        if took:
            self.done(job)

    def done(self, job: Job) -> None:
        """The agent runs what it has taken to its end."""
        taken = self.scene.job(job)
        assert taken.state is JobState.ACCEPTED
        self.scene.start(taken)
        self.scene.finish(self.scene.job(job))
        self.state[job.id] = JobState.FINISHED

    @precondition(lambda self: self.known)
    @rule(place=PLACES, key=st.sampled_from(STACKS))
    def fail(self, place: int, key: str) -> None:
        job = self.pick(place)
        was = self.state[job.id]
        reserver = self.world.authority.reserver
        failed = self.passes(
            lambda: self.world.run(reserver.fail(LOCAL, self.reach, key, job.id, None, "no node"))
        )
        own = was is JobState.RESERVED and self.owner[job.id] == key
        assert failed == (own or was is JobState.SCHEDULED)
        if failed:
            self.state[job.id] = JobState.FINISHED

    @precondition(lambda self: self.known)
    @rule(place=PLACES)
    def cancel(self, place: int) -> None:
        job = self.pick(place)
        attempts, row = self.world.authority.attempts, self.scene.job(job)

        def cancel() -> None:
            work = self.world.store.write(lambda tx: attempts.cancel_in(tx, LOCAL, row))
            attempts.scheduler.settle(self.world.run(work)[1])

        if self.passes(cancel):
            self.state[job.id] = JobState.CANCELED

    @rule(seconds=st.sampled_from((1, 30, 61)))
    def wait(self, seconds: int) -> None:
        self.scene.forward(seconds)
        self.world.run(self.world.authority.reserver.sweep(LOCAL))
        for job, state in self.state.items():
            if state is JobState.RESERVED and self.until[job] <= self.world.clock.now():
                self.state[job] = JobState.SCHEDULED

    @rule()
    def restart(self) -> None:
        self.world.restart()

    @invariant()
    def memory_and_database_agree(self) -> None:
        lines = self.world.authority.dispatcher.lines
        waiting = {job for line in lines.waiting.values() for job in line.jobs}
        assert waiting == {job for job, state in self.state.items() if state is JobState.SCHEDULED}
        assert set(lines.offers) <= waiting
        for job in self.known:
            assert self.scene.job(job).state is self.state[job.id]


def test_no_job_is_both_reserved_and_offered_and_none_is_lost() -> None:
    bounded = settings(examples(20), stateful_step_count=24, phases=[Phase.generate])
    run_state_machine_as_test(Reservations, settings=bounded)
