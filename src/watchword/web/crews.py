"""Lists of agents: of a cluster, and of none; which of them, how many, a page at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from litestar import get

from watchword.domain.accounts import Cluster
from watchword.domain.fleet import Activity, Agent
from watchword.domain.tokens import State, Token
from watchword.services.fleet import line_of_agent
from watchword.services.queries import Access, Unit, agent_tokens_in, queues_of
from watchword.services.queries import Page as Window
from watchword.services.rosters import Crew, ListedAgent, Wanted
from watchword.web.clusters import CLUSTER, cluster_here
from watchword.web.needs import page
from watchword.web.paging import Paging
from watchword.web.visit import Page, Visit, WebRequest

UNCLUSTERED = "/organizations/{org:str}/unclustered"
_LISTED = (Activity.IDLE, Activity.BUSY, Activity.PAUSED, Activity.STOPPING, Activity.JOINING, Activity.LOST)
_ALL = Window(100)
# Beside the agents of no cluster the first of their tokens are shown; their own page has all of them.
_MOST_TOKENS = 10


@dataclass(frozen=True, slots=True)
class Asked:
    """What the query asks for, as the page's form shows it.

    Attributes:
        queue: a queue's key; "" for all.
        state: what the agents do; "" for all live ones.
        part: what is searched.
    """

    queue: str
    state: str
    part: str

    @classmethod
    def of(cls, visit: Visit) -> "Asked":
        """What the visit's query says; a state that there is not counts as none."""
        state = visit.query.text("state")
        return cls(
            visit.query.text("queue"),
            state if state in {one.value for one in _LISTED} else "",
            visit.query.text("q")[:255],
        )

    @property
    def activity(self) -> Activity | None:
        """What the agents do."""
        return Activity(self.state) if self.state else None


@dataclass(frozen=True, slots=True)
class Roll:
    """A page of agents.

    Attributes:
        lines: the queues that may be chosen: line by key.
        crew: the numbers of all agents of the chosen queue, whatever they do.
    """

    asked: Asked
    lines: Mapping[str, str]
    crew: Crew
    agents: Sequence[ListedAgent]
    paging: Paging
    states: Sequence[Activity] = _LISTED

    def key(self, agent: Agent) -> str:
        """The key of the queue that an agent serves; "" where the queue is gone."""
        line = line_of_agent(agent)
        return next((key for key, one in self.lines.items() if one == line), "")

    def at(self, path: str, state: str) -> str:
        """The same list of agents in another state."""
        pairs = {"queue": self.asked.queue, "state": state, "q": self.asked.part}
        query = urlencode({name: text for name, text in pairs.items() if text})
        return f"{path}?{query}" if query else path


async def _roll(visit: Visit, tx: Unit, access: Access, cluster: Cluster | None) -> Roll:
    """The page of agents that the query asks for."""
    rosters, asked = visit.authority.rosters, Asked.of(visit)
    if cluster is not None:
        lines: dict[str, str] = {one.key: one.id for one in await queues_of(tx, cluster, _ALL)}
    else:
        lines = {line.partition("/")[2]: line for line in rosters.outside(access.id)}
    line = lines.get(asked.queue, "nowhere") if asked.queue else ""
    wanted = Wanted(
        list(lines.values()), cluster.id if cluster is not None else None, line, asked.activity, asked.part
    )
    paging, agents = visit.paging.cut(await rosters.page(tx, access.id, wanted, visit.paging.window))
    crew = Crew.together(map(rosters.crew, [line] if line else wanted.lines))
    return Roll(asked, lines, crew, agents, paging)


@get(CLUSTER + "/agents", opt=page("agent.read"))
async def list_agents(request: WebRequest) -> Page:
    """Agents of a cluster, newest first; by queue, by what they do, by a part of their name."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> tuple[Cluster, Roll]:
        cluster = await cluster_here(visit, tx, access)
        return cluster, await _roll(visit, tx, access, cluster)

    cluster, roll = await visit.read(work)
    return visit.show("agents/index.html", cluster=cluster, roll=roll)


@get(UNCLUSTERED, opt=page("agent.read"))
async def list_unclustered(request: WebRequest) -> Page:
    """Agents of no cluster, and, for whoever may see them, the tokens that they join with."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> tuple[Roll, list[Token]]:
        roll = await _roll(visit, tx, access, None)
        if not access.may("unclustered_agent_token.read"):
            return roll, []
        window = Window(_MOST_TOKENS + 1)
        return roll, await agent_tokens_in(tx, access.id, None, State.ACTIVE, visit.now, window)

    roll, tokens = await visit.read(work)
    return visit.show(
        "agents/unclustered.html",
        cluster=None,
        roll=roll,
        tokens=tokens[:_MOST_TOKENS],
        more_tokens=len(tokens) > _MOST_TOKENS,
    )


HANDLERS = (list_agents, list_unclustered)
