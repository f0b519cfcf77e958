"""`api-token`, `token can`, `hygiene`, `access-audit` and `settings`."""

import hashlib
import re
import time
from pathlib import Path

from cli_harness import Shell
from rest_client import api_token
from watchword.domain.accounts import Role


def create(shell: Shell, *words: str) -> dict[str, object]:
    made: dict[str, object] = shell("api-token", "create", "--description", "ci", *words, "--json").json
    return made


def test_create_list_show_edit_revoke(shell: Shell) -> None:
    made = shell("api-token", "create", "--description", "nightly", "--scope", "read_agents")
    assert made.code == 0
    assert len(re.findall(r"bkua_\S+", made.out)) == 1
    quiet = shell("api-token", "create", "--description", "d", "--preset", "read_only", "--quiet")
    assert re.fullmatch(r"bkua_\S+\n", quiet.out)
    token = create(shell, "--scope", "read_agents", "--scope", "read_builds", "--network", "10.0.0.0/8")
    assert token["scopes"] == ["read_agents", "read_builds"]
    identity = str(token["id"])
    listed = shell("api-token", "list", "--scope", "read_builds", "--json").json
    assert identity in [one["id"] for one in listed]
    assert "nightly" in shell("api-token", "list").out
    shown = shell("api-token", "show", identity)
    assert "10.0.0.0/8" in shown.out
    assert str(token["token"]) not in shown.out
    assert shell("api-token", "edit", identity, "--description", "new", "--anywhere").code == 0
    changed = shell("api-token", "show", identity, "--json").json
    assert (changed["description"], changed["allowed_ip_addresses"]) == ("new", "0.0.0.0/0")
    assert "nothing_to_change" in shell("api-token", "edit", identity).err
    assert "two_networks" in shell("api-token", "edit", identity, "--anywhere", "--network", "::1").err
    assert "not_confirmed" in shell("api-token", "revoke", identity).err
    revoked = shell("api-token", "revoke", identity, "--yes")
    assert (revoked.code, "never used" in revoked.out) == (0, True)
    assert shell("api-token", "show", identity, "--json").json["state"] == "revoked"


def test_expiries(shell: Shell) -> None:
    shell.world.clock.time = time.time_ns() // 1000
    assert create(shell, "--preset", "full", "--never-expires")["expires_at"] is None
    assert create(shell, "--preset", "full", "--expires-in", "30d")["expires_at"]
    words = (
        "api-token",
        "create",
        "--description",
        "d",
        "--preset",
        "full",
        "--never-expires",
        "--expires-in=1d",
    )
    assert "two_expiries" in shell(*words).err


def test_duplicate_and_removal(shell: Shell) -> None:
    member = api_token(shell.world, "read_agents", role=Role.MEMBER, email="m@example.com")
    copy = shell("api-token", "duplicate", member.token.id, "--description", "mine", "--json").json
    assert (copy["description"], copy["owner"]["email"]) == ("mine", "admin@example.com")
    assert "not_confirmed" in shell("api-token", "remove-organization", member.token.id).err
    removed = shell("api-token", "remove-organization", member.token.id, "--yes")
    assert "does not reach acme any more" in removed.out
    assert "No API access token found" in shell("api-token", "show", member.token.id).err


def test_what_tokens_can_do(shell: Shell) -> None:
    own = shell("api-token", "can")
    assert "member.remove" in own.out
    member = api_token(shell.world, "read_agents", role=Role.MEMBER, email="m@example.com")
    theirs = shell("api-token", "can", member.token.id)
    assert "agent.read" in theirs.out
    assert "member.remove" not in theirs.out
    agent = shell.world.first.agent_token.token.id
    can = shell("token", "can", agent)
    assert re.search(r"May +agent\.register", can.out)
    assert shell("token", "can", agent, "--json").json["queues"] == ["default"]


def test_hygiene_and_access_audit(shell: Shell) -> None:
    found = shell("hygiene")
    assert "administrator_without_networks" in found.out
    assert "It never expires" in found.err
    one = shell("hygiene", "--reason", "no_expiry", "--json").json
    assert [token["id"] for token in one["tokens"]] == [shell.world.first.api_token.token.id]
    assert "admin@example.com" in shell("access-audit").out
    assert shell("access-audit", "--csv").out.startswith("Owner,Owner Email,")
    assert shell("access-audit", "--no-admin", "--json").json == []


def test_what_jobs_may_do(shell: Shell) -> None:
    assert re.search(r"For +anybody", shell("settings", "jobs").out)
    changed = shell(
        "settings", "jobs", "--no-cross-job-writes", "--identity-audience", "a", "--identity-audience", "b"
    ).out
    assert re.search(r"Cross-job writes +no", changed)
    assert re.search(r"For +a b", changed)
    found = shell("settings", "jobs", "--no-identity-tokens", "--any-audience", "--json").json
    assert (found["identity_tokens"], found["identity_audiences"]) == (False, None)
    assert found["cross_job_writes"] is False
    assert "two_audiences" in shell("settings", "jobs", "--any-audience", "--identity-audience", "a").err
    assert "No pipeline found" in shell("settings", "jobs", "--pipeline", "none").err


def test_settings(shell: Shell) -> None:
    assert re.search(r"Networks +anywhere", shell("settings", "show").out)
    changed = shell(
        "settings", "set", "--revoke-inactive-after-days", "90", "--restrict-creation", "--json"
    ).json
    assert changed["revoke_inactive_tokens_after_days"] == 90
    assert changed["restrict_user_api_token_creation"] is True
    off = shell(
        "settings", "set", "--revoke-inactive-after-days", "0", "--no-restrict-creation", "--json"
    ).json
    assert off["revoke_inactive_tokens_after_days"] is None
    assert off["restrict_user_api_token_creation"] is False
    dry = shell("settings", "set", "--network", "198.51.100.0/24", "--dry-run")
    assert "192.0.2.50" in dry.out
    assert "shut out yourself" in dry.err
    assert shell("settings", "show", "--json").json["allowed_ip_addresses"] is None
    assert "nothing_to_change" in shell("settings", "set").err
    both = shell("settings", "set", "--network", "192.0.2.0/24", "--network", "::1", "--json").json
    assert both["allowed_ip_addresses"] == "192.0.2.0/24 ::1"
    assert shell("settings", "set", "--anywhere", "--json").json["allowed_ip_addresses"] is None


def test_a_value_is_imported_from_a_file(shell: Shell, tmp_path: Path) -> None:
    value = "0123456789abcdef0123456789abcdef01234567"
    file = tmp_path / "value"
    file.write_text(value + "\n")
    words = ("api-token", "import", "--description", "old", "--scope", "read_agents")
    made = shell(*words, "--value-file", str(file))
    assert (made.code, made.out.startswith("Imported ")) == (0, True)
    assert value not in made.out + made.err
    assert "value_known" in shell(*words, "--value-file", str(file)).err
    assert "invalid_import" in shell(*words).err
    digest = hashlib.sha256(b"another value from elsewhere").hexdigest()
    assert shell(*words, "--digest", digest, "--json").json["value_digest"] == digest
