"""Rotations in whatever order of events: no holder is locked out while one is open, no retired value passes.

A model of a dozen lines says for every value whether it must pass; the real services must agree, also after
a restart. An incident holds back what the policy says and never ends a session.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from properties.property_profiles import examples
from services.rotation_scene import API, AWAY, HOME, Rotations
from services.scene import AGENT_TOKENS, SESSIONS, Scene
from support import World
from watchword.domain.errors import Conflict
from watchword.domain.fleet import AgentState
from watchword.domain.rotations import MIN_US
from watchword.domain.securitypolicy import ReuseResponse
from watchword.domain.tokens import State
from watchword.services.context import LOCAL
from watchword.services.exchanging import Joined
from watchword.services.issuing import Issued

addresses = st.sampled_from([HOME, AWAY])
picks = st.integers(0, 100)
THIEF = "203.0.113.66"


# One installation for all examples: each has a token of its own.
STAGE: list[Scene] = []


@pytest.fixture(scope="module", autouse=True)
def _stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    world = World(tmp_path_factory.mktemp("rotations"))
    STAGE[:] = [Scene(world)]
    yield
    world.close()


@dataclass
class Value:
    """One value of the chain, and whether it must pass."""

    issued: Issued
    state: State = State.ACTIVE


class Chain(RuleBasedStateMachine):
    """One token and its successors."""

    kinds: tuple[Any, ...] = ()
    shared = False

    def __init__(self) -> None:
        super().__init__()
        self.scene = STAGE[0]
        self.rotations = Rotations(self.scene)
        self.values: list[Value] = []
        self.open = False
        self.used = False
        self.deadline = 0
        self.agents: list[tuple[Value, Joined]] = []

    def teardown(self) -> None:
        if self.open:
            self.rotations.abort(self.newest.issued.token)
        for _, joined in self.agents:
            self.end(joined)
        for one in self.rotations.incidents():
            self.rotations.close(one)

    def end(self, joined: Joined) -> None:
        finisher = self.scene.authority.finisher
        self.scene.run(finisher.disconnect(LOCAL, joined.agent.id, AgentState.DISCONNECTED))

    def issue(self) -> Issued:
        raise NotImplementedError

    @initialize(response=st.sampled_from(list(ReuseResponse)))
    def begin(self, response: ReuseResponse) -> None:
        self.rotations.respond(response)
        self.values = [Value(self.issue())]

    # -- the model -----------------------------------------------------------------------------------

    @property
    def newest(self) -> Value:
        """The predecessor of an open rotation, else the last successor that was not aborted."""
        live = [one for one in self.values if one.state is State.ACTIVE]
        return live[0]

    @property
    def coming(self) -> Value:
        return self.values[-1]

    def commit(self) -> None:
        self.newest.state = State.SUPERSEDED
        self.open = False

    def settle(self) -> None:
        """What the rules say after whatever happened."""
        left = [one for one, _ in self.agents if one is self.newest]
        if self.open and self.used and not (self.shared and left):
            self.commit()

    def quarantined(self, value: Value, address: str) -> bool:
        held = [
            one
            for one in self.rotations.incidents()
            if one.state == "open" and value.issued.token.id in one.held
        ]
        return any(not one.shared or address in one.addresses for one in held)

    # -- what happens ----------------------------------------------------------------------------------

    @precondition(lambda self: not self.open)
    @rule()
    def start(self) -> None:
        self.scene.world.clock.forward(1)  # ids of two processes in one microsecond have no order
        started = self.rotations.start(self.scene.record(self.newest.issued.token))
        again = self.rotations.start(self.scene.record(self.newest.issued.token))
        assert again.value == started.value  # a lost answer is harmless
        self.values.append(Value(Issued(started.successor, started.value)))
        self.open, self.used, self.deadline = True, False, started.rotation.deadline

    @precondition(lambda self: self.open)
    @rule()
    def start_again(self) -> None:
        for value in (self.newest, self.coming):
            try:
                self.rotations.start(self.scene.record(value.issued.token), asker="another")
            except Conflict:
                continue
            raise AssertionError("a token is in two open rotations")

    @precondition(lambda self: self.open)
    @rule()
    def finish(self) -> None:
        self.rotations.finish(self.newest.issued.token)
        self.commit()

    @precondition(lambda self: self.open)
    @rule()
    def abort(self) -> None:
        self.rotations.abort(self.newest.issued.token)
        self.coming.state = State.REVOKED
        self.open = False

    @precondition(lambda self: self.open)
    @rule()
    def reach_the_deadline(self) -> None:
        now = self.scene.world.clock.now()
        self.rotations.extend(self.newest.issued.token, now + MIN_US)
        self.pass_time(MIN_US)
        self.scene.run(self.scene.authority.rotator.sweep(LOCAL))
        self.commit()

    @rule(at=picks, address=addresses)
    def present(self, at: int, address: str) -> None:
        value = self.values[at % len(self.values)]
        held = value.state is State.ACTIVE and self.quarantined(value, address)
        reason = self.rotations.reason(value.issued, address, self.kinds)
        if held:
            assert reason == "token_quarantined"
            return
        expected = {
            State.ACTIVE: "",
            State.SUPERSEDED: "token_superseded",
            State.REVOKED: "token_revoked",
        }[value.state]
        assert reason == expected
        if self.open and value is self.coming and not reason:
            self.used = True
            self.settle()

    @rule(at=picks)
    def a_thief_presents(self, at: int) -> None:
        value = self.values[at % len(self.values)]
        if value.state is State.ACTIVE:
            return
        reason = self.rotations.reason(value.issued, THIEF, self.kinds)
        assert reason == ("token_superseded" if value.state is State.SUPERSEDED else "token_revoked")
        if value.state is State.SUPERSEDED:
            assert any(one.token_id == value.issued.token.id for one in self.rotations.incidents())

    @rule()
    def close_incidents(self) -> None:
        for one in self.rotations.incidents():
            self.rotations.close(one)

    @rule(minutes=st.sampled_from([1, 6]))
    def wait(self, minutes: int) -> None:
        self.pass_time(minutes * 60_000_000)

    def pass_time(self, microseconds: int) -> None:
        self.scene.world.clock.forward(microseconds)
        for _, joined in self.agents:
            self.scene.authority.fleet.heartbeat(joined.agent.id)

    @rule()
    def sweep(self) -> None:
        self.scene.sweep()

    @rule()
    def restart(self) -> None:
        self.scene.world.restart()

    # -- what holds ------------------------------------------------------------------------------------

    @invariant()
    def the_states_are_those_of_the_model(self) -> None:
        for value in self.values:
            assert self.scene.record(value.issued.token).state is value.state

    @invariant()
    def somebody_passes(self) -> None:
        """The chain always has a live value, two of them while a rotation is open."""
        live = [one for one in self.values if one.state is State.ACTIVE]
        if self.values:
            assert len(live) == 1 + self.open

    @invariant()
    def sessions_go_on(self) -> None:
        for _, joined in self.agents:
            assert self.scene.reason_from(joined.value.reveal(), HOME, SESSIONS) == ""


class OneHolder(Chain):
    """An API access token."""

    kinds = API

    def issue(self) -> Issued:
        return self.rotations.api_token()


class Shared(Chain):
    """An agent token, with agents that come, move and go."""

    kinds = AGENT_TOKENS
    shared = True

    def issue(self) -> Issued:
        return self.scene.token()

    @rule(at=picks)
    def join(self, at: int) -> None:
        live = [one for one in self.values if one.state is State.ACTIVE]
        value = live[at % len(live)]
        if self.quarantined(value, HOME):
            return
        joined = self.scene.agent(value.issued, name=f"agent {len(self.agents)}")
        if self.open and value is self.coming:
            self.used = True
            self.settle()
        self.agents.append((value, joined))

    @precondition(lambda self: self.agents)
    @rule(at=picks)
    def leave(self, at: int) -> None:
        _, joined = self.agents.pop(at % len(self.agents))
        self.end(joined)
        self.settle()


# Shrinking takes minutes here, and the steps that lead to a failure are few.
_PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
TestOneHolder = OneHolder.TestCase
TestOneHolder.settings = settings(examples(40), stateful_step_count=25, phases=_PHASES)
TestShared = Shared.TestCase
TestShared.settings = settings(examples(40), stateful_step_count=25, phases=_PHASES)
