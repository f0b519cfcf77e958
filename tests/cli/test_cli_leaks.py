"""`watchword leak`: cases listed, shown, answered, closed, reported; and what follows a leak."""

import io
import json
import sys

import pytest

from cli_harness import Shell
from services.leak_scene import LeakScene
from services.scene import ADDRESS
from support import World
from watchword.domain.kinds import Kind
from watchword.domain.leaks import LeakState, Outcome


@pytest.fixture
def leaks(world: World) -> LeakScene:
    return LeakScene(world)


def test_a_case_from_its_report_to_its_end(shell: Shell, leaks: LeakScene) -> None:
    assert shell("leak", "list", "--json").json == []
    issued = leaks.token()
    leaks.report(issued.value)
    leaks.agent(issued, name="stranger")
    leak = leaks.the_leak(issued.token)
    listed = shell("leak", "list", "--state", "open", "--kind", "agent")
    assert leak.id in listed.out
    assert shell("leak", "list", "--state", "closed", "--json").json == []
    shown = shell("leak", "show", leak.id)
    for words in (
        "https://example.com/a",
        "stranger",
        "yes",
        "leak.opened",
        "What to do now:",
        "Revoke the token",
    ):
        assert words in shown.out, words
    for step, outcome in (
        (("respond", leak.id, "quarantine"), "quarantined"),
        (("release", leak.id), "released"),
    ):
        assert shell("leak", *step, "--json").json["outcome"] == outcome
    refused = shell("leak", "respond", leak.id, "revoke")
    assert (refused.code, "--yes" in refused.err) == (1, True)
    done = shell("leak", "respond", leak.id, "revoke", "--mode", "cut", "--yes")
    assert "revoked" in done.out
    assert leaks.reason_from(issued.value.reveal(), ADDRESS) == "token_revoked"
    assert "an old fork" in shell("leak", "close", leak.id, "--note", "an old fork").out
    assert leaks.the_leak(issued.token).state is LeakState.CLOSED
    assert shell("leak", "reopen", leak.id, "--json").json["state"] == "open"


def test_exports_are_printed(shell: Shell, leaks: LeakScene) -> None:
    issued = leaks.token()
    leaks.report(issued.value)
    leak = leaks.the_leak(issued.token)
    assert shell("leak", "show", leak.id, "--export", "md").out.startswith("# Leak of an agent token")
    assert shell("leak", "show", leak.id, "--export", "csv").out.startswith("What,When")
    assert json.loads(shell("leak", "show", leak.id, "--export", "json").out)["id"] == leak.id
    assert shell("leak", "show", leak.id, "--export", "exe").code == 1


def test_a_value_is_reported_from_standard_input(
    shell: Shell, leaks: LeakScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = leaks.api_token()
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"TOKEN={issued.value.reveal()}\n"))
    told = shell("leak", "report", "--url", "a wiki", "--visibility", "public")
    assert "done with it: revoked" in told.out
    assert issued.value.reveal() not in told.out + told.err
    assert leaks.reason(issued.value.reveal(), (Kind.API_ACCESS,)) == "token_revoked"
    other = leaks.api_token()
    assert shell("leak", "report", "--token", other.token.id, "--json").json["outcome"] == "notified"
    assert leaks.the_leak(other.token).outcome is Outcome.NOTIFIED


def test_what_follows_is_shown_and_changed(shell: Shell) -> None:
    assert "revoke:stop_joining" in shell("leak", "policy", "show").out
    changed = shell("leak", "policy", "set", "--rule", "agent:public=rotate:60", "--dry-run")
    assert "rotate:60" in changed.out
    assert "Dry run" in changed.err
    back = shell("leak", "policy", "set", "--rule", "agent:public=default", "--no-dry-run", "--json").json
    assert back["dry_run"] is False
    assert all(one["rule"] == one["default"] for one in back["rules"])
    for wrong in ("agent:public", "agent:public=burn"):
        assert shell("leak", "policy", "set", "--rule", wrong).code == 1
