"""What webhooks are told of leaks: the case, its token and its addresses; nothing that is secret."""

import json
from typing import Any

import pytest

from services.hook_scene import HookScene
from services.leak_scene import GITHUB, LeakScene
from support import World
from watchword.domain.events import Action
from watchword.domain.ids import OrganizationId
from watchword.domain.leaks import Visibility
from watchword.domain.notifications import NotificationService
from watchword.services.accounts import create_organization
from watchword.services.context import LOCAL
from watchword.services.issuing import Issued, issue_api_token
from watchword.services.leakfinding import Item
from watchword.services.leakreports import Source

URL = "https://hooks.example/here"
WORDS = ("leak.opened", "leak.answered")


class Hooked(HookScene, LeakScene):
    """Leaks in organizations that have webhooks."""

    def hooked(self, organization_id: OrganizationId | None = None) -> NotificationService:
        return self.hook(URL, *WORDS, organization_id=organization_id)

    def reaching(self, organization_id: OrganizationId) -> Issued:
        """An API access token that reaches another organization too."""
        context, first = self.authority.context, self.first
        return self.run(
            context.store.write(
                lambda tx: issue_api_token(
                    context,
                    tx,
                    LOCAL,
                    self.organization_id,
                    first.admin.id,
                    "robot",
                    ("read_agents",),
                    0,
                    further=(organization_id,),
                )
            )
        )


@pytest.fixture
def scene(world: World) -> Hooked:
    return Hooked(world)


def one(bodies: list[dict[str, Any]]) -> dict[str, Any]:
    (body,) = bodies
    return body


def test_a_leak_and_its_answer_are_told(scene: Hooked) -> None:
    service = scene.hooked()
    issued = scene.api_token()
    scene.report(Item(value=issued.value, url="https://github.example/x", place="commit", exposed_at=7))
    assert scene.events_of(service) == list(WORDS)
    leak = scene.the_leak(issued.token)
    opened, answered = (one(scene.bodies(service, word)) for word in WORDS)
    keys = {
        "actor",
        "details",
        "event",
        "leak",
        "occurred_at",
        "organization",
        "request_ip",
        "sender",
        "token",
    }
    assert set(opened) == keys == set(answered)
    assert answered["leak"] == {
        "id": leak.id,
        "url": f"http://127.0.0.1:8080/v2/organizations/acme/leaks/{leak.id}",
        "web_url": f"http://127.0.0.1:8080/organizations/acme/leaks/{leak.id}",
        "token_id": issued.token.id,
        "kind": "api_access",
        "visibility": "public",
        "evidence": "value",
        "reporter": "github",
        "drill": False,
        "state": "open",
        "response": "revoke",
        "outcome": "revoked",
        "failure": None,
        "exposed_at": opened["leak"]["exposed_at"],
        "reported_at": opened["leak"]["reported_at"],
        "held_until": None,
    }
    assert (opened["leak"]["id"], opened["leak"]["outcome"]) == (leak.id, "none")
    assert (opened["token"]["state"], answered["token"]["state"]) == ("active", "revoked")
    assert opened["organization"]["slug"] == "acme"
    said = json.dumps([opened, answered])
    assert issued.value.reveal() not in said
    assert "github.example" not in said


def test_a_job_token_has_no_record_to_show(scene: Hooked) -> None:
    service = scene.hooked()
    accepted = scene.running(scene.agent())
    assert accepted.value is not None
    scene.report(accepted.value)
    opened = one(scene.bodies(service, "leak.opened"))
    assert opened["token"] is None
    assert (opened["leak"]["kind"], opened["leak"]["token_id"]) == ("job", accepted.job.id)


def test_an_organization_that_is_only_reached_hears_of_the_token_and_not_of_the_case(scene: Hooked) -> None:
    made = create_organization(scene.authority.context, LOCAL, "other", "Other", "o@example.com", "Olga")
    other = scene.run(made).organization
    home, reached = scene.hooked(), scene.hooked(other.id)
    issued = scene.reaching(other.id)
    scene.report(issued.value)
    assert scene.events_of(home) == list(WORDS)
    opened = one(scene.bodies(reached, "leak.opened"))
    leak = opened["leak"]
    assert (leak["id"], leak["url"], leak["outcome"]) == (None, None, None)
    assert leak["web_url"].endswith(f"/organizations/other/tokens/api/{issued.token.id}")
    assert opened["token"]["id"] == issued.token.id
    assert opened["organization"]["slug"] == "other"
    told = json.dumps(opened)
    assert scene.the_leak(issued.token).id not in told
    assert "acme" not in told.lower()


def test_repeats_are_not_told_and_drills_are_marked(scene: Hooked) -> None:
    service = scene.hooked()
    drill = Source(name="drill", visibility=Visibility.PUBLIC, drill=True)
    issued = scene.api_token()
    for source in (drill, drill, GITHUB):
        scene.report(issued.value, source=source)
    assert scene.events_of(service) == list(WORDS)
    assert one(scene.bodies(service, "leak.opened"))["leak"]["drill"] is True
    assert len(scene.events(Action.LEAK_OPENED)) == 1
