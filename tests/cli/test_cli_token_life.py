"""`token import`, `edit`, `revoke` and `create --like`: what they show, ask and change."""

import io
from pathlib import Path
from typing import Any

import pytest

from cli_harness import Shell
from support import World
from watchword.domain.kinds import Kind
from watchword.services.context import LOCAL
from watchword.services.exchanging import Joined, Registration, register

VALUE = "0123456789abcdef0123456789abcdef01234567"


def join(world: World, value: str) -> Joined:
    authority = world.authority
    kinds = (Kind.AGENT, Kind.UNCLUSTERED_AGENT)
    presented = world.run(authority.verifier.verify(value, kinds, address="192.0.2.7"))
    asked = Registration(name="a", version="3.100.0")
    joined = world.run(register(authority.context, authority.fleet, LOCAL, presented, asked))
    world.run(authority.fleet.connect(LOCAL, joined.agent.organization_id, joined.agent.id))
    return joined


def create(shell: Shell, *words: str) -> Any:
    return shell("token", "create", "--description", "linux", "--json", *words).json


def test_a_value_is_imported_from_a_file_or_standard_input(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "value"
    file.write_text(VALUE + "\n")
    words = ("token", "import", "--description", "old")
    made = shell(*words, "--value-file", str(file))
    assert made.code == 0
    assert VALUE not in made.out + made.err
    join(shell.world, VALUE)
    monkeypatch.setattr("sys.stdin", io.StringIO(VALUE[::-1]))
    loose = shell(*words, "--value-file=-", "--unclustered", "--json").json
    assert loose["imported"]
    by_digest = shell(*words, "--digest", "ab" * 32, "--network", "10.0.0.0/8", "--json").json
    assert by_digest["allowed_ip_addresses"] == "10.0.0.0/8"
    for wrong in ((), ("--digest", "ab" * 32, "--value-file", str(file))):
        assert "invalid_import" in shell(*words, *wrong).err
    assert "unreadable_value" in shell(*words, "--value-file", str(tmp_path / "none")).err
    again = shell(*words, "--value-file", str(file))
    assert (again.code, "value_known" in again.err, VALUE in again.err) == (1, True, False)


def test_another_one_like_this(shell: Shell) -> None:
    network = ("--network", "10.0.0.0/8", "--tag", "os=linux", "--uses", "3")
    for place in ((), ("--unclustered",)):
        made = create(shell, *network, "--expires-at=2030-01-01T00:00:00Z", *place)
        like = shell("token", "create", "--like", made["id"], "--json", *place).json
        for name in ("description", "allowed_ip_addresses", "tags", "max_uses"):
            assert like[name] == made[name]
        assert like["expires_at"] is None
        assert like["token"] != made["token"]
        other = shell("token", "create", "--like", made["id"], "--description", "b", "--json", *place).json
        assert other["description"] == "b"
    assert "description_missing" in shell("token", "create").err


def test_edit_changes_networks_and_says_what_that_touches(shell: Shell) -> None:
    made = create(shell)
    join(shell.world, made["token"])
    edit = ("token", "edit", made["id"])
    touched = shell(*edit, "--network", "10.0.0.0/8", "--dry-run", "--json").json
    assert touched["agents_connected"] == 1
    assert "1 connected" in shell(*edit, "--network", "10.0.0.0/8", "--dry-run").out
    changed = shell(*edit, "--network", "10.0.0.0/8", "--description", "new", "--json").json
    assert (changed["allowed_ip_addresses"], changed["description"]) == ("10.0.0.0/8", "new")
    cut = shell(*edit, "--network", "10.0.0.0/8", "--mode", "cut")
    assert (cut.code, "10.0.0.0/8" in cut.out) == (0, True)
    assert shell("agent", "list", "--json").json == []
    assert shell(*edit, "--anywhere", "--json").json["allowed_ip_addresses"] == "0.0.0.0/0"
    assert "two_networks" in shell(*edit, "--anywhere", "--network", "10.0.0.1").err


def test_revoke_in_modes(shell: Shell) -> None:
    made = create(shell)
    join(shell.world, made["token"])
    revoke = ("token", "revoke", made["id"])
    touched = shell(*revoke, "--dry-run", "--json").json
    assert (touched["agents_connected"], touched["sessions"]) == (1, 1)
    assert "1 connected" in shell(*revoke, "--dry-run").out
    drained = shell(*revoke, "--mode", "drain", "--deadline", "30", "--reason", "leaked", "--yes")
    assert "1 connected agent still to leave until" in drained.out
    shown = shell("token", "list", "--state", "revoked", "--json").json
    assert [one["revoked_reason"] for one in shown] == ["leaked"]
    cut = shell(*revoke, "--mode", "cut", "--yes", "--json").json
    assert (cut["mode"], cut["agents_cut"]) == ("cut", 1)
    assert shell("agent", "list", "--json").json == []
    assert "1 connected agent cut, 0 jobs lost" in shell(*revoke, "--mode=cut", "--yes").out
    assert "invalid_mode" in shell(*revoke, "--mode", "kill", "--yes").err


def test_tokens_of_no_cluster(shell: Shell) -> None:
    made = create(shell, "--unclustered")
    assert made["token"].startswith("bkar_")
    assert [one["id"] for one in shell("token", "list", "--unclustered", "--json").json] == [made["id"]]
    assert "State" in shell("token", "show", made["id"], "--unclustered").out
    hint = shell("token", "create", "--description", "d", "--unclustered").out
    assert "--unclustered" in hint.splitlines()[-1]
    revoke = ("token", "revoke", made["id"], "--unclustered", "--yes")
    assert "reason_missing" in shell(*revoke).err
    assert shell(*revoke, "--reason", "old").code == 0
    ids = [one["id"] for one in shell("token", "list", "--unclustered", "--json").json]
    assert made["id"] not in ids
    gone = shell("token", "show", made["id"], "--unclustered").out
    assert "old" in gone
