"""`cluster`, `queue`, `fleet`, `secret` and `pipeline` against the world's own server."""

import io
import json
from pathlib import Path

import pytest

from cli_harness import Shell
from support import World
from watchword.domain.ids import SecretId
from watchword.domain.kinds import Kind
from watchword.services.context import LOCAL
from watchword.services.exchanging import Registration, register
from watchword.services.secrets import open_secret

VALUE = "open sesame"


def join(world: World, name: str) -> str:
    authority = world.authority
    value = world.first.agent_token.value.reveal()
    presented = world.run(authority.verifier.verify(value, (Kind.AGENT,), address="192.0.2.7"))
    asked = Registration(name=name, version="3.100.0", os="linux")
    joined = world.run(register(authority.context, authority.fleet, LOCAL, presented, asked))
    world.run(authority.fleet.connect(LOCAL, joined.agent.organization_id, joined.agent.id))
    return joined.agent.id


def test_a_cluster_from_creation_to_deletion(shell: Shell, world: World) -> None:
    made = shell("cluster", "create", "Edge", "--description", "near users", "--color", "#FFE0F1")
    assert made.code == 0
    assert "Next: watchword queue create default --cluster" in made.out
    listed = shell("cluster", "list", "--json").json
    assert [one["name"] for one in listed] == ["Default", "Edge"]
    assert shell("queue", "create", "default", "--cluster", "Edge").code == 0
    changed = shell("cluster", "update", "Edge", "--default-queue", "default", "--description", "", "--json")
    queue = shell("queue", "show", "default", "--cluster", "Edge", "--json").json
    assert (changed.json["default_queue_id"], changed.json["description"]) == (queue["id"], None)
    assert changed.json["color"] == "#FFE0F1"
    cleared = shell("cluster", "update", listed[1]["id"], "--no-default-queue", "--name", "Far")
    assert "Default queue  -" in cleared.out
    shell("token", "create", "--description", "d", "--cluster", listed[1]["id"])
    assert shell("cluster", "delete", "Far").err == (
        "watchword: add --yes to do this without being asked (not_confirmed)\n"
    )
    gone = shell("cluster", "delete", "Far", "--yes")
    assert (gone.code, "agent tokens revoked: 1" in gone.out) == (0, True)
    assert shell("cluster", "show", "Far").err == (
        "watchword: there is no cluster called 'Far' (not_found)\n"
    )
    shown = shell("cluster", "show")
    assert world.first.cluster.id in shown.out
    assert shell("cluster", "update", "Default").err == (
        "watchword: say what to change; --help lists the options (nothing_to_change)\n"
    )


def test_a_queue_from_creation_to_deletion(shell: Shell) -> None:
    made = shell("queue", "create", "linux", "--retry-agent-affinity", "prefer-different", "--json").json
    assert (made["key"], made["retry_agent_affinity"]) == ("linux", "prefer-different")
    shell("queue", "update", "linux", "--description", "d", "--retry-agent-affinity", "prefer-warmest")
    assert shell("queue", "pause", "linux", "--note", "fire").out == "Dispatch of linux is paused.\n"
    listed = shell("queue", "list")
    assert "linux\td\tprefer-warmest\tpaused since 2027-01-15T08:00:00.000Z: fire" in listed.out
    again = shell("queue", "pause", made["id"])
    assert (again.code, again.err) == (1, "watchword: Cluster queue is already paused (queue_paused)\n")
    assert shell("queue", "resume", "linux").out == "Dispatch of linux is on.\n"
    refused = shell("queue", "delete", "default", "--yes")
    assert (refused.code, "choose another default queue first" in refused.err) == (1, True)
    assert shell("queue", "delete", "linux", "--yes").out == f"Deleted {made['id']} (linux).\n"
    assert [one["key"] for one in shell("queue", "list", "--json").json] == ["default"]


def test_agents_are_shown_paused_and_stopped_by_name(shell: Shell, world: World) -> None:
    one, two = join(world, "linux-1"), join(world, "twin")
    join(world, "twin")
    assert shell("fleet", "list", "--json").json == shell("agent", "list", "--json").json
    assert "connected" in shell("fleet", "show", "linux-1").out
    paused = shell("fleet", "pause", "linux-1", "--note", "look", "--minutes", "7")
    assert paused.out == "linux-1 takes no jobs for 7 minutes.\n"
    assert "since 2027-01-15T08:00:00.000Z, 7 minutes" in shell("fleet", "show", one).out
    assert shell("fleet", "resume", "linux-1").out == "linux-1 takes jobs again.\n"
    assert shell("fleet", "stop", "twin").err == (
        "watchword: several agents are called 'twin'; give the id (ambiguous)\n"
    )
    assert shell("fleet", "stop", two, "--force").out == "twin leaves at once.\n"
    assert shell("fleet", "show", two, "--json").json["connection_state"] == "stopping"


