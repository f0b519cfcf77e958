"""One agent: what it is and does, with which token it joined, from where; and the orders that it takes."""

from collections.abc import Awaitable, Callable, Sequence

from litestar import get, post

from watchword.domain.errors import Conflict, WatchwordError
from watchword.domain.fleet import DEFAULT_PAUSE_MINUTES, Agent, activity_of
from watchword.domain.use import Use
from watchword.domain.workloads import AgentIdentity
from watchword.services.control import Pause, Told
from watchword.services.queries import Access, Unit, find_agent, identity_of
from watchword.services.rosters import ListedJob, Portrait
from watchword.web.forms import Problem
from watchword.web.needs import page
from watchword.web.visit import Page, Visit, WebRequest

AGENT = "/organizations/{org:str}/agents/{agent:str}"
_MOST_JOBS = 20
# Minutes and what they are called.
_PAUSES = ((5, "5 minutes"), (30, "30 minutes"), (60, "1 hour"), (4 * 60, "4 hours"), (24 * 60, "24 hours"))


def at(visit: Visit) -> str:
    """Where the agent of the path is."""
    return f"/organizations/{visit.path('org')}/agents/{visit.path('agent')}"


@get(AGENT, opt=page("agent.read"))
async def show_agent(request: WebRequest) -> Page:
    """One agent in any state: its session, the networks that this was used from, its latest jobs."""
    visit = Visit.of(request)
    rosters = visit.authority.rosters

    async def work(
        tx: Unit, access: Access
    ) -> tuple[Portrait, list[Use], Sequence[ListedJob], AgentIdentity | None]:
        agent = await find_agent(tx, access.id, visit.path("agent"))
        portrait, identity = await rosters.portrait(tx, agent), await identity_of(tx, agent)
        jobs = await rosters.jobs_of(tx, agent, _MOST_JOBS)
        return portrait, await rosters.networks(tx, agent), jobs, identity

    portrait, networks, jobs, identity = await visit.read(work)
    return _show(visit, "agents/show.html", portrait, networks=networks, jobs=jobs, identity=identity)


def _show(
    visit: Visit, template: str, portrait: Portrait, *errors: WatchwordError | Problem, **more: object
) -> Page:
    agent = portrait.listed.agent
    return visit.show_again(
        template,
        *errors,
        portrait=portrait,
        cluster=portrait.cluster,
        gone=portrait.cluster is None and agent.cluster_id is not None,
        agent=agent,
        job=portrait.listed.job,
        doing=activity_of(agent),
        **more,
    )


# -- orders ----------------------------------------------------------------------------------------


async def _permitted(visit: Visit, tx: Unit, access: Access) -> Agent:
    """The agent of the path; whoever may give orders to none learns nothing of which there are.

    Raises:
        Forbidden: the person may not give orders to it.
        NotFound: there is none.
    """
    if not access.standing.admin and not access.standing.clusters:
        access.require(visit.operation)
    agent = await find_agent(tx, access.id, visit.path("agent"))
    access.require(visit.operation, cluster=agent.cluster_id)
    return agent


async def _ask(visit: Visit, template: str, *errors: WatchwordError | Problem) -> Page:
    """The page of an order, with what is wrong with its form."""

    async def work(tx: Unit, access: Access) -> Portrait:
        return await visit.authority.rosters.portrait(tx, await _permitted(visit, tx, access))

    portrait = await visit.read(work, defer=True)
    return _show(visit, template, portrait, *errors, pauses=_PAUSES, minutes=DEFAULT_PAUSE_MINUTES)


async def _order(visit: Visit, give: Callable[[Unit, Access, Agent], Awaitable[Told]]) -> None:
    """Give the agent of the path an order.

    Raises:
        WatchwordError: it takes none.
    """

    async def work(tx: Unit, access: Access) -> Told:
        return await give(tx, access, await _permitted(visit, tx, access))

    visit.authority.controller.settle(await visit.write(work, defer=True))


@get(AGENT + "/stop", opt=page("agent.stop"))
async def ask_before_stop(request: WebRequest) -> Page:
    """What a stop means for the agent's job, and which stop it is to be."""
    return await _ask(Visit.of(request), "agents/stop.html")


@post(AGENT + "/stop", opt=page("agent.stop"), status_code=200)
async def stop_agent(request: WebRequest) -> Page:
    """Ask the agent to leave: after its job, or now."""
    visit = Visit.of(request)

    async def give(tx: Unit, access: Access, agent: Agent) -> Told:
        force = visit.form.text("when") == "now"
        return await visit.authority.controller.stop_in(tx, access.caller, access.id, agent.id, force=force)

    try:
        await _order(visit, give)
    except WatchwordError as error:
        return await _ask(visit, "agents/stop.html", error)
    return visit.go(at(visit), done="agent-stopping")


@get(AGENT + "/pause", opt=page("agent.pause"))
async def ask_before_pause(request: WebRequest) -> Page:
    """For how long, and a note for whoever wonders."""
    return await _ask(Visit.of(request), "agents/pause.html")


@post(AGENT + "/pause", opt=page("agent.pause"), status_code=200)
async def pause_agent(request: WebRequest) -> Page:
    """Give the agent no jobs for a while; the one that it runs goes on."""
    visit = Visit.of(request)

    async def give(tx: Unit, access: Access, agent: Agent) -> Told:
        pause = Pause(visit.form.text("note"), visit.form.number("minutes", -1), by=access.user.id)
        return await visit.authority.controller.pause_in(tx, access.caller, access.id, agent.id, pause)

    try:
        await _order(visit, give)
    except WatchwordError as error:
        return await _ask(visit, "agents/pause.html", error)
    return visit.go(at(visit), done="agent-paused")


@post(AGENT + "/resume", opt=page("agent.resume"), status_code=200)
async def resume_agent(request: WebRequest) -> Page:
    """Give the agent jobs again; one that is not paused is left as it is."""
    visit = Visit.of(request)

    async def give(tx: Unit, access: Access, agent: Agent) -> Told:
        return await visit.authority.controller.resume_in(tx, access.caller, access.id, agent.id)

    try:
        await _order(visit, give)
    except Conflict:
        return visit.go(at(visit))
    return visit.go(at(visit), done="agent-resumed")


HANDLERS = (show_agent, ask_before_stop, stop_agent, ask_before_pause, pause_agent, resume_agent)
