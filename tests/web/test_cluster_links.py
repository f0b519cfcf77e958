"""Every link and form on the pages of clusters, queues and agents leads to a page that there is."""

import re
from html import unescape
from urllib.parse import urlsplit

from console_client import Console, new_person
from console_places import cluster_at, give_cluster, queue_at
from services.scene import Scene
from support import World

_OURS = re.compile(r"/organizations/acme/(clusters|agents|unclustered)\b")
# Pages of tokens have tests of their own.
_OTHERS = re.compile(r"/tokens(/|$)")


def _targets(console: Console) -> set[str]:
    """Where the last page's links and forms lead."""
    found = re.findall(r'<form[^>]*action="([^"]+)"', console.last.text)
    return {
        urlsplit(each)._replace(fragment="").geturl() for each in (*console.links(), *map(unescape, found))
    }


def test_nothing_on_the_pages_leads_nowhere(admin: Console, world: World) -> None:
    scene = Scene(world)
    scene.queue("li-nux_1")
    busy, paused = scene.agent(), scene.agent(tags=("queue=li-nux_1",))
    scene.running(busy)
    scene.one_job()
    scene.agent(scene.token(unclustered=True))
    admin.post(f"agents/{paused.agent.id}/pause", {"minutes": "5"})
    admin.post(f"{queue_at(world)}/pause", {"note": "x"})
    admin.post(f"{cluster_at(world)}/secrets", {"key": "KEY", "value": "x"})
    give_cluster(world, new_person(world, "grace@example.com").id)
    other = admin.post("clusters", {"name": "Other"}).headers["location"].partition("?")[0]
    open_, seen = ["/organizations/acme/clusters"], set[str]()
    while open_:
        path = open_.pop()
        if _OTHERS.search(path):
            continue
        status = admin.get(path).status_code
        # A path that takes forms alone answers that it takes no other request.
        assert status in (200, 303, 405), (status, path)
        if status == 200:
            new = {each for each in _targets(admin) if _OURS.match(each)} - seen
            seen |= new
            open_ += sorted(new)
    assert {f"/organizations/acme/{queue_at(world, key)}" for key in ("default", "li-nux_1")} <= seen
    assert {f"{other}/{each}" for each in ("queues/new", "settings", "delete", "secrets/new")} <= seen
    for agent in (busy, paused):
        assert f"/organizations/acme/agents/{agent.agent.id}/stop" in seen
    assert f"/organizations/acme/agents/{paused.agent.id}/resume" in seen
    assert len(seen) > 50
