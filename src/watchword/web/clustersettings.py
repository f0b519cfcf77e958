"""Settings of a cluster: how it is called and looks, its default queue; and its end."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from litestar import get, post

from watchword.domain.accounts import Cluster, Queue
from watchword.domain.errors import Invalid, WatchwordError
from watchword.domain.ids import QueueId
from watchword.services.accounts import delete_cluster, save_cluster
from watchword.services.maintainers import appointments_of
from watchword.services.queries import Access, Unit, pipelines_of, queues_of
from watchword.services.queries import Page as Window
from watchword.services.rosters import Crew, joinable
from watchword.services.secrets import secrets_of
from watchword.web.clusters import CLUSTER, base, cluster_here, home
from watchword.web.forms import Problem
from watchword.web.needs import page
from watchword.web.queues import ALL
from watchword.web.visit import Page, Visit, WebRequest

# So many of a thing are counted before "or more" is said.
MOST = 100


@dataclass(frozen=True, slots=True)
class Contents:
    """What a cluster's deletion touches, counted before it is done.

    Attributes:
        pipelines: slugs of its pipelines, which start no builds without it; cut after `MOST` of them.
        tokens: how many of its agent tokens let agents join now.
    """

    cluster: Cluster
    queues: Sequence[Queue]
    crew: Crew
    pipelines: Sequence[str]
    tokens: int
    secrets: int
    maintainers: int

    @property
    def connected(self) -> bool:
        """Whether anything hangs on it, so that its name is to be typed."""
        return bool(self.crew.live or self.crew.waiting or self.crew.running)


async def _form(visit: Visit, tx: Unit, access: Access) -> tuple[Cluster, Sequence[Queue]]:
    cluster = await cluster_here(visit, tx, access)
    return cluster, await queues_of(tx, cluster, ALL)


async def _show_form(visit: Visit, *errors: WatchwordError) -> Page:
    cluster, queues = await visit.read(partial(_form, visit))
    problems = [_named(error) for error in errors]
    return visit.show_again("clusters/settings.html", *problems, cluster=cluster, queues=queues)


def _named(error: WatchwordError) -> WatchwordError | Problem:
    return Problem.of(error, "default_queue") if error.code == "unknown_queue" else error


@get(CLUSTER + "/settings", opt=page("cluster.update"))
async def ask_for_settings(request: WebRequest) -> Page:
    """The form of the cluster as it is."""
    return await _show_form(Visit.of(request))


@post(CLUSTER + "/settings", opt=page("cluster.update"), status_code=200)
async def change_settings(request: WebRequest) -> Page:
    """Change name, description, emoji, color and default queue."""
    visit = Visit.of(request)
    asked = visit.form

    async def work(tx: Unit, access: Access) -> None:
        cluster = await cluster_here(visit, tx, access)
        queue = asked.text("default_queue")
        changed = replace(
            cluster,
            name=asked.text("name"),
            description=asked.text("description"),
            emoji=asked.text("emoji"),
            color=asked.text("color"),
            default_queue_id=QueueId(queue) if queue else None,
        )
        await save_cluster(visit.context, tx, access.caller, changed)

    try:
        await visit.write(work)
    except WatchwordError as error:
        return await _show_form(visit, error)
    return visit.go(f"{home(visit)}/settings", done="cluster-updated")


# -- the end ---------------------------------------------------------------------------------------


async def _contents(visit: Visit, tx: Unit, access: Access) -> Contents:
    cluster = await cluster_here(visit, tx, access)
    queues = await queues_of(tx, cluster, ALL)
    window = Window(MOST + 1)
    pipelines = await pipelines_of(tx, access.id, window, lambda one: one.cluster_id == cluster.id)
    return Contents(
        cluster,
        queues,
        Crew.together(visit.authority.rosters.crew(queue.id) for queue in queues),
        [pipeline.slug for pipeline in pipelines],
        (await joinable(tx, access.id, visit.now)).get(cluster.id, 0),
        len(await secrets_of(tx, cluster, window)),
        len(await appointments_of(tx, access, cluster)),
    )


@get(CLUSTER + "/delete", opt=page("cluster.delete"))
async def ask_before_deletion(request: WebRequest) -> Page:
    """What breaks with the cluster."""
    return await _show_question(Visit.of(request))


async def _show_question(visit: Visit, *errors: WatchwordError) -> Page:
    contents = await visit.read(partial(_contents, visit))
    return visit.show_again(
        "clusters/delete.html", *errors, cluster=contents.cluster, contents=contents, most=MOST
    )


@post(CLUSTER + "/delete", opt=page("cluster.delete", fresh=True), status_code=200)
async def remove_cluster(request: WebRequest) -> Page:
    """Delete the cluster and revoke its agent tokens; its name is typed where something hangs on it."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        contents = await _contents(visit, tx, access)
        cluster = contents.cluster
        if contents.connected and visit.form.text("confirm") != cluster.name:
            raise Invalid("Type the cluster's name to delete it.", code="not_confirmed")
        await delete_cluster(visit.context, tx, access.caller, cluster, access.user.id)

    try:
        await visit.write(work)
    except WatchwordError as error:
        return await _show_question(visit, error)
    return visit.go(base(visit), done="cluster-deleted")


HANDLERS = (ask_for_settings, change_settings, ask_before_deletion, remove_cluster)
