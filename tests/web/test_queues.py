"""Queues of a cluster on the console."""

from console_client import Console
from support import World


def test_a_cluster_opens_with_its_queues_in_the_frame_of_its_tabs(admin: Console, world: World) -> None:
    cluster = world.first.cluster
    answer = admin.get(f"clusters/{cluster.id}")
    assert answer.status_code == 200
    at = f"/organizations/acme/clusters/{cluster.id}"
    assert f'<a href="{at}" aria-current="page">Queues</a>' in answer.text
    for tab in ("agents", "tokens", "maintainers", "secrets", "settings"):
        assert f"{at}/{tab}" in admin.links()
    assert answer.text.count("<h1>") == 1


def test_a_cluster_that_is_nowhere_is_absent(admin: Console) -> None:
    assert admin.get("clusters/01890000-0000-7000-8000-000000000000").status_code == 404
    assert admin.get("clusters/nonsense").status_code == 404
