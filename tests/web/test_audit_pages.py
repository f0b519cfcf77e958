"""The audit trail and the API access audit on the console."""

import asyncio
import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import pytest

from console_client import Console, new_person
from rest_client import Rest, api_token
from services.scene import Scene
from support import World
from watchword.domain.accounts import Role
from watchword.domain.audittrail import Head
from watchword.domain.events import Action, Event
from watchword.services import trailsearch
from watchword.services.accounts import add_cluster
from watchword.services.auditing import events_of, heads_of
from watchword.services.context import LOCAL
from watchword.services.issuing import issue_api_token
from watchword.services.sealing import Sealer
from watchword.services.trailexport import ExportLine
from watchword.store.engine import Statement
from watchword.store.tables import audit_events
from watchword.web import auditchecks
from watchword.web.trailwords import in_words


class Outside:
    """Heads outside the database, as a file would keep them."""

    def __init__(self) -> None:
        self.kept: list[Head] = []
        self.broken = False

    async def publish(self, heads: Sequence[tuple[Head, bytes]]) -> None:
        self.kept += [head for head, _ in heads]

    async def heads(self) -> Sequence[Head]:
        if self.broken:
            raise OSError("gone")
        return self.kept


def events(world: World) -> list[Event]:
    """All events, newest first."""

    async def read() -> list[Event]:
        return [event async for event in events_of(world.store, world.first.organization.id)]

    return world.run(read())[::-1]


def seal(world: World) -> Outside:
    outside = Outside()
    world.authority.trail_checks.published = outside
    world.run(Sealer(world.context, [outside], 0).seal())
    return outside


def run(world: World, statement: Any) -> None:
    """Change the database behind the server's back."""

    async def work(tx: Any) -> None:
        await tx.audit._cx.run(Statement(statement), {})

    world.run(world.context.store.write(work))


# -- the trail -----------------------------------------------------------------------------------


def test_each_row_says_who_did_what_and_leads_there(admin: Console, world: World) -> None:
    scene = Scene(world)
    agent = scene.register(name="one").agent
    admin.post("clusters", {"name": "Farm <b>"})
    admin.get("settings/audit")
    text, links = admin.text(), admin.links()
    assert "Cluster created" in text
    assert "Farm &lt;b&gt;" in admin.last.text
    first = world.first
    token = first.agent_token.token.id
    at = "/organizations/acme"
    assert f"{at}/clusters/{first.cluster.id}/tokens/{token}" in links
    assert f"{at}/tokens/api/{first.api_token.token.id}" in links
    assert f"{at}/agents/{agent.id}" in links
    assert f"{at}/clusters/{first.cluster.id}" in links
    assert f"{at}/settings/members/{first.admin.id}" in links
    for event in events(world):
        assert f"{at}/settings/audit/{event.id}" in links


def shown(console: Console, world: World, query: str) -> list[Action]:
    """What the page of a query lists, newest first."""
    page = console.get(f"settings/audit?{query}")
    assert page.status_code == 200
    by_id = {str(event.id): event.action for event in events(world)}
    links = [link.rpartition("/")[2] for link in console.links() if "/settings/audit/" in link]
    return [by_id[link] for link in links if link in by_id]


def test_filters_find_by_action_actor_token_agent_and_time(admin: Console, world: World) -> None:
    scene = Scene(world)
    agent = scene.register(name="one").agent
    scene.forward(3600)
    admin.sign_in_as(world.first.admin)
    ben = new_person(world, "ben@example.com", Role.ADMIN)
    other = Console(world)
    other.sign_in_as(ben)
    other.post("clusters", {"name": "Ben's"})
    Rest(world)("POST", "clusters", json={"name": "by a token"})
    assert shown(admin, world, "action=agent.registered") == [Action.AGENT_REGISTERED]
    assert set(shown(admin, world, "action=token.")) == {Action.TOKEN_CREATED}
    for who in (ben.id, ben.email.upper(), "ben"):
        assert Action.CLUSTER_CREATED in shown(admin, world, f"who={who}&action=cluster.created")
        assert len(shown(admin, world, f"who={who}&action=cluster.created")) == 1
    assert shown(admin, world, "who=nobody@example.com") == []
    token = world.first.agent_token.token.id
    assert shown(admin, world, f"token={token}") == [Action.AGENT_REGISTERED, Action.TOKEN_CREATED]
    own = world.first.api_token.token.id
    assert shown(admin, world, f"token={own}") == [Action.CLUSTER_CREATED, Action.TOKEN_CREATED]
    assert shown(admin, world, f"agent={agent.id}") == [Action.AGENT_REGISTERED]
    # The clock began at 2027-01-15T08:00 and went on by an hour.
    assert Action.AGENT_REGISTERED not in shown(admin, world, "since=2027-01-15T08:30")
    assert Action.CLUSTER_CREATED in shown(admin, world, "since=2027-01-15T08:30")
    assert Action.AGENT_REGISTERED in shown(admin, world, "until=2027-01-15T08:30")
    assert shown(admin, world, "until=2026-01-01T00:00") == []
    assert shown(admin, world, "since=2030-01-01T00:00") == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("action=nonsense", "unknown_event"),
        ("token=x", "invalid_token_id"),
        ("agent=x", "invalid_agent_id"),
        ("since=yesterday", "invalid_since"),
        ("until=9999999999", "invalid_until"),
    ],
)
def test_a_filter_that_cannot_be_read_is_named(admin: Console, query: str, code: str) -> None:
    assert admin.get(f"settings/audit?{query}").status_code == 422
    assert code in admin.text()
    name, _, value = query.partition("=")
    assert name == "action" or f'value="{value}"' in admin.last.text


