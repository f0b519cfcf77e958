"""A state machine over the real services: whatever is done in whatever order, only live values pass."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from properties.lifecycle_installation import Running, Site, leaks
from properties.lifecycle_model import (
    ADDRESSES,
    AGENT_TOKENS,
    API_TOKENS,
    INSIDE,
    JOB_TOKEN_US,
    JOBS,
    NETWORKS,
    SESSIONS,
    AgentToken,
    ApiToken,
    Bearer,
    Hold,
    House,
    Machine,
    Model,
    Task,
)
from support import MINUTE_US, SECOND_US
from watchword.crypto.keys import Purpose
from watchword.domain.errors import Conflict, Forbidden, Invalid, NotFound, Refused, WatchwordError
from watchword.domain.events import Action
from watchword.domain.fleet import AgentState
from watchword.domain.kinds import Kind
from watchword.domain.pipelines import Build, Job, JobState
from watchword.domain.restrictions import Restrictions, parse_networks
from watchword.domain.tokens import Reason, State, Token
from watchword.services.accounts import delete_cluster
from watchword.services.builds import BuildRequest, CommandStep
from watchword.services.context import LOCAL, Caller
from watchword.services.dispatching import Accepted
from watchword.services.editing import edit_agent_token
from watchword.services.exchanging import Registration, register
from watchword.services.issuing import TokenRequest, issue_agent_token, issue_api_token
from watchword.services.logs import add_chunk
from watchword.services.revoking import revoke
from watchword.services.verifying import Presented
from watchword.store.base import Transaction

# What is noticed about addresses, once in a while; tests of their own are about these.
NOTICED = (Action.INCIDENT_OPENED, Action.AGENT_BLOCKED, Action.TOKEN_REGISTRATION_BLOCKED)
T = TypeVar("T")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., None])

picks = st.integers(0, 10_000)
houses = st.integers(0, 1)
clusters = st.sampled_from(["main", "main", "extra", "none"])
addresses = st.sampled_from(ADDRESSES)
tag_sets = st.sampled_from([(), ("os=linux",)])
SHAPE_REASONS = {Reason.MALFORMED, Reason.UNKNOWN, Reason.WRONG_KIND, Reason.MISSING}


def pick(items: list[R], number: int) -> R:
    """One of the items; the newest for 0, so that shrinking and chance favour what is in motion."""
    return items[-1 - number % len(items)]


def usable(bearer: Bearer, kinds: tuple[Kind, ...], now: int) -> str | None:
    """An address from which the value passes, if there is one."""
    return next((one for one in ADDRESSES if not bearer.refused(kinds, one, now)), INSIDE)


async def outcome(work: Coroutine[Any, Any, T]) -> T | WatchwordError:
    """The result, or the error that a caller would be answered."""
    try:
        return await work
    except WatchwordError as error:
        return error


@dataclass(frozen=True)
class Doing:
    """One thing that can be done: what it is called, what it takes, and whether it can be done now."""

    name: str
    arguments: dict[str, st.SearchStrategy[Any]]
    needs: Callable[[Any], object]


# By group, so that each group and in it each action has its turn: among forty rules the rare ones starve.
ACTIONS: dict[str, list[Doing]] = {}


def action(
    group: str, needs: Callable[[Any], object] = id, **arguments: st.SearchStrategy[Any]
) -> Callable[[F], F]:
    """Make a method of the machine an action of a group."""

    def note(function: F) -> F:
        ACTIONS.setdefault(group, []).append(Doing(function.__name__, arguments, needs))
        return function

    return note


class Lifecycle(RuleBasedStateMachine):
    """The machine; `site` makes its installations."""

    site: ClassVar[Site]
    running: Running
    model: Model

    def __init__(self) -> None:
        super().__init__()
        self.running, self.model = self.site.start()
        self.steps = 0

    # -- how a rule is carried out ---------------------------------------------------------------

    @property
    def now(self) -> int:
        return self.running.clock.time

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.running.run(work)

    def attempt(self, work: Coroutine[Any, Any, T]) -> T | WatchwordError:
        """The result, or the error that a caller would be answered."""
        return self.run(outcome(work))

    def caller(self, address: str | None) -> Caller:
        return Caller(LOCAL.actor, address)

    def check(self, bearer: Bearer, kinds: tuple[Kind, ...], address: str | None) -> Presented | None:
        """Present a value: it must pass or be refused just as the model says."""
        return self.run(self._check(bearer, kinds, address))

    async def _check(self, bearer: Bearer, kinds: tuple[Kind, ...], address: str | None) -> Presented | None:
        expected = bearer.refused(kinds, address, self.now)
        found = await outcome(self.running.authority.verifier.verify(bearer.value, kinds, address=address))
        if expected is not None:
            assert isinstance(found, Refused), f"passed, although {expected}"
            assert found.code == expected
            return None
        assert isinstance(found, Presented), f"refused: {found!r}"
        assert (found.kind, found.organization_id) == (bearer.kind, bearer.organization.id)
        assert found.id == bearer.token.id
        return found

    def check_hold(self, hold: Hold, address: str | None = INSIDE) -> Job | None:
        """Present the token of a call about a job, as its agent would."""
        return self.run(self._check_job_call(hold, hold.task, address))

    async def _check_job_call(self, hold: Hold, task: Task, address: str | None) -> Job | None:
        expected: set[Reason]
        if hold.value:
            expected, value = hold.refused(self.now), hold.value
            if not expected and task is not hold.task:
                expected = {Reason.OTHER_JOB}
        else:  # an agent older than 3.39 has its session token alone
            agent, value = hold.agent, hold.agent.value
            refused = agent.refused(SESSIONS, address, self.now)
            expected = {refused} if refused is not None else set()
            if not expected and agent.job is not task:
                expected = {Reason.OTHER_JOB}
        verifier = self.running.authority.verifier
        found = await outcome(verifier.verify_job(value, task.id, address=address))
        if expected:
            assert isinstance(found, Refused), f"passed, although {expected}"
            assert Reason(found.code) in expected
            return None
        assert isinstance(found, Job), f"refused: {found!r}"
        assert (found.id, found.organization_id) == (task.id, task.organization.id)
        assert (found.state, found.fence) == (task.state, task.fence)
        return found

    # -- where an example starts -----------------------------------------------------------------

    @initialize(old=st.booleans(), begun=st.booleans())
    def begin(self, old: bool, begun: bool) -> None:  # noqa: FBT001 - drawn
        """Three agents of each organization are connected, one holds a job, another job waits."""
        for home, token in zip(self.model.houses, self.model.tokens, strict=False):
            first = self._join(token, "first", old=old)
            self._join(token, "second", old=False)
            self._join(token, "third", old=False)
            self._build(home, "main", "", (), 2, 0)
            if first is not None:
                self._take(first)
            if begun:
                self._start(self.model.holds[-1], INSIDE, late=False)

    @rule(data=st.data())
    def tokens(self, data: st.DataObject) -> None:
        self._do("tokens", data)

    @rule(data=st.data())
    def fleet(self, data: st.DataObject) -> None:
        self._do("fleet", data)

    @rule(data=st.data())
    def jobs(self, data: st.DataObject) -> None:
        self._do("jobs", data)

    @rule(data=st.data())
    def time(self, data: st.DataObject) -> None:
        self._do("time", data)

    @rule(data=st.data())
    def thief(self, data: st.DataObject) -> None:
        self._do("thief", data)

    def _do(self, group: str, data: st.DataObject) -> None:
        possible = {doing.name: doing for doing in ACTIONS[group] if doing.needs(self)}
        doing = possible[data.draw(st.sampled_from(sorted(possible)), label="action")]
        arguments = data.draw(st.fixed_dictionaries(doing.arguments), label="arguments")
        getattr(self, doing.name)(**arguments)

    # -- tokens ----------------------------------------------------------------------------------

    @action(
        "tokens",
        house=houses,
        cluster=clusters,
        expiry=st.sampled_from([0, 0, 10, 15, 60]),
        delay=st.sampled_from([0, 0, 0, 1, 12]),
        uses=st.sampled_from([0, 1, 1, 2]),
        networks=st.sampled_from(NETWORKS),
        queue=st.sampled_from(["", "", "gpu"]),
        tags=tag_sets,
    )
    def issue_agent_token(
        self,
        house: int,
        cluster: str,
        expiry: int,
        delay: int,
        uses: int,
        networks: str,
        queue: str,
        tags: tuple[str, ...],
    ) -> None:
        home = self.model.houses[house]
        self._issue(home, cluster, expiry, delay, uses, networks, queue, tags)

    def _issue(
        self,
        home: House,
        cluster: str,
        expiry: int,
        delay: int,
        uses: int,
        networks: str,
        queue: str,
        tags: tuple[str, ...],
    ) -> AgentToken | None:
        place = home.clusters.get(cluster)
        expires_at = self.now + expiry * MINUTE_US if expiry else 0
        not_before = self.now + delay * MINUTE_US if delay else 0
        request = TokenRequest(
            organization_id=home.id,
            cluster_id=place.id if place else None,
            description="generated",
            restrictions=Restrictions(parse_networks(networks), queue, tags),
            not_before=not_before,
            expires_at=expires_at,
            max_uses=uses,
        )
        context = self.running.context
        found = self.attempt(
            self.running.store.write(lambda tx: issue_agent_token(context, tx, LOCAL, request, home.admin))
        )
        never = expires_at and not_before >= expires_at
        if never or cluster in home.deleted or (queue and cluster == "extra"):
            assert isinstance(found, NotFound if cluster in home.deleted and not never else Invalid)
            return None
        assert not isinstance(found, WatchwordError), found
        kind = Kind.AGENT if place else Kind.UNCLUSTERED_AGENT
        home.events[Action.TOKEN_CREATED] += 1
        token = AgentToken(
            found.value.reveal(),
            found.token,
            kind,
            home,
            expires_at,
            not_before,
            networks,
            cluster_id=request.cluster_id,
            queue=queue,
            tags=tags,
            max_uses=uses,
        )
        self.model.tokens.append(token)
        return token

    @action(
        "tokens",
        house=houses,
        expiry=st.sampled_from([None, 0, 10]),
        scope=st.sampled_from(["read_agents", "graphql"]),
    )
    def issue_api_token(self, house: int, expiry: int | None, scope: str) -> None:
        home = self.model.houses[house]
        until = self.now + expiry * MINUTE_US if expiry else expiry
        context = self.running.context
        found = self.run(
            self.running.store.write(
                lambda tx: issue_api_token(
                    context, tx, LOCAL, home.id, home.admin, "generated", [scope], until
                )
            )
        )
        home.events[Action.TOKEN_CREATED] += 1
        expires_at = self.now + 7 * 24 * 60 * MINUTE_US if until is None else until
        self.model.api_tokens.append(
            ApiToken(
                found.value.reveal(),
                found.token,
                Kind.API_ACCESS,
                home,
                expires_at,
                scopes=frozenset({scope}),
            )
        )

    @action("tokens", number=picks, networks=st.sampled_from(NETWORKS))
    def edit_networks(self, number: int, networks: str) -> None:
        token = pick(self.model.tokens, number)
        context = self.running.context

        async def work(tx: Transaction) -> None:
            record = await tx.tokens.find(token.organization.id, token.token.id)
            assert record is not None
            await edit_agent_token(context, tx, LOCAL, record, None, networks)

        found = self.attempt(self.running.store.write(work))
        if token.ended:
            assert isinstance(found, Conflict)
            return
        assert found is None, found
        token.networks = networks
        for agent in self.model.agents:
            if agent.parent is token and not agent.ended:
                both = bool(agent.networks and networks)
                agent.networks = f"{agent.networks} {networks}" if both else ""
        token.organization.events[Action.TOKEN_UPDATED] += 1

    @action("tokens", number=picks)
    def revoke_agent_token(self, number: int) -> None:
        self._revoke(pick(self.model.tokens, number))

    @action("tokens", number=picks)
    def revoke_api_token(self, number: int) -> None:
        self._revoke(pick(self.model.api_tokens, number))

    def _revoke(self, bearer: Bearer) -> None:
        context = self.running.context

        async def work(tx: Transaction) -> None:
            record = await tx.tokens.find(bearer.organization.id, bearer.token.id)
            assert record is not None
            await revoke(context, tx, LOCAL, record, bearer.organization.admin, "generated")

        self.run(self.running.store.write(work))
        if not bearer.ended:
            bearer.organization.events[Action.TOKEN_REVOKED] += 1
        bearer.ended = True

    @action("tokens", house=houses)
    def delete_cluster(self, house: int) -> None:
        home = self.model.houses[house]
        if "extra" in home.deleted or self.steps < 8:
            return
        cluster, context = home.clusters["extra"], self.running.context
        self.run(self.running.store.write(lambda tx: delete_cluster(context, tx, LOCAL, cluster, home.admin)))
        home.deleted.add("extra")
        home.events[Action.CLUSTER_DELETED] += 1
        for token in self.model.tokens:
            if token.cluster_id == cluster.id and not token.ended:
                token.ended = True
                home.events[Action.TOKEN_REVOKED] += 1

    # -- agents ----------------------------------------------------------------------------------

    @action(
        "fleet",
        number=picks,
        name=st.sampled_from(["one", "two"]),
        tags=st.sampled_from([(), ("queue=gpu",), ("os=linux",), ("os=linux", "queue=gpu"), ("queue=nope",)]),
        old=st.booleans(),
        address=addresses,
    )
    def register(
        self,
        number: int,
        name: str,
        tags: tuple[str, ...],
        old: bool,  # noqa: FBT001 - drawn
        address: str | None,
    ) -> None:
        self._register(pick(self.model.tokens, number), name, tags, address, old=old)

    def _register(
        self, token: AgentToken, name: str, tags: tuple[str, ...], address: str | None, *, old: bool
    ) -> Machine | None:
        presented = self.check(token, AGENT_TOKENS, address)
        if presented is None:
            return None
        asked = Registration(name=name, hostname="host", version="3.38.0" if old else "3.100.0", tags=tags)
        context, fleet = self.running.context, self.running.authority.fleet
        found = self.attempt(register(context, fleet, self.caller(address), presented, asked))
        named = next((tag[6:] for tag in tags if tag.startswith("queue=")), "")
        queue = named or "default"
        carried = tags if named else (*tags, "queue=default")
        home = token.organization
        extra = token.cluster_id == home.clusters["extra"].id
        nowhere = queue == "nope" or (extra and (queue == "gpu" or not named))
        if token.cluster_id is not None and nowhere:
            assert isinstance(found, Invalid)
            return None
        if (token.queue and token.queue != queue) or not set(token.tags) <= set(carried):
            assert isinstance(found, Forbidden)
            return None
        former = next(
            (
                agent
                for agent in self.model.agents
                if agent.parent is token and not agent.ended and not agent.connected and agent.name == name
            ),
            None,
        )
        if token.max_uses:
            if former is None and token.uses >= token.max_uses:
                assert isinstance(found, Refused)
                assert found.code == Reason.USED_UP
                return None
            if former is not None:
                self.model.leave(former, Action.AGENT_EXPIRED)
            token.uses += 1
        assert not isinstance(found, WatchwordError), found
        assert (found.replaced is not None) is bool(token.max_uses and former is not None)
        home.events[Action.AGENT_REGISTERED] += 1
        session = self._record(found.agent.organization_id, found.agent.session_id)
        agent = Machine(
            found.value.reveal(),
            session,
            Kind.AGENT_SESSION,
            home,
            networks=token.networks,
            id=found.agent.id,
            parent=token,
            cluster_id=token.cluster_id,
            queue=queue,
            tags=carried,
            name=name,
            host="host",
            counted=bool(token.max_uses),
            old=old,
            seen_at=self.now,
        )
        self.model.agents.append(agent)
        return agent

    def _record(self, organization_id: Any, token_id: Any) -> Token:
        found = self.run(self.running.store.read(lambda tx: tx.tokens.find(organization_id, token_id)))
        assert found is not None
        return found

    @action("fleet", needs=lambda self: self.model.agents, number=picks, address=addresses)
    def connect(self, number: int, address: str | None) -> None:
        self._connect(pick(self.model.agents, number), address)

    def _connect(self, agent: Machine, address: str | None) -> None:
        if self.check(agent, SESSIONS, address) is None:
            return
        fleet = self.running.authority.fleet
        self.run(fleet.connect(self.caller(address), agent.organization.id, agent.id))
        if not agent.connected:
            agent.organization.events[Action.AGENT_CONNECTED] += 1
        agent.connected, agent.seen_at = True, self.now

    @action("fleet", number=picks, old=st.booleans())
    def join(self, number: int, old: bool) -> None:  # noqa: FBT001 - drawn
        """Register and connect with what the token asks for, so that fleets get somewhere."""
        self._join(pick(self.model.tokens, number), "joined", old=old)

    def _join(self, token: AgentToken, name: str, *, old: bool) -> Machine | None:
        tags = (*token.tags, f"queue={token.queue or 'default'}")
        address = usable(token, AGENT_TOKENS, self.now)
        agent = self._register(token, name, tags, address, old=old)
        if agent is not None:
            self._connect(agent, address)
        return agent

    @action("fleet", needs=lambda self: self.model.agents, number=picks, address=addresses)
    def ping(self, number: int, address: str | None) -> None:
        agent = pick(self.model.agents, number)
        if self.check(agent, SESSIONS, address) is not None:
            self._ping(agent)

    def _ping(self, agent: Machine) -> Task | None:
        offered = self.running.authority.dispatcher.ping(agent.id)
        expected = self.model.offer(agent, self.now)
        assert offered == (expected.id if expected is not None else None)
        return expected

    @action("fleet")
    def everybody_pings(self) -> None:
        for agent in self.model.agents:
            if not agent.ended and agent.job is None:
                self._ping(agent)

    @action("tokens", house=houses, networks=st.sampled_from(NETWORKS[1:]), later=st.sampled_from(NETWORKS))
    def a_token_with_networks_is_used(self, house: int, networks: str, later: str) -> None:
        """An agent joins with it; the session keeps the networks of then besides the new ones."""
        token = self._issue(self.model.houses[house], "main", 0, 0, 0, networks, "", ())
        assert token is not None
        self._join(token, "inside", old=False)
        self.edit_networks(0, later)

    @action(
        "tokens",
        house=houses,
        uses=st.integers(1, 2),
        connected=st.lists(st.booleans(), min_size=2, max_size=4),
        later=st.integers(0, 7),
    )
    def a_counted_token_is_used(self, house: int, uses: int, connected: list[bool], later: int) -> None:
        """More agents than it admits join with a counted token; some of them never connect."""
        token = self._issue(self.model.houses[house], "main", 0, 0, uses, "", "", ())
        assert token is not None
        for number, connects in enumerate(connected):
            agent = self._register(token, f"counted {number // 2}", (), INSIDE, old=False)
            if agent is not None and connects:
                self._connect(agent, INSIDE)
        if later:
            self.time_passes(later, heard=False)
            self._register(token, "late", (), INSIDE, old=False)

    @action("fleet", needs=lambda self: self.model.agents, number=picks, address=addresses)
    def heartbeat(self, number: int, address: str | None) -> None:
        agent = pick(self.model.agents, number)
        if self.check(agent, SESSIONS, address) is not None:
            self.running.authority.fleet.heartbeat(agent.id)
            agent.seen_at = self.now

    @action("fleet", needs=lambda self: self.model.agents, number=picks, address=addresses)
    def disconnect(self, number: int, address: str | None) -> None:
        agent = pick(self.model.agents, number)
        if self.check(agent, SESSIONS, address) is None:
            return
        finisher = self.running.authority.finisher
        self.run(finisher.disconnect(self.caller(address), agent.id, AgentState.DISCONNECTED))
        self.model.leave(agent, Action.AGENT_DISCONNECTED)

    # -- jobs ------------------------------------------------------------------------------------

    @action(
        "jobs",
        house=houses,
        cluster=clusters,
        queue=st.sampled_from(["", "default", "gpu"]),
        tags=tag_sets,
        count=st.integers(1, 2),
        priority=st.sampled_from([0, 0, 5]),
    )
    def create_build(
        self, house: int, cluster: str, queue: str, tags: tuple[str, ...], count: int, priority: int
    ) -> None:
        self._build(self.model.houses[house], cluster, queue, tags, count, priority)

    def _build(
        self, home: House, cluster: str, queue: str, tags: tuple[str, ...], count: int, priority: int
    ) -> None:
        rules = (*([f"queue={queue}"] if queue else []), *tags)
        steps = (CommandStep(command="true", agents=rules, priority=priority),) * count
        builder, pipeline = self.running.authority.builder, home.pipelines[cluster]
        found = self.attempt(
            self.running.store.write(
                lambda tx: builder.create_in(tx, LOCAL, pipeline, steps, BuildRequest(), home.admin)
            )
        )
        if cluster in home.deleted or (cluster == "extra" and queue != "default"):
            assert isinstance(found, Invalid), found
            return
        assert not isinstance(found, WatchwordError), found
        build, jobs = found
        builder.announce(jobs)
        home.events[Action.BUILD_CREATED] += 1
        place = home.clusters.get(cluster)
        for job in jobs:
            self.model.tasks.append(
                Task(
                    job.id,
                    home,
                    place.id if place else None,
                    queue or "default",
                    tags,
                    (-priority, job.runnable_at, job.id),
                    build,
                )
            )

    @action(
        "jobs",
        needs=lambda self: self.model.agents and self.model.tasks,
        agent=picks,
        task=picks,
        address=addresses,
    )
    def accept(self, agent: int, task: int, address: str | None) -> None:
        self._accept(pick(self.model.agents, agent), pick(self.model.tasks, task), address)

    @action("jobs", needs=lambda self: any(agent.connected for agent in self.model.agents), number=picks)
    def take(self, number: int) -> None:
        """Ping and accept what is offered; bring a job along if none waits."""
        agent = pick([agent for agent in self.model.agents if agent.connected], number)
        home = agent.organization
        places = {cluster.id: name for name, cluster in home.clusters.items()}
        place = places[agent.cluster_id] if agent.cluster_id is not None else "none"
        if not any(task.state is JobState.SCHEDULED and task.fits(agent) for task in self.model.tasks):
            self._build(home, place, agent.queue, (), 1, 0)
        self._take(agent)

    def _take(self, agent: Machine) -> None:
        address = usable(agent, SESSIONS, self.now)
        if self.check(agent, SESSIONS, address) is None:
            return
        offered = self._ping(agent)
        if offered is not None:
            self._accept(agent, offered, address)

    def _accept(self, agent: Machine, task: Task, address: str | None) -> None:
        if self.check(agent, SESSIONS, address) is None:
            return
        dispatcher = self.running.authority.dispatcher
        found = self.attempt(dispatcher.accept(self.caller(address), agent.id, task.id))
        again = task.state is JobState.ACCEPTED and task.agent is agent
        if not task.fits(agent):
            assert isinstance(found, NotFound), found
            return
        busy = self.model.elsewhere(task, agent, self.now) or not agent.connected
        busy = busy or agent.stopping or bool(agent.paused_until)
        if not again and (busy or agent.job is not None or task.state is not JobState.SCHEDULED):
            assert isinstance(found, Conflict), found
            return
        self._note_taken(agent, task, found, again=again)

    def _note_taken(
        self, agent: Machine, task: Task, found: Accepted | WatchwordError, *, again: bool
    ) -> None:
        """A job went into the agent's hands, or was there already."""
        assert not isinstance(found, WatchwordError), found
        value = found.value.reveal() if found.value is not None else ""
        if again:
            held = [hold for hold in self.model.holds if hold.task is task]
            assert held[-1].value == value
            return
        self.model.accept(task, agent, self.now, self.running.keys.active(Purpose.JOB_TOKEN).number)
        assert bool(value) is not agent.old
        expires_at = (self.now + JOB_TOKEN_US) // SECOND_US * SECOND_US
        self.model.holds.append(Hold(task, agent, found.job, value, task.fence, task.key, expires_at))

    @action("jobs", needs=lambda self: self.model.holds, number=picks, late=st.booleans(), address=addresses)
    def start(self, number: int, late: bool, address: str | None) -> None:  # noqa: FBT001 - drawn
        self._start(pick(self.model.holds, number), address, late=late)

    def _start(self, hold: Hold, address: str | None, *, late: bool) -> None:
        row = self._row(hold, address, late=late)
        if row is None:
            return
        task = hold.task
        found = self.attempt(self.running.authority.finisher.start(LOCAL, row))
        if task.fence != row.fence or task.state.ended or task.state is JobState.SCHEDULED:
            assert isinstance(found, Conflict), found
        elif task.state in (JobState.CANCELING, JobState.TIMING_OUT):
            assert isinstance(found, Conflict), found
            self.model.finish(task)
        else:
            assert found is None, found
            if task.state is JobState.ACCEPTED:
                task.organization.events[Action.JOB_STARTED] += 1
                task.started_at = self.now
            task.state = JobState.RUNNING

    @action(
        "jobs",
        needs=lambda self: any(task.state is JobState.ACCEPTED for task in self.model.tasks),
        number=picks,
    )
    def a_job_changes_hands(self, number: int) -> None:
        """Its agent does not start it in time and another takes it; then the first one comes late."""
        holds = [
            hold
            for hold in self.model.holds
            if hold.fence == hold.task.fence and hold.task.state is JobState.ACCEPTED
        ]
        hold = pick(holds, number)
        self.time_passes(5, heard=True)
        for token in [token for token in self.model.tokens if token.organization is hold.task.organization]:
            successor = self._join(token, "successor", old=False)
            if successor is not None and hold.task.fits(successor):
                self._accept(successor, hold.task, usable(successor, SESSIONS, self.now))
                break
        self._come_late(hold)

    def _come_late(self, hold: Hold) -> None:
        """Every call of an agent whose job is in other hands by now."""
        self._start(hold, INSIDE, late=True)
        self._chunk(hold, INSIDE, late=True)
        self._finish(hold, INSIDE, late=True, ignore=False)

    def _row(self, hold: Hold, address: str | None, *, late: bool) -> Job | None:
        """The row a call goes on with: as it was checked just now, or long before everything since."""
        return hold.row if late else self.check_hold(hold, address)

    @action("jobs", needs=lambda self: self.model.holds, number=picks, late=st.booleans(), address=addresses)
    def chunk(self, number: int, late: bool, address: str | None) -> None:  # noqa: FBT001 - drawn
        self._chunk(pick(self.model.holds, number), address, late=late)

    def _chunk(self, hold: Hold, address: str | None, *, late: bool) -> None:
        row = self._row(hold, address, late=late)
        if row is None:
            return
        task = hold.task
        found = self.attempt(add_chunk(self.running.context, row, task.size, task.size, b"x"))
        if task.fence != row.fence or not task.state.held:
            assert isinstance(found, NotFound), found
        else:
            assert found is None, found
            task.size += 1

    @action(
        "jobs",
        needs=lambda self: self.model.holds,
        number=picks,
        late=st.booleans(),
        ignore=st.booleans(),
        address=addresses,
    )
    def finish(self, number: int, late: bool, ignore: bool, address: str | None) -> None:  # noqa: FBT001 - drawn
        self._finish(pick(self.model.holds, number), address, late=late, ignore=ignore)

    def _finish(self, hold: Hold, address: str | None, *, late: bool, ignore: bool) -> None:
        row = self._row(hold, address, late=late)
        if row is None:
            return
        task = hold.task
        finisher = self.running.authority.finisher
        found = self.attempt(finisher.finish(LOCAL, row, ignore_agent=ignore))
        if task.fence != row.fence or not task.state.held:
            assert isinstance(found, Conflict), found
            return
        assert isinstance(found, Job), found
        agent = task.agent
        self.model.finish(task)
        assert found.state is task.state
        if ignore and agent is not None:
            agent.dispatch = False

    @action(
        "jobs",
        needs=lambda self: any(task.state.held for task in self.model.tasks),
        number=picks,
        minutes=st.integers(1, 3),
    )
    def a_cancellation_is_not_heard(self, number: int, minutes: int) -> None:
        """The agent goes on living and says nothing of its job."""
        held = pick([task for task in self.model.tasks if task.state.held], number)
        self._cancel(held.build)
        self.time_passes(minutes, heard=True)

    @action("jobs", needs=lambda self: self.model.tasks, number=picks)
    def cancel(self, number: int) -> None:
        self._cancel(pick(self.model.tasks, number).build)

    def _cancel(self, build: Build) -> None:
        tasks = [task for task in self.model.tasks if task.build is build]
        found = self.attempt(self.running.authority.builder.cancel(LOCAL, build))
        if all(task.state.ended for task in tasks):
            assert isinstance(found, Conflict), found
            return
        assert not isinstance(found, WatchwordError), found
        tasks[0].organization.events[Action.BUILD_CANCELED] += 1
        for task in tasks:
            if task.state is JobState.SCHEDULED:
                task.state = JobState.CANCELED
            self.model.cancel_held(task, self.now)
            self.model.offers.pop(task, None)

    # -- time and processes ----------------------------------------------------------------------

    @action("time", seconds=st.sampled_from([1, 20, 31, 60, 121, 180, 300, 360, 600, 3600]))
    def advance(self, seconds: int) -> None:
        self.running.clock.forward(seconds * SECOND_US)

    @action("time", minutes=st.integers(1, 7), heard=st.booleans())
    def time_passes(self, minutes: int, heard: bool) -> None:  # noqa: FBT001 - drawn
        """Minutes with a sweep in each, while the agents are heard of or silent."""
        for _ in range(minutes):
            self.advance(60)
            for agent in self.model.agents:
                if heard and not agent.ended:
                    self.running.authority.fleet.heartbeat(agent.id)
                    agent.seen_at = self.now
            self.sweep()

    @action(
        "jobs",
        needs=lambda self: any(agent.job is not None for agent in self.model.agents),
        number=picks,
        seconds=st.sampled_from([29, 30]),
        again=st.booleans(),
    )
    def an_agent_gives_its_job_up(self, number: int, seconds: int, again: bool) -> None:  # noqa: FBT001 - drawn
        """It pings although it holds a job; only if it goes on with that it has given the job up."""
        agent = pick([agent for agent in self.model.agents if agent.job is not None], number)
        self._ping(agent)
        self.advance(seconds)
        if again:
            self._ping(agent)
        self.sweep()

    @action("time", days=st.sampled_from([1, 8, 31]))
    def advance_far(self, days: int) -> None:
        self.running.clock.forward(days * 24 * 60 * MINUTE_US)

    @action("time")
    def sweep(self) -> None:
        self.run(self.running.authority.sweep(LOCAL))
        self.model.sweep(self.now)

    @action("time")
    def flush(self) -> None:
        self.run(self.running.authority.flush())

    @action("time", flush=st.booleans(), sweep=st.booleans())
    def restart(self, flush: bool, sweep: bool) -> None:  # noqa: FBT001 - drawn
        self.running.restart(flush=flush)
        self.model.restart(self.now)
        if sweep:
            self.sweep()

    @action("time")
    def rotate_the_signing_key(self) -> None:
        self.running.keys = self.running.keys.rotated(Purpose.JOB_TOKEN)
        self.running.restart(flush=True)
        self.model.restart(self.now)

    # -- what a thief would try ------------------------------------------------------------------

    @action(
        "thief",
        number=picks,
        kinds=st.sampled_from([AGENT_TOKENS, SESSIONS, API_TOKENS, JOBS]),
        address=addresses,
    )
    def present_anywhere(self, number: int, kinds: tuple[Kind, ...], address: str | None) -> None:
        bearer = pick(self.model.bearers, number)
        if kinds is JOBS and bearer.kind is Kind.AGENT_SESSION:
            kinds = SESSIONS
        self.check(bearer, kinds, address)

    @action("thief", needs=lambda self: self.model.holds, number=picks, task=picks, address=addresses)
    def present_for_another_job(self, number: int, task: int, address: str | None) -> None:
        self.run(self._check_job_call(pick(self.model.holds, number), pick(self.model.tasks, task), address))

    @action("thief", needs=lambda self: self.model.agents and self.model.tasks, number=picks, task=picks)
    def present_a_session_for_a_job(self, number: int, task: int) -> None:
        agent, job = pick(self.model.agents, number), pick(self.model.tasks, task)
        found = self.attempt(self.running.authority.verifier.verify_job(agent.value, job.id, address=INSIDE))
        refused = agent.refused(SESSIONS, INSIDE, self.now)
        if refused is None and agent.old and agent.job is job:
            assert isinstance(found, Job), found
            return
        assert isinstance(found, Refused), "a session token passed for a job that is not its own"
        assert found.code == (refused or (Reason.OTHER_JOB if agent.old else Reason.WRONG_KIND))

    @action(
        "thief",
        needs=lambda self: self.model.holds,
        number=picks,
        kinds=st.sampled_from([AGENT_TOKENS, SESSIONS, API_TOKENS]),
    )
    def present_a_job_token_elsewhere(self, number: int, kinds: tuple[Kind, ...]) -> None:
        hold = pick(self.model.holds, number)
        if hold.value:
            found = self.attempt(self.running.authority.verifier.verify(hold.value, kinds, address=INSIDE))
            assert isinstance(found, Refused)
            assert found.code == Reason.WRONG_KIND

    @action(
        "thief",
        number=picks,
        other=picks,
        place=picks,
        how=st.sampled_from(["alter", "cut", "case", "join", "head"]),
    )
    def present_a_changed_value(self, number: int, other: int, place: int, how: str) -> None:
        values = self.model.values
        value, second = pick(values, number), pick(values, other)
        at = place % len(value)
        changed = {
            "alter": value[:at] + ("x" if value[at] != "x" else "y") + value[at + 1 :],
            "cut": value[:at],
            "case": value.swapcase(),
            "join": value + second,
            "head": value[:at] + second[at:],
        }[how]
        if changed in values:
            return
        for kinds in (AGENT_TOKENS, SESSIONS, API_TOKENS, JOBS):
            found = self.attempt(self.running.authority.verifier.verify(changed, kinds, address=INSIDE))
            assert isinstance(found, Refused), f"a changed value passed ({how})"
            assert Reason(found.code) in SHAPE_REASONS

    # -- what always holds -----------------------------------------------------------------------

    @invariant()
    def everything_is_as_it_must_be(self) -> None:
        self.steps += 1
        self.run(self._present_everything())
        self.run(self.running.store.read(self._compare_rows))
        self._compare_memory()

    async def _present_everything(self) -> None:
        """Every value that was ever issued passes or not as it must."""
        address = ADDRESSES[self.steps % len(ADDRESSES)]
        for token in self.model.tokens:
            await self._check(token, AGENT_TOKENS, address)
        for api in self.model.api_tokens:
            await self._check(api, API_TOKENS, address)
        for agent in self.model.agents:
            await self._check(agent, SESSIONS, address)
        for hold in self.model.holds:
            await self._check_job_call(hold, hold.task, address)

    async def _compare_rows(self, tx: Transaction) -> None:
        for token in self.model.tokens:
            record = await tx.tokens.find(token.organization.id, token.token.id)
            assert record is not None
            assert record.uses == token.uses
            assert not record.max_uses or record.uses <= record.max_uses
            assert (record.state is State.ACTIVE) is not token.ended
        for agent in self.model.agents:
            row = await tx.fleet.find(agent.organization.id, agent.id)
            assert row is not None
            assert (row.state.ended, row.state is AgentState.CONNECTED) == (agent.ended, agent.connected)
            assert row.job_id == (agent.job.id if agent.job is not None else None)
            assert (bool(row.stopping_at), row.stop_forced) == (agent.stopping, agent.forced)
            assert row.paused_until == agent.paused_until
        for task in self.model.tasks:
            job = await tx.builds.job(task.organization.id, task.id)
            assert job is not None
            assert (job.state, job.fence, job.log_size) == (task.state, task.fence, task.size)
            assert job.agent_id == (task.agent.id if task.agent is not None else None)
            assert job.timeout_minutes * MINUTE_US == task.timeout
            assert job.promised_status == str(task.promised or "")
            assert task.finishes <= 1

    def _compare_memory(self) -> None:
        authority = self.running.authority
        assert set(authority.fleet.agents) == {agent.id for agent in self.model.agents if not agent.ended}
        assert set(authority.dispatcher.held) == {task.id for task in self.model.tasks if task.state.held}
        for agent in self.model.agents:
            if not agent.ended:
                order = authority.fleet.order(agent.id)
                assert (order is not None and order.stop) is agent.stopping
                assert (order is not None) is (agent.stopping or bool(agent.paused_until))
        waiting = [one.id for line in authority.dispatcher.lines.waiting.values() for one in line]
        scheduled = [task.id for task in self.model.tasks if task.state is JobState.SCHEDULED]
        assert sorted(waiting) == sorted(scheduled)

    def teardown(self) -> None:
        try:
            for house in self.model.houses:
                events = self.running.events(house.id)
                assert [event.sequence for event in events] == list(range(1, len(events) + 1))
                counted: dict[Action, int] = {}
                for event in events:
                    if event.action not in NOTICED:
                        counted[event.action] = counted.get(event.action, 0) + 1
                assert counted == dict(house.events)
            self.run(self.running.authority.flush())
            assert leaks(self.running.database.content()) == []
        finally:
            self.site.discard(self.running)
