"""The overview of an organization: what needs attention now, who works, what happened lately."""

from dataclasses import dataclass

from litestar import get

from watchword.services.overview import Activity, AgentFigures, JobFigures, Overview, RotationUnderWay
from watchword.services.queries import Access, Unit
from watchword.web.activity import charts
from watchword.web.concerns import show_concern
from watchword.web.needs import page
from watchword.web.tokenrows import NO_NAME, token_path
from watchword.web.visit import Page, Visit, WebRequest

_MONTH = "month"


@dataclass(frozen=True, slots=True)
class ShownRotation:
    """A rotation under way; `told` says how far it is."""

    under_way: RotationUnderWay
    path: str
    name: str
    told: str


def _show_rotation(slug: str, one: RotationUnderWay) -> ShownRotation:
    moved, total = one.progress.moved, one.progress.total
    told = (
        f"{moved} of {total} agents moved" if one.rotation.shared else "waits for the new value's first use"
    )
    if one.rotation.shared and not total:
        told = "no agents are connected"
    path = token_path(slug, one.predecessor)
    return ShownRotation(one, f"{path}/rotate", one.predecessor.description.strip() or NO_NAME, told)


@get("/organizations/{org:str}", opt=page("organization.read"))
async def show_overview(request: WebRequest) -> Page:
    """Everything for administrators; others see what works, and what happened."""
    visit = Visit.of(request)
    overseer, slug = visit.authority.overseer, visit.path("org")
    month = visit.query.text("span") == _MONTH

    async def work(tx: Unit, access: Access) -> tuple[Access, JobFigures, Activity]:
        activity = overseer.last_month_in if month else overseer.last_day_in
        return access, await overseer.jobs_in(tx, access.id), await activity(tx, access.id)

    access, jobs, activity = await visit.read(work)
    found: Overview | None = None
    if access.may("hygiene.read"):
        found = await overseer.look(access)
    agents: AgentFigures = overseer.agents(access.id)
    return visit.show(
        "overview/index.html",
        at=f"/organizations/{slug}",
        agents=agents,
        jobs=jobs,
        found=found,
        concerns=[show_concern(slug, each) for each in found.concerns] if found is not None else [],
        rotations=[_show_rotation(slug, each) for each in found.rotations] if found is not None else [],
        charts=charts(activity),
        month=month,
    )


HANDLERS = (show_overview,)
