"""`watchword dagster`: tokens, permissions, deployments, roles."""

import hashlib
import time
from pathlib import Path

import pytest

from cli_harness import Shell
from support import World


@pytest.fixture(autouse=True)
def _now_is_the_worlds(world: World) -> None:
    """Spans are counted by the machine's clock, deadlines checked by the world's."""
    world.clock.time = time.time_ns() // 1000


def test_an_agent_token_from_its_birth_to_its_end(shell: Shell) -> None:
    value = shell("dagster", "token", "create", "--description", "eu", "--quiet").out.strip()
    assert value.startswith("agent:acme:")
    (token,) = shell("dagster", "token", "list", "--json").json
    assert token["value_digest"] == hashlib.sha256(value.encode()).hexdigest()
    listed = shell("dagster", "token", "list").out
    assert "every deployment (Org Agent)" in listed
    assert value not in listed
    shell("dagster", "deployment", "create", "staging")
    assert shell("dagster", "token", "forbid", token["id"], "--everything").out == "eu may serve: none\n"
    told = shell("dagster", "token", "permit", token["id"], "--deployment", "staging").out
    assert told == "eu may serve: staging\n"
    assert shell("dagster", "token", "permit", token["id"]).code == 1
    shell("dagster", "token", "describe", token["id"], "for us")
    assert "for us" in shell("dagster", "token", "show", token["id"]).out
    rotated = shell("dagster", "token", "rotate", token["id"], "--quiet").out.strip()
    assert rotated.startswith("agent:acme:")
    assert rotated != value
    assert "open" in shell("dagster", "token", "rotation", token["id"]).out
    done = shell("dagster", "token", "rotation", token["id"], "--finish", "--json").json
    assert done["state"] == "committed"
    successor = done["successor"]["id"]
    assert shell("dagster", "token", "revoke", successor).code == 1
    assert shell("dagster", "token", "revoke", successor, "--reason", "gone", "--yes").out.startswith(
        "Revoked"
    )
    states = {one["id"]: one["state"] for one in shell("dagster", "token", "list", "--json").json}
    assert states == {token["id"]: "superseded", successor: "revoked"}


def test_a_token_from_elsewhere_is_taken_over_from_a_file(shell: Shell, tmp_path: Path) -> None:
    value = "agent:hosted:" + "0" * 12 + "4" + "0" * 3 + "8" + "0" * 15
    (tmp_path / "value").write_text(value + "\n")
    told = shell("dagster", "token", "import", "--value-file", str(tmp_path / "value")).out
    assert told.startswith("Imported ")
    assert value not in told
    assert shell("dagster", "token", "import").code == 1


def test_user_tokens_deployments_and_roles(shell: Shell) -> None:
    made = shell("dagster", "user-token", "create", "--description", "laptop", "--json").json
    assert made["token"].startswith("user:")
    assert "laptop" in shell("dagster", "user-token", "list").out
    shell("dagster", "user-token", "describe", made["id"], "desk")
    assert "organization_admin" in shell("dagster", "user-token", "can", made["id"]).out
    assert "desk" in shell("dagster", "user-token", "revoke", made["id"], "--yes").out
    assert "prod" in shell("dagster", "deployment", "list").out
    shell("dagster", "deployment", "create", "staging")
    assert shell("dagster", "deployment", "delete", "staging").code == 1
    assert shell("dagster", "deployment", "delete", "staging", "--yes").out.startswith("Deleted staging;")
    assert "organization admin" in shell("dagster", "role", "list").out
    (admin,) = shell("dagster", "role", "list", "--json").json
    assert shell("dagster", "role", "set", admin["email"], "editor").code == 1
    assert shell("dagster", "agent", "list", "--json").json == []
