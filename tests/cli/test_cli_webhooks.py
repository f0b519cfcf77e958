"""`webhook` as a person uses it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli_harness import Shell
from receiver import Receiver
from services.hook_scene import HookScene
from support import World


@pytest.fixture
def scene(world: World) -> HookScene:
    """The world may call loopback addresses."""
    return HookScene(world)


@pytest.fixture
def shell(
    scene: HookScene,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> Shell:
    return Shell(scene.world, tmp_path, monkeypatch, capsysbinary)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def create(shell: Shell, url: str, *words: str) -> str:
    made = shell("webhook", "create", url, "--json", *words)
    assert made.code == 0, made.err
    return str(made.json["id"])


def test_a_webhook_from_its_making_to_its_end(scene: HookScene, shell: Shell, receiver: Receiver) -> None:
    said = shell("webhook", "create", receiver.url, "--event", "token.created", "--description", "board")
    assert said.code == 0, said.err
    assert "is told of 1 events" in said.out
    (webhook,) = shell("webhook", "list", "--json").json
    assert webhook["settings"]["token"] in said.out
    assert webhook["settings"]["token_mode"] == "signature"
    name = webhook["id"]
    assert "is on its way" in shell("webhook", "ping", name).out
    scene.token()
    scene.work()
    listed = shell("webhook", "deliveries", name)
    assert [line.split("\t")[1:5] for line in listed.out.splitlines()] == [
        ["Event", "State", "Attempts", "Answer"],
        ["token.created", "delivered", "1", "200"],
        ["ping", "delivered", "1", "200"],
    ]
    delivery = listed.out.splitlines()[1].split("\t")[0]
    shown = shell("webhook", "deliveries", name, delivery).out
    assert "> X-Buildkite-Signature" in shown
    assert '"event": "token.created"' in shown
    assert shown.endswith("thanks\n")
    assert "is on its way again" in shell("webhook", "redeliver", name, delivery).out
    scene.work()
    assert len(receiver.received) == 3
    assert shell("webhook", "disable", name).out == f"Webhook {name} is disabled.\n"
    assert "disabled" in shell("webhook", "list").out
    assert shell("webhook", "enable", name).out == f"Webhook {name} is enabled.\n"
    refused = shell("webhook", "delete", name)
    assert (refused.code, "--yes" in refused.err) == (1, True)
    assert shell("webhook", "delete", name, "--yes").code == 0
    assert shell("webhook", "list", "--json").json == []
    gone = shell("webhook", "show", name)
    assert (gone.code, "No notification service found" in gone.err) == (1, True)


def test_a_token_comes_from_a_file_and_is_shown_when_asked(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("from-a-file\n")
    name = create(shell, "https://hooks.example/", "--token-file", str(file), "--no-signed")
    assert "from-a-file" not in shell("webhook", "show", name).out
    assert "from-a-file" not in shell("webhook", "show", name, "--json").out
    assert "from-a-file" in shell("webhook", "show", name, "--token").out
    renewed = shell("webhook", "update", name, "--new-token", "--signed")
    assert "Its new token" in renewed.out
    assert "from-a-file" not in shell("webhook", "show", name, "--token").out
    missing = shell("webhook", "update", name, "--token-file", str(tmp_path / "none"))
    assert (missing.code, "cannot read" in missing.err) == (1, True)


def test_a_webhook_is_narrowed_and_opened(scene: HookScene, shell: Shell) -> None:
    scene.build("true")
    name = create(shell, "https://hooks.example/", "--pipeline", "app", "--branches", "main", "--no-verify")
    (webhook,) = shell("webhook", "list", "--json").json
    assert (webhook["scope"], webhook["branch_configuration"]) == ("some_projects", "main")
    assert webhook["settings"]["tls_verify"] is False
    cluster = scene.first.cluster.id
    changed = shell(
        "webhook", "update", name, "--cluster", cluster, "--event", "ping", "--description", "x", "--json"
    ).json
    assert (changed["scope"], changed["scope_uuids"]) == ("some_clusters", [cluster])
    assert changed["settings"]["events"] == ["ping"]
    assert changed["branch_configuration"] == "main"
    assert shell("webhook", "update", name, "--everywhere", "--json").json["scope"] == "all"
    both = shell("webhook", "update", name, "--cluster", cluster, "--pipeline", "app")
    assert (both.code, "not both" in both.err) == (1, True)


def test_an_address_inside_is_refused(shell: Shell) -> None:
    refused = shell("webhook", "create", "https://169.254.169.254/latest")
    assert (refused.code, "must not be called (link-local)" in refused.err) == (1, True)
