"""Secrets of a cluster on the console: a value goes in and never comes out."""

import pytest

from console_client import Console
from console_places import NOWHERE, cluster_at, maintainer_of, member_of
from rest_client import Rest
from support import World
from watchword.services.queries import Unit
from watchword.services.secrets import open_secret
from watchword.store.base import EVERYTHING

VALUE = "-----BEGIN KEY-----\nfZ3kQ9\n-----END KEY-----\n"


def values(world: World) -> list[str]:
    """What the cluster's secrets hold."""
    cluster = world.first.cluster

    async def work(tx: Unit) -> list[str]:
        found = await tx.secrets.list(cluster.organization_id, cluster.id, EVERYTHING)
        return [open_secret(world.context, each).reveal() for each in found]

    return world.run(world.context.store.read(work))


def links(console: Console, end: str) -> list[str]:
    return [link for link in console.links() if link.endswith(end)]


def test_a_secret_is_made_changed_and_deleted_and_never_shown(admin: Console, world: World) -> None:
    at = f"{cluster_at(world)}/secrets"
    seen = [admin.get(at), admin.get(f"{at}/new")]
    fields = {"key": "DEPLOY", "value": VALUE.replace("\n", "\r\n"), "description": "<b>d</b>"}
    seen.append(admin.post(at, fields, follow=True))
    assert "The secret is created." in admin.text()
    assert "All jobs of the cluster" in admin.text()
    assert values(world) == [VALUE]
    (edit,), (value,), (gone,) = (links(admin, end) for end in ("/edit", "/value", "/delete"))
    seen += [admin.get(edit), admin.get(value), admin.get(gone)]
    policy = {"description": "new", "policy": "- pipeline_slug: app"}
    seen.append(admin.post(edit, policy, follow=True))
    assert "Jobs that its policy names" in admin.text()
    assert values(world) == [VALUE]
    seen.append(admin.post(value, {"value": "second"}, follow=True))
    assert "The secret has its new value." in admin.text()
    assert values(world) == ["second"]
    seen.append(admin.post(gone, follow=True))
    assert "The secret is deleted." in admin.text()
    assert values(world) == []
    assert not [page for page in seen if "fZ3kQ9" in page.text or "second" in page.text]


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"key": "1x"}, "invalid_secret_key", "key"),
        ({"key": "buildkite_x"}, "invalid_secret_key", "key"),
        ({"value": "fZ3kQ9" * 2000}, "invalid_secret_value", "value"),
        ({"policy": "text"}, "invalid_policy", "policy"),
        ({"policy": "[unclosed"}, "invalid_yaml", "policy"),
        ({"key": "TAKEN"}, "taken", "key"),
    ],
)
def test_a_secret_that_does_not_fit_comes_again_without_its_value(
    admin: Console, world: World, changes: dict[str, str], code: str, field: str
) -> None:
    at = f"{cluster_at(world)}/secrets"
    admin.post(at, {"key": "TAKEN", "value": "x"})
    fields = {"key": "KEY", "value": "fZ3kQ9", "description": "kept words", **changes}
    answer = admin.post(at, fields)
    assert answer.status_code == 422
    assert code in admin.text()
    assert f'href="#f-{field}"' in answer.text
    assert "kept words" in answer.text
    assert "fZ3kQ9" not in answer.text


def test_members_see_nothing_of_secrets_and_maintainers_all_but_values(world: World, admin: Console) -> None:
    at = f"{cluster_at(world)}/secrets"
    admin.post(at, {"key": "DEPLOY", "value": "x"})
    maintainer, member = maintainer_of(world), member_of(world)
    assert "DEPLOY" in maintainer.get(at).text
    (edit,) = links(maintainer, "/edit")
    for path in (at, f"{at}/new", edit):
        assert member.get(path).status_code == 403
    for path in (at, edit, edit.replace("/edit", "/value"), edit.replace("/edit", "/delete")):
        assert member.post(path, {"key": "x", "value": "y"}).status_code == 403
    assert "/secrets" not in " ".join(member.get(cluster_at(world)).text.split('"'))


def test_secrets_of_another_cluster_are_absent(admin: Console, world: World) -> None:
    admin.post(f"{cluster_at(world)}/secrets", {"key": "DEPLOY", "value": "x"}, follow=True)
    (edit,) = links(admin, "/edit")
    other = admin.post("clusters", {"name": "Other"}).headers["location"].partition("?")[0]
    for page in ("edit", "value", "delete"):
        elsewhere = f"{other}/secrets/{edit.split('/')[-2]}/{page}"
        assert admin.get(elsewhere).status_code == 404
        assert admin.post(elsewhere, {"value": "y"}).status_code == 404
        assert admin.get(f"{other}/secrets/{NOWHERE}/{page}").status_code == 404


def test_a_policy_is_explained_for_a_job_that_is_imagined(admin: Console, world: World) -> None:
    at = f"{cluster_at(world)}/secrets"
    Rest(world)(
        "POST", "pipelines", json={"name": "app", "repository": "x", "cluster_id": world.first.cluster.id}
    )
    policy = "- {pipeline_slug: app, build_branch: main}\n- build_source: schedule\n"
    admin.post(at, {"key": "DEPLOY", "value": "x", "policy": policy}, follow=True)
    (link,) = links(admin, "/explain")
    admin.get(link)
    assert "Nothing is read or recorded" in admin.text()
    admin.get(f"{link}?pipeline=app&branch=main")
    assert "The job gets the secret" in admin.text()
    assert "Rule 2: does not match" in admin.text()
    admin.get(f"{link}?pipeline=app&branch=main&pull_request=fork")
    assert "The job does not get the secret" in admin.text()
    assert admin.get(f"{link}?pipeline=app&pull_request=odd").status_code == 422
    assert admin.get(f"{link}?pipeline=none").status_code == 422
