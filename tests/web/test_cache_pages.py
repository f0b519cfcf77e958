"""Cache registries on the console."""

from console_client import Console
from console_places import cluster_at
from support import World


def test_a_registry_is_made_and_deleted(admin: Console, world: World) -> None:
    at = f"{cluster_at(world)}/caches"
    admin.get(at)
    assert "No caches yet" in admin.text()
    wrong = admin.post(at, {"name": "A", "sharing": "everybody", "keep_days": "7"})
    assert wrong.status_code == 422
    admin.post(at, {"name": "Built things", "sharing": "pipeline", "keep_days": "9"}, follow=True)
    assert "The cache registry is created." in admin.text()
    assert "All jobs of a pipeline, pull requests included" in admin.text()
    (link,) = [link for link in admin.links() if "/caches/" in link]
    admin.get(link)
    assert "Nothing saved yet" in admin.text()
    admin.post(f"{link}/delete", follow=True)
    assert "The cache registry is deleted." in admin.text()