def add_clusters(world: World, count: int) -> None:
    organization = world.first.organization.id

    async def work(tx: Any) -> None:
        for number in range(count):
            await add_cluster(world.context, tx, LOCAL, organization, f"Cluster {number}")

    world.run(world.context.store.write(work))


def test_a_long_trail_is_read_page_by_page(admin: Console, world: World) -> None:
    add_clusters(world, 130)
    seen = []
    path = "settings/audit"
    while path:
        admin.get(path)
        seen += [int(one) for one in _numbers(admin)]
        path = next((link for link in admin.links() if "before=" in link), "")
    assert seen == [event.sequence for event in events(world)]
    assert "/organizations/acme/settings/audit" in admin.links()


def _numbers(console: Console) -> list[str]:
    body = console.last.text.split("<tbody>")[1] if "<tbody>" in console.last.text else ""
    return [part.partition("<")[0] for part in body.split('<td class="number">')[1:]]


def test_a_search_stops_after_enough_and_goes_on_where_it_stopped(
    admin: Console, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trailsearch, "_PART", 7)
    monkeypatch.setattr(trailsearch, "MAX_SEARCHED", 40)
    add_clusters(world, 100)
    token = world.first.agent_token.token.id
    admin.get(f"settings/audit?token={token}")
    steps = 0
    while not _numbers(admin):
        assert "Look further back" in admin.text()
        admin.get(next(link for link in admin.links() if "before=" in link))
        steps += 1
    assert steps >= 2
    assert "Agent token created" in admin.text()
    assert "Look further back" not in admin.text()


def test_one_events_page_says_all_that_is_known_of_it(admin: Console, world: World) -> None:
    admin.post("settings/banner", {"message": "<script>alert(1)</script>"})
    (event,) = [one for one in events(world) if one.action is Action.BANNER_CREATED]
    page = admin.get(f"settings/audit/{event.id}")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert "<script>alert" not in page.text
    text = admin.text()
    for part in ("OrganizationBannerCreatedEvent", "203.0.113.9", "r-1", event.id, "not yet"):
        assert part in text
    seal(world)
    assert f"under the head of event {event.sequence}" in admin.get(f"settings/audit/{event.id}").text


# -- verify and export ---------------------------------------------------------------------------


def verify(console: Console) -> str:
    console.get("settings/audit/verify")
    assert console.post("settings/audit/verify", follow=True).status_code == 200
    return console.text()


def test_an_intact_trail_is_said_to_be_intact_with_its_positions(admin: Console, world: World) -> None:
    seal(world)
    admin.post("clusters", {"name": "later"})
    text = verify(admin)
    count = len(events(world))
    assert "The trail is intact" in text
    assert f"{count} events up to number {count}, compared with 1 signed head." in text
    assert f"The newest 1 event after number {count - 1} are not sealed yet." in text
    assert "Ada Admin asked for this check" in text
    assert "Check again" in text


def test_what_was_changed_or_cut_off_is_found_with_its_positions(admin: Console, world: World) -> None:
    add_clusters(world, 3)
    seal(world)
    last = events(world)[0].sequence
    run(world, audit_events.update().where(audit_events.c.sequence == 3).values(actor_name="Nobody"))
    text = verify(admin)
    assert "The trail is not intact" in text
    assert "event_altered" in text
    run(world, audit_events.delete().where(audit_events.c.sequence > last - 2))
    text = verify(admin)
    assert "trail_truncated" in text
    assert f"{last - 1} to {last}" in text


