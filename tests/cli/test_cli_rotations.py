"""`token rotate`, `token rotation` and `incident`."""

import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cli_harness import Shell
from rest_client import Rest
from support import World
from watchword.domain.errors import Refused
from watchword.domain.kinds import Kind
from watchword.domain.tokens import Token
from watchword.services.context import LOCAL
from watchword.services.exchanging import Registration, register
from watchword.services.issuing import TokenRequest, issue_agent_token


@pytest.fixture(autouse=True)
def _now_is_the_worlds(world: World) -> None:
    """Spans are counted by the machine's clock, deadlines checked by the world's."""
    world.clock.time = time.time_ns() // 1000


def join(world: World, value: str, name: str = "linux-1", address: str = "192.0.2.7") -> None:
    authority = world.authority
    presented = world.run(authority.verifier.verify(value, (Kind.AGENT,), address=address))
    asked = Registration(name=name, hostname=f"{name}.local", version="3.100.0")
    joined = world.run(register(authority.context, authority.fleet, LOCAL, presented, asked))
    world.run(authority.fleet.connect(LOCAL, joined.agent.organization_id, joined.agent.id))


@pytest.fixture
def token(world: World) -> Token:
    return world.first.agent_token.token


def test_rotating_shows_the_value_once_and_says_what_is_next(
    shell: Shell, world: World, token: Token
) -> None:
    join(world, world.first.agent_token.value.reveal())
    made = shell("token", "rotate", token.id)
    assert made.code == 0, made.err
    assert made.out.count("bkct_") == 1
    assert "0 of 1 agent moved" in made.out
    assert f"watchword token rotation {token.id} --watch" in made.out
    again = shell("token", "rotate", token.id, "--quiet")
    assert again.out.strip() in made.out
    shown = shell("token", "rotation", token.id)
    assert "bkct_" not in shown.out
    for words in ("open", "0 of 1 agent moved", "linux-1", "linux-1.local"):
        assert words in shown.out


def test_a_value_goes_into_a_file_that_only_its_owner_reads(
    shell: Shell, token: Token, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("old")
    file.chmod(0o644)
    made = shell("token", "rotate", token.id, "--to-file", str(file))
    assert made.code == 0, made.err
    assert "bkct_" not in made.out + made.err
    assert file.read_text().startswith("bkct_")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert shell("token", "rotate", token.id, "--quiet").out == file.read_text()
    as_json = shell("token", "rotate", token.id, "--to-file", str(file), "--json")
    assert "token" not in as_json.json
    assert [one.name for one in tmp_path.iterdir() if "token" in one.name] == ["token"]


def test_where_no_file_can_be_written_nothing_is_rotated(
    shell: Shell, world: World, token: Token, tmp_path: Path
) -> None:
    refused = shell("token", "rotate", token.id, "--to-file", str(tmp_path / "nowhere" / "token"))
    assert refused.code == 1
    assert "cannot write" in refused.err
    assert Rest(world)("GET", f"{Rest(world).tokens}/{token.id}/rotation").status_code == 404


def test_a_rotation_is_extended_finished_and_aborted(shell: Shell, token: Token) -> None:
    first = shell("token", "rotate", token.id, "--deadline", "1h", "--json").json
    later = shell("token", "rotation", token.id, "--extend", "2d", "--json").json
    assert later["deadline"] > first["deadline"]
    assert "aborted" in shell("token", "rotation", token.id, "--abort").out
    shell("token", "rotate", token.id, "--quiet")
    done = shell("token", "rotation", token.id, "--finish", "--json").json
    assert (done["state"], done["cause"]) == ("committed", "finished")
    refused = shell("token", "rotation", token.id, "--abort")
    assert (refused.code, "rotation_committed" in refused.err) == (1, True)
    two = shell("token", "rotation", token.id, "--finish", "--abort")
    assert (two.code, "two_actions" in two.err) == (1, True)
    assert "invalid_span" in shell("token", "rotate", token.id, "--deadline", "soon").err


def test_watching_ends_with_the_rotation(
    shell: Shell, world: World, token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    join(world, world.first.agent_token.value.reveal())
    made = shell("token", "rotate", token.id, "--json").json
    steps: list[Callable[[], object]] = [
        lambda: join(world, made["token"], "linux-2"),
        lambda: None,
        lambda: Rest(world)("POST", f"{Rest(world).tokens}/{token.id}/rotation/finish"),
    ]
    monkeypatch.setattr("time.sleep", lambda _seconds: steps.pop(0)())
    watched = shell("token", "rotation", token.id, "--watch")
    assert watched.code == 0
    assert watched.err.splitlines() == ["0 of 1 agent moved", "1 of 2 agents moved"]
    assert "committed (finished)" in watched.out


def test_an_unclustered_token_is_rotated_too(shell: Shell, world: World) -> None:
    asked = TokenRequest(organization_id=world.first.organization.id, cluster_id=None, description="loose")
    context = world.context
    issued = world.run(
        context.store.write(lambda tx: issue_agent_token(context, tx, LOCAL, asked, world.first.admin.id))
    )
    assert shell("token", "rotate", issued.token.id, "--unclustered", "--quiet").out.startswith("bkar_")
    assert "open" in shell("token", "rotation", issued.token.id, "--unclustered").out
    assert shell("token", "rotation", issued.token.id).code == 1


def test_incidents_are_listed_shown_and_closed(shell: Shell, world: World, token: Token) -> None:
    assert shell("incident", "list", "--json").json == []
    shell("token", "rotate", token.id, "--quiet")
    shell("token", "rotation", token.id, "--finish")
    with pytest.raises(Refused):
        join(world, world.first.agent_token.value.reveal(), address="198.51.100.7")
    (found,) = shell("incident", "list", "--json").json
    listed = shell("incident", "list").out
    assert found["id"] in listed
    assert "198.51.100.7" in listed
    shown = shell("incident", "show", found["id"])
    assert f"{found['quarantined'][0]} from these addresses" in shown.out
    closed = shell("incident", "close", found["id"], "--note", "an old image")
    assert "an old image" in closed.out
    assert shell("incident", "show", found["id"], "--json").json["state"] == "closed"
    assert shell("incident", "show", "nonsense").code == 1