def test_a_secrets_value_comes_from_a_file_or_standard_input(
    shell: Shell, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kept(secret_id: str) -> str:
        owner = world.first.organization.id
        found = world.run(world.store.read(lambda tx: tx.secrets.find(owner, SecretId(secret_id))))
        assert found is not None
        return open_secret(world.context, found).reveal()

    file, policy = tmp_path / "value", tmp_path / "policy.yml"
    file.write_text(VALUE + "\n")
    policy.write_text("- pipeline_slug: app\n")
    words = ["--value-file", str(file), "--policy-file", str(policy), "--description", "d", "--json"]
    made = shell("secret", "create", "KEY", *words)
    assert VALUE not in made.out + made.err
    assert (made.json["policy"], kept(made.json["id"])) == ("- pipeline_slug: app\n", VALUE)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"another\r\n")))
    changed = shell("secret", "update", "KEY", "--value", "--description", "")
    assert (changed.code, "another" in changed.out) == (0, False)
    assert kept(made.json["id"]) == "another"
    (listed,) = shell("secret", "list", "--json").json
    assert (listed["key"], listed["description"], listed["policy"]) == ("KEY", None, "- pipeline_slug: app\n")
    assert shell("secret", "update", "KEY").code == 1
    wrong = shell("secret", "create", "bk_key", "--value-file", str(file))
    assert (wrong.code, VALUE in wrong.err) == (1, False)
    missing = shell("secret", "create", "OTHER", "--value-file", str(tmp_path / "none"))
    assert missing.err.endswith("No such file or directory (unreadable)\n")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff")))
    assert "no text" in shell("secret", "create", "OTHER").err
    assert shell("secret", "delete", "KEY", "--yes").code == 0
    assert shell("secret", "list", "--json").json == []


def test_no_option_takes_a_secrets_value(shell: Shell) -> None:
    """What stands on a command line is seen by everybody on the machine."""
    for words in (("create", "KEY", "--value", VALUE), ("create", "KEY", VALUE), ("update", "KEY", VALUE)):
        assert shell("secret", *words).code == 2


def test_a_pipeline_from_creation_to_deletion(shell: Shell, tmp_path: Path) -> None:
    steps = tmp_path / "pipeline.yml"
    steps.write_text("steps:\n  - command: make\n")
    given = ("--repository", "git@example.com:a.git", "--steps", str(steps))
    made = shell("pipeline", "create", "My App", *given)
    assert made.out == "Created my-app. Next: watchword build create --pipeline my-app --watch\n"
    changed = shell("pipeline", "update", "my-app", "--description", "d", "--cluster", "Default", "--json")
    assert (changed.json["description"], len(changed.json["steps"])) == ("d", 1)
    assert shell("pipeline", "archive", "my-app").out == "my-app is archived; it takes no new builds.\n"
    assert shell("pipeline", "archive", "my-app").err == (
        "watchword: Pipeline could not be archived. (pipeline_archived)\n"
    )
    assert shell("pipeline", "unarchive", "my-app").code == 0
    assert "my-app\tMy App\tgit@example.com:a.git\t0\t0\t-" in shell("pipeline", "list").out
    assert "Repository" in shell("pipeline", "show", "my-app").out
    steps.write_text("steps: [")
    broken = shell("pipeline", "update", "my-app", "--steps", str(steps))
    assert (broken.code, "Validation Failed" in broken.err, "line" in broken.err) == (1, False, True)
    assert shell("pipeline", "delete", "my-app").code == 1
    assert shell("pipeline", "delete", "my-app", "--yes").out == "Deleted my-app.\n"
    assert shell("pipeline", "show", "my-app").err == "watchword: No pipeline found (not_found)\n"


def test_names_of_others_cannot_steer_a_terminal(shell: Shell) -> None:
    shell("cluster", "create", "\x1b[31mred")
    for words in (("cluster", "list"), ("cluster", "show", "\x1b[31mred")):
        outcome = shell(*words)
        assert "\x1b" not in outcome.out
        assert "\ufffd[31mred" in outcome.out
    assert json.loads(shell("cluster", "list", "--json").out)[1]["name"] == "\x1b[31mred"
