"""Fire drills on a running server: what they prove, what they say of a failure, what they leave behind."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from receiver import Receiver, Reply
from support import Client, FakeClock, LiveServer
from watchword import app
from watchword.cli import main as main_module
from watchword.domain.events import Action, Event
from watchword.domain.kinds import Kind
from watchword.domain.leaks import Leak, LeakState
from watchword.domain.tokens import DAY_US, State
from watchword.edge.logging import configure
from watchword.services import drills
from watchword.services.drills import Exercise, Unproved
from watchword.store.base import EVERYTHING, Page
from watchword.workers.frontdoor import FrontDoor

_APP = main_module.app
LEAK_STEPS = ["rules", "canary", "report", "refused", "case", "mail", "webhook", "repeat", "closed"]
ROTATION_STEPS = ["canary", "joined", "rotation", "both", "moved", "committed", "refused", "successor"]


@dataclass
class Host:
    """A server, and whoever types on its host."""

    server: LiveServer
    patch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]
    hooked: str = ""
    closed: bool = False

    def __call__(self, *words: str) -> tuple[int, str, str]:
        self.patch.setattr(main_module, "app", lambda: _APP([*words, "--data", str(self.data)]))
        code = 0
        try:
            main_module.main()
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = self.capture.readouterr()
        return code, out, err

    @property
    def data(self) -> Path:
        return self.server.settings.data

    def read(self, work: Any) -> Any:
        return self.server.run(self.server.authority.context.store.read(work))

    @property
    def owner(self) -> Any:
        return self.server.first.organization.id

    def cases(self) -> list[Leak]:
        return list(self.read(lambda tx: tx.leaks.list(self.owner, tuple(LeakState), Page(50))))

    def events(self, action: Action) -> list[Event]:
        found = self.read(lambda tx: tx.audit.events(self.owner, 0, 10_000))
        return [event for event in found if event.action is action]

    def subjects(self) -> list[str]:
        return [mail.subject for mail in self.read(lambda tx: tx.mails.list(EVERYTHING))]

    def canaries_alive(self) -> list[str]:
        """Descriptions of live tokens that drills made."""
        rows = self.read(lambda tx: tx.hygiene.reaching(self.owner, EVERYTHING))
        agents = self.read(
            lambda tx: tx.tokens.list(self.owner, Kind.AGENT, self.server.first.cluster.id, Page(100))
        )
        tokens = [row.token for row in rows] + list(agents)
        return [
            token.description
            for token in tokens
            if token.description.startswith("drill") and token.state is State.ACTIVE
        ]

    def hook(self, url: str) -> None:
        people = Client(self.server.url, self.server.first.api_token.value.reveal(), "Bearer")
        settings = {"url": url, "events": ["leak.opened", "leak.answered"], "token_mode": "signature"}
        made = people.call(
            "POST", "/v2/organizations/acme/services", {"provider": "webhook", "settings": settings}
        )
        assert made.status == 201, made
        self.hooked = made.body["id"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def clock() -> FakeClock | None:
    return None


@pytest.fixture
def host(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    clock: FakeClock | None,
) -> Iterator[Host]:
    # The workers' rounds are what a drill waits for.
    monkeypatch.setattr(app, "_MAIL_SECONDS", 0.1)
    monkeypatch.setattr(app, "_LEAKS_SECONDS", 0.1)
    server = LiveServer(tmp_path, clock, egress_allow="127.0.0.0/8")
    made = Host(server, monkeypatch, capsys)
    yield made
    if not made.closed:
        server.close()
    configure("warning", "text", ("bk",), sys.__stderr__)


def verdicts(drill: Any) -> dict[str, str]:
    return {step["step"]: step["verdict"] for step in drill["steps"]}


def test_a_drill_of_a_leak_proves_every_step_and_leaves_nothing_behind(
    host: Host, receiver: Receiver
) -> None:
    host.hook(receiver.url)
    code, out, _ = host("drill", "leak", "--json")
    drill = json.loads(out)
    assert (code, drill["passed"]) == (0, True), drill
    assert verdicts(drill) == dict.fromkeys(LEAK_STEPS, "passed")
    (leak,) = host.cases()
    assert (leak.id, leak.state, leak.drill) == (drill["leak_id"], LeakState.CLOSED, True)
    assert leak.note == "The drill passed."
    (subject,) = host.subjects()
    assert subject.startswith("DRILL: API access token 'drill ")
    (letter,) = host.data.glob("mail/*.eml")
    assert "Subject: DRILL" in letter.read_text()
    told = [json.loads(got.body) for got in receiver.received]
    assert [each["event"] for each in told] == ["leak.opened", "leak.answered"]
    assert all(each["leak"]["drill"] is True for each in told)
    assert not host.canaries_alive()
    (event,) = host.events(Action.DRILL_PASSED)
    assert (event.subject_id, event.actor_kind) == (leak.id, "system")
    # Nobody but a drill that is under way speaks for `drill`.
    assert Client(host.server.url, "").call("POST", "/leaks/partners/drill", []).status in (401, 403, 404)


def test_a_drill_of_a_rotation_moves_an_agent_and_refuses_the_old_value(host: Host) -> None:
    code, out, _ = host("drill", "rotation", "--json")
    drill = json.loads(out)
    assert (code, drill["passed"]) == (0, True), drill
    assert verdicts(drill) == dict.fromkeys(ROTATION_STEPS, "passed")
    details = {step["step"]: step["detail"] for step in drill["steps"]}
    assert details["committed"] == "committed: moved"
    assert details["refused"] == "401 token_superseded"
    assert not host.server.authority.fleet.agents
    assert not host.canaries_alive()
    assert not host.read(lambda tx: tx.incidents.list(host.owner, EVERYTHING))


def test_a_drill_that_fails_says_where_and_its_case_stays_open_until_one_passes(
    host: Host, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drills, "PATIENCE_S", 1.0)
    receiver.reply = lambda _: Reply(500)
    host.hook(receiver.url)
    (host.data / "mail").write_text("no folder")
    code, out, err = host("drill", "leak")
    assert code == 1
    assert "Drill of a leak in acme: FAILED" in err
    rows = [line.split("\t") for line in out.splitlines()]
    failed = {row[0]: row[3] for row in rows if row[1] == "failed"}
    assert set(failed) == {"mail", "webhook"}
    assert failed["webhook"].endswith("the receiver answered 500")
    assert failed["mail"].startswith("admin@example.com: not sent yet")
    (open_,) = host.cases()
    assert (open_.state, open_.note) == (LeakState.OPEN, "The drill failed: mail, webhook.")
    assert not host.canaries_alive()
    assert len(host.events(Action.DRILL_FAILED)) == 1
    (host.data / "mail").unlink()
    receiver.reply = lambda _: Reply()
    monkeypatch.setattr(drills, "PATIENCE_S", 20.0)
    disable(host)
    code, out, _ = host("drill", "leak", "--json")
    assert (code, verdicts(json.loads(out))["webhook"]) == (0, "skipped")
    assert [case.state for case in host.cases()] == [LeakState.CLOSED, LeakState.CLOSED]


def disable(host: Host) -> None:
    """Switch the webhook off, so that its earlier failures hold nothing up."""
    people = Client(host.server.url, host.server.first.api_token.value.reveal(), "Bearer")
    assert people.call("DELETE", f"/v2/organizations/acme/services/{host.hooked}").status == 204


def test_without_a_server_nothing_is_drilled(host: Host) -> None:
    host.server.close()
    host.closed = True
    code, _, err = host("drill", "leak")
    assert code == 1
    assert "not_serving" in err


class TestSchedule:
    """Drills that the server holds by itself."""

    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    def test_drills_are_held_when_they_are_due_and_failures_are_mailed(
        self, host: Host, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house = host.server.application.drills

        def days(count: int) -> int:
            """So many days go by; how many cases there are after the next round."""
            clock.forward(count * DAY_US)
            host.server.run(house.keep())
            return len(host.cases())

        assert days(100) == 0
        house.days = 30
        assert days(0) == 1
        assert days(29) == 1
        assert days(1) == 2
        assert len(host.events(Action.DRILL_PASSED)) == 4
        assert not [subject for subject in host.subjects() if "FAILED" in subject]
        monkeypatch.setattr(drills, "PATIENCE_S", 0.5)
        (host.data / "mail").rename(host.data / "old mail")
        (host.data / "mail").write_text("no folder")
        assert days(30) == 3
        failed = [subject for subject in host.subjects() if "FAILED" in subject]
        assert failed == ["DRILL FAILED: leak of Acme"]

    def test_a_drill_that_makes_no_case_is_tried_again_once_a_day(
        self, host: Host, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house = host.server.application.drills
        house.days = 30
        clock.forward(31 * DAY_US)
        monkeypatch.setattr(FrontDoor, "send", nowhere)
        for _ in range(3):
            host.server.run(house.keep())
        assert len(host.events(Action.DRILL_FAILED)) == len(Exercise)
        assert not host.canaries_alive()
        clock.forward(DAY_US)
        host.server.run(house.keep())
        assert len(host.events(Action.DRILL_FAILED)) == 2 * len(Exercise)
        assert len([subject for subject in host.subjects() if "FAILED" in subject]) == 2 * len(Exercise)


async def nowhere(*_: Any) -> tuple[int, bytes]:
    raise Unproved("the server did not answer: ConnectError")
