"""The lifecycle machine with orders: agents are stopped, paused and resumed, jobs acquired and timed out.

A job is in one pair of hands at most, its token passes only while it is held, and none is lost: each
ends or waits. That is what the machine's invariants compare after every step.
"""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from properties.lifecycle_machine import ACTIONS, Lifecycle, action, addresses, houses, pick, picks, usable
from properties.lifecycle_model import INSIDE, SESSIONS, Hold, Machine, Task
from support import MINUTE_US
from watchword.domain.errors import Conflict, Forbidden, Invalid, Locked, NotFound
from watchword.domain.events import Action
from watchword.domain.pipelines import JobState
from watchword.services.context import LOCAL
from watchword.services.control import Pause

_EXTENSION = 60


class Ordered(Lifecycle):
    """The machine; whatever it does without orders, it does with them."""

    @rule(data=st.data())
    def orders(self, data: st.DataObject) -> None:
        self._do("orders", data)

    def _is_connected(self, agent: Machine) -> bool:
        return agent.connected and not agent.ended

    @action("orders", needs=lambda self: self.model.agents, number=picks, force=st.booleans())
    def stop(self, number: int, force: bool) -> None:  # noqa: FBT001 - drawn
        agent = pick(self.model.agents, number)
        controller = self.running.authority.controller
        found = self.attempt(controller.stop(LOCAL, agent.organization.id, agent.id, force=force))
        if not self._is_connected(agent):
            assert isinstance(found, Conflict), found
            return
        assert found is None, found
        self.model.stop(agent, self.now, force=force)

    @action(
        "orders",
        needs=lambda self: self.model.agents,
        number=picks,
        minutes=st.sampled_from([None, 1, 7, 1440, 1441, -1]),
        again=st.booleans(),
    )
    def pause(self, number: int, minutes: int | None, again: bool) -> None:  # noqa: FBT001 - drawn
        agent = pick(self.model.agents, number)
        controller, asked = self.running.authority.controller, Pause("why", minutes, again=again)
        found = self.attempt(controller.pause(LOCAL, agent.organization.id, agent.id, asked))
        if minutes in (1441, -1):
            assert isinstance(found, Invalid), found
        elif not self._is_connected(agent) or (agent.paused_until and not again):
            assert isinstance(found, Conflict), found
        else:
            assert found is None, found
            agent.paused_until = self.now + (minutes or 5) * MINUTE_US
            self.model.take_back(agent)
            agent.organization.events[Action.AGENT_PAUSED] += 1

    @action("orders", needs=lambda self: self.model.agents, number=picks)
    def resume(self, number: int) -> None:
        agent = pick(self.model.agents, number)
        controller = self.running.authority.controller
        found = self.attempt(controller.resume(LOCAL, agent.organization.id, agent.id))
        if not agent.paused_until:
            assert isinstance(found, Conflict), found
            return
        assert found is None, found
        self.model.resume(agent)

    @action(
        "orders",
        needs=lambda self: self.model.agents and self.model.tasks,
        agent=picks,
        task=picks,
        address=addresses,
    )
    def acquire(self, agent: int, task: int, address: str | None) -> None:
        self._acquire(pick(self.model.agents, agent), pick(self.model.tasks, task), address)

    @action(
        "orders",
        needs=lambda self: any(task.state is JobState.SCHEDULED for task in self.model.tasks),
        number=picks,
    )
    def acquire_what_waits(self, number: int) -> None:
        """An agent takes a job that may be on offer to another, which then comes with an accept."""
        task = pick([task for task in self.model.tasks if task.state is JobState.SCHEDULED], number)
        near = [
            agent
            for agent in self.model.agents
            if self._is_connected(agent)
            and (agent.organization, agent.cluster_id) == (task.organization, task.cluster_id)
        ]
        if not near:
            return
        agent = pick(near, number)
        offered, _ = self.model.offers.get(task, (None, 0))
        self._acquire(agent, task, usable(agent, SESSIONS, self.now))
        if offered is not None and offered is not agent:
            self._accept(offered, task, usable(offered, SESSIONS, self.now))

    def _acquire(self, agent: Machine, task: Task, address: str | None) -> None:
        if self.check(agent, SESSIONS, address) is None:
            return
        dispatcher = self.running.authority.dispatcher
        found = self.attempt(dispatcher.acquire(self.caller(address), agent.id, task.id))
        again = task.state is JobState.ACCEPTED and task.agent is agent
        parent = agent.parent
        assert parent is not None
        if (task.organization, task.cluster_id) != (agent.organization, agent.cluster_id):
            assert isinstance(found, NotFound), found
        elif not agent.connected:
            assert isinstance(found, Conflict), found
        elif again:
            self._note_taken(agent, task, found, again=True)
        elif parent.queue and parent.queue != task.queue:
            assert isinstance(found, Forbidden), found
        elif agent.job is not None or agent.stopping:
            assert isinstance(found, Conflict), found
        elif agent.paused_until:
            assert isinstance(found, Locked), found
        elif task.state is not JobState.SCHEDULED:
            assert isinstance(found, Conflict), found
        else:
            self._note_taken(agent, task, found, again=False)

    @action("orders", needs=lambda self: self.model.tokens, number=picks, stops=st.booleans())
    def an_order_outlives_the_process(self, number: int, stops: bool) -> None:  # noqa: FBT001 - drawn
        """An agent is paused or stopped, the server starts again, and a job waits for it."""
        agent = self._join(pick(self.model.tokens, number), "ordered", old=False)
        if agent is None or not agent.connected:
            return
        place = self.model.agents[::-1].index(agent)
        if stops:
            self.stop(place, force=False)
        else:
            self.pause(place, None, again=False)
        self.restart(flush=True, sweep=True)
        self._ping(agent)

    @action("orders", house=houses, own=st.sampled_from(["main", "none"]))
    def acquire_across_clusters(self, house: int, own: str) -> None:
        """A job of one cluster, or of none, is not for an agent of another, or of none."""
        home = self.model.houses[house]
        self._issue(home, own, 0, 0, 0, "", "", ())
        agent = self._join(self.model.tokens[-1], "across", old=False)
        self._build(home, "none" if own == "main" else "main", "", (), 1, 0)
        if agent is not None:
            self._acquire(agent, self.model.tasks[-1], INSIDE)

    def _come_late(self, hold: Hold) -> None:
        self._change_timeout(hold, 3, late=True)
        self._promise(hold, 1, late=True)
        super()._come_late(hold)

    @action(
        "orders",
        needs=lambda self: self.model.holds,
        number=picks,
        minutes=st.sampled_from([0, 1, 2, 5, 61, 62, 65, 66, 10_000_000]),
        late=st.booleans(),
    )
    def change_the_timeout(self, number: int, minutes: int, late: bool) -> None:  # noqa: FBT001 - drawn
        self._change_timeout(pick(self.model.holds, number), minutes, late=late)

    def _change_timeout(self, hold: Hold, minutes: int, *, late: bool) -> None:
        row = self._row(hold, None, late=late)
        if row is None:
            return
        task = hold.task
        found = self.attempt(self.running.authority.runner.change_timeout(LOCAL, row, minutes))
        initial = row.initial_timeout_minutes or row.timeout_minutes
        limit = initial + _EXTENSION if initial else 30 * 24 * 60
        if not 0 < minutes <= limit:
            assert isinstance(found, Invalid), found
        elif task.fence != row.fence or task.state not in (JobState.ACCEPTED, JobState.RUNNING):
            assert isinstance(found, Conflict), found
        else:
            assert found is None, found
            task.timeout, task.initial = minutes * MINUTE_US, initial
            task.organization.events[Action.JOB_UPDATED] += 1

    @action(
        "orders",
        needs=lambda self: any(hold.task.state.held for hold in self.model.holds),
        number=picks,
        minutes=st.integers(1, 6),
    )
    def a_job_runs_too_long(self, number: int, minutes: int) -> None:
        """It has one or two minutes, and its agent goes on living."""
        hold = pick([hold for hold in self.model.holds if hold.task.state.held], number)
        self._start(hold, None, late=False)
        self._change_timeout(hold, 1 + number % 2, late=False)
        self.time_passes(minutes, heard=True)

    @action(
        "orders",
        needs=lambda self: self.model.holds,
        number=picks,
        status=st.sampled_from([0, 1, 1, 2]),
        late=st.booleans(),
    )
    def promise_failure(self, number: int, status: int, late: bool) -> None:  # noqa: FBT001 - drawn
        self._promise(pick(self.model.holds, number), status, late=late)

    def _promise(self, hold: Hold, status: int, *, late: bool) -> None:
        row = self._row(hold, None, late=late)
        if row is None:
            return
        task = hold.task
        found = self.attempt(self.running.authority.runner.promise_failure(LOCAL, row, status, ""))
        runs = task.fence == row.fence and task.state.held and task.state is not JobState.ACCEPTED
        if not status:
            assert isinstance(found, Invalid), found
        elif not runs or task.promised not in (0, status):
            assert isinstance(found, Conflict), found
        else:
            assert found is None, found
            if not task.promised:
                task.organization.events[Action.JOB_FAILURE_PROMISED] += 1
            task.promised = status


# The one that shows what late calls do: it needs its turn among more groups, too.
ACTIONS["orders"].append(next(doing for doing in ACTIONS["jobs"] if doing.name == "a_job_changes_hands"))
