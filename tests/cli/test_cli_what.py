"""`what` explains any string; with the world's own server it says whose it is, and so does a scan."""

import base64
import contextlib
import io
import json
import random
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from cli_harness import Outcome, Shell
from scan_values import KINDS_TO_FIND, LEGACY, value_of
from support import LiveServer
from watchword.cli.main import app
from watchword.cli.scanning import run
from watchword.cli.scanwords import quickly
from watchword.crypto.values import Secret, digest, fingerprint
from watchword.domain.kinds import KINDS, Kind
from watchword.scan.explain import Explainer

SOURCE = random.Random(9)
VALUES = {kind: value_of(kind, SOURCE) for kind in KINDS_TO_FIND}
AGENT = VALUES[Kind.AGENT]
API = VALUES[Kind.API_ACCESS]
EXPLAIN = Explainer()


@pytest.mark.parametrize("kind", KINDS_TO_FIND)
def test_values_of_every_kind(kind: Kind) -> None:
    found = EXPLAIN.explain(VALUES[kind])
    shape = KINDS[kind].shape
    assert (found.family, found.whole, found.problems) == (shape.name, True, ())
    assert found.checksum is (True if shape.checked else None)
    assert (found.cell is not None) is shape.checked
    document = found.document()
    assert kind.value in document["kinds"]
    assert VALUES[kind] not in str(document)
    assert document["fingerprint"] == fingerprint(digest(VALUES[kind]))


def test_what_signed_values_say_is_shown_unchecked() -> None:
    job = EXPLAIN.explain(VALUES[Kind.JOB])
    assert job.contents["header"] == {"alg": "HS512"}
    assert job.contents["claims"]["iss"] == "w"
    registry = EXPLAIN.explain(VALUES[Kind.REGISTRY])
    assert registry.contents["payload"]["_rails"]["exp"].startswith("2030")
    for one in (job, registry):
        assert "unchecked" in one.notes[0]
    assert "no room for a checksum" in EXPLAIN.explain(VALUES[Kind.DAGSTER_USER]).notes[0]
    assert "older form" in EXPLAIN.explain(LEGACY[0]).notes[0]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"  {AGENT}\n", "white space"),
        (f'"{AGENT}",', "quotes"),
        (f"Authorization: Bearer {AGENT}", "before it"),
        (f"export TOKEN='{AGENT}'", "a name stands before it"),
        (base64.b64encode(AGENT.encode()).decode(), "base64"),
        (base64.b64encode(b"user:" + API.encode()).decode(), "base64"),
        (quote(AGENT.replace("_", "%5F")).replace("%25", "%"), "for an address"),
        (AGENT.replace("bkct_", "BKCT_"), "capitals"),
        (f"see https://x/?t={AGENT}&y", "more text around it"),
        (AGENT + "xyz", "more text around it"),
        (API.replace("bkua_", "acmeua_"), "its brand is acme"),
    ],
)
def test_what_has_to_be_taken_away_is_told(text: str, problem: str) -> None:
    found = EXPLAIN.explain(text)
    assert found.whole
    assert any(problem in one for one in found.problems), found.problems
    if "acme" not in text:
        assert found.value in (Secret(AGENT), Secret(API))
        assert found.checksum is True


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (AGENT[:-1] + ("1" if AGENT[-1] != "1" else "2"), "typo? the last six characters do not fit"),
        (API[:-1] + ("1" if API[-1] != "1" else "2"), "typo? the last eight characters do not fit"),
        (AGENT[:-5], "cut off: 5 characters are missing"),
        (API[:-1] + ("1" if API[-1] != "1" else "2") + "ab", "too long"),
        (AGENT[:-3] + "0OI", "none of its alphabet"),
        (API[:9] + API[9:].upper(), "in capitals"),
        ("bkct_MTA", "is missing"),
        ("bkaj_eyJ", "the rest does not fit"),
    ],
)
def test_near_misses_are_told(text: str, problem: str) -> None:
    found = EXPLAIN.explain(text)
    assert found.family
    assert found.checksum is not True
    assert any(problem in one for one in found.problems), found.problems


@pytest.mark.parametrize(
    "text", ["", "hello", "a" * 100_000, "%%%", "ct_", "\x00\x1b[2J", "é" * 50, "eyJ.a.b", "=" * 40]
)
def test_nothing_is_nothing(text: str) -> None:
    found = EXPLAIN.explain(text)
    assert not found.family
    assert not found.whole


def ask(shell: Shell, text: str, *words: str) -> Outcome:
    shell.patch.setattr("sys.stdin", io.StringIO(text))
    return shell("what", *words)


def test_the_command_shows_no_value_and_warns_of_arguments(shell: Shell) -> None:
    done = ask(shell, f"{AGENT}\n")
    assert (done.code, done.out.splitlines()[0]) == (0, "Value of a token: agent token")
    assert AGENT not in done.out + done.err
    given = shell("what", AGENT)
    assert "kept in the shell's history" in given.err
    assert given.out == done.out
    nothing = ask(shell, "hello", "--stdin", "--json")
    assert (nothing.code, nothing.json["recognised"]) == (1, False)
    cut = ask(shell, AGENT[:-2])
    assert (cut.code, cut.out.splitlines()[0]) == (1, "Nearly the value of a token: agent token")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    made = LiveServer(tmp_path)
    yield made
    made.close()


def test_the_server_says_whose_it_is(
    server: LiveServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    issued = server.issue(description="linux builders")
    value = issued.value.reveal()

    def what(text: str, *words: str) -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        with contextlib.suppress(SystemExit):
            app(["what", "--verify", *words])
        return capsys.readouterr().out

    monkeypatch.chdir(tmp_path)
    for name in ("CREDENTIALS", "TOKEN"):
        monkeypatch.delenv(f"WATCHWORD_{name}", raising=False)
    monkeypatch.setenv("WATCHWORD_URL", server.url)
    # Who shows no token is told little.
    live = json.loads(what(value, "--json"))["live"]
    assert (live["state"], live["kind"], live["token"]) == ("active", "agent", None)
    monkeypatch.setenv("WATCHWORD_TOKEN", server.first.api_token.value.reveal())
    live = json.loads(what(value, "--json"))["live"]
    assert (live["token"]["id"], live["token"]["organization"]) == (issued.token.id, "acme")
    shown = what(value)
    assert "State" in shown
    assert "linux builders" in shown
    assert "the server does not know it" in what(AGENT)
    (tmp_path / "leak").write_text(f"{value}\n")
    asked = quickly(["leak", "--verify"])
    assert asked is not None
    assert run(asked) == 1
    assert "ACTIVE linux builders" in capsys.readouterr().out