def test_without_published_heads_one_is_told_what_does_not_show(admin: Console, world: World) -> None:
    assert "whether the end of the trail was cut off does not show" in verify(admin)
    seal(world).broken = True
    assert "The trail could not be checked" in verify(admin)


def test_a_check_that_takes_long_is_joined_and_looked_at_again(
    admin: Console, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditchecks, "_WAIT_S", 0.0)
    held = asyncio.Event()

    class Slow(Outside):
        async def heads(self) -> Sequence[Head]:
            await held.wait()
            return []

    world.authority.trail_checks.published = Slow()
    assert "A check is under way" in verify(admin)
    began = world.authority.trail_checks.latest(world.first.organization.id)
    verify(admin)
    assert world.authority.trail_checks.latest(world.first.organization.id) is began
    held.set()
    world.run(asyncio.sleep(0.01))
    admin.get("settings/audit/verify")
    assert "The trail is intact" in admin.text()
    assert "A check is under way" not in admin.text()
    world.run(world.authority.trail_checks.stop())


def test_an_export_is_what_the_command_writes(admin: Console, world: World) -> None:
    seal(world)
    answer = admin.get("settings/audit.jsonl")
    assert answer.headers["content-disposition"] == 'attachment; filename="acme-audit.jsonl"'
    assert answer.headers["cache-control"] == "no-store"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["event"]["sequence"] for line in lines if "event" in line] == [
        event.sequence for event in events(world)[::-1]
    ]
    heads = world.run(heads_of(world.store, world.first.organization.id))
    assert [line["head"]["link"] for line in lines if "head" in line] == [head.link.hex() for head in heads]
    assert len(heads) == 1
    assert ExportLine.__struct_fields__ == ("event", "head")


# -- API access audit ----------------------------------------------------------------------------


def test_the_access_audit_names_tokens_owners_scopes_and_networks(admin: Console, world: World) -> None:
    issued = api_token(world, "read_agents", "read_builds", email="ben@example.com", role=Role.MEMBER)
    Rest(world, issued.value)("GET", "agents")
    page = admin.get("settings/access-audit")
    assert page.status_code == 200
    text = admin.text()
    assert "ben@example.com" in text
    assert "read_agents read_builds" in text
    assert "from 203.0.113.9" in text
    path = f"/organizations/acme/tokens/api/{issued.token.id}"
    assert {path, f"{path}/remove"} <= set(admin.links())
    for query, inside in (
        ("user=ben@example.com", True),
        ("user=admin@example.com", False),
        ("scope=read_builds", True),
        ("scope=write_secrets&role=member", False),
        ("ip=203.0.113.0/24", True),
        ("ip=198.51.100.1", False),
        ("role=member", True),
        ("role=admin", False),
    ):
        admin.get(f"settings/access-audit?{query}")
        assert (path in admin.links()) is inside, query
    assert admin.get("settings/access-audit?ip=nowhere").status_code == 422
    assert "invalid_network" in admin.text()


def test_the_csv_is_that_of_rest_and_runs_nothing(admin: Console, world: World) -> None:
    first, context = world.first, world.context
    world.run(
        context.store.write(
            lambda tx: issue_api_token(
                context, tx, LOCAL, first.organization.id, first.admin.id, "=1+1", ("read_agents",), 0
            )
        )
    )
    Rest(world)("GET", "agents")
    admin.get("settings/access-audit?user=admin@example.com")
    (link,) = [one for one in admin.links() if ".csv" in one]
    assert link == "/organizations/acme/settings/access-audit.csv?user=admin%40example.com"
    answer = admin.get(link)
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="api-access-audit.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert "'=1+1" in [row["Token Description"] for row in rows]
    assert answer.text == Rest(world)("GET", "api-access-audit.csv").text
    assert admin.get("settings/access-audit.csv?user=nobody@example.com").text.count("\n") == 1


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("CLUSTER_TOKEN_CREATED", "Agent token created"),
        ("AGENT_TOKEN_CREATED", "Unclustered agent token created"),
        ("AGENT_CONNECTED", "Agent connected"),
        ("API_ACCESS_TOKEN_ORGANIZATION_ACCESS_REVOKED", "API access token organization access revoked"),
        ("ORGANIZATION_MEMBER", "Member"),
        ("user.totp_enabled", "User TOTP enabled"),
    ],
)
def test_words_of_the_catalogue_read_as_people_say_them(word: str, said: str) -> None:
    assert in_words(word) == said
