"""`token`, `agent list` and the credentials of client commands."""

import io
import re
import time
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli_harness import Shell
from support import World
from watchword.cli import client as client_module
from watchword.cli.client import Client, Credentials, find_credentials
from watchword.cli.patterns import patterns
from watchword.crypto.values import Secret, mint, mint_dagster
from watchword.domain.kinds import KINDS, SHAPES, VALUED, Kind
from watchword.services.context import LOCAL
from watchword.services.exchanging import Registration, register


def join(world: World, name: str = "linux-1") -> None:
    authority = world.authority
    value = world.first.agent_token.value.reveal()
    presented = world.run(authority.verifier.verify(value, (Kind.AGENT,), address="192.0.2.7"))
    asked = Registration(name=name, version="3.100.0", os="linux")
    joined = world.run(register(authority.context, authority.fleet, LOCAL, presented, asked))
    world.run(authority.fleet.connect(LOCAL, joined.agent.organization_id, joined.agent.id))


def test_create_says_what_to_do_next(shell: Shell) -> None:
    made = shell("token", "create", "--description", "linux builders")
    assert made.code == 0
    values = re.findall(r"bkct_\S+", made.out)
    assert len(values) == 1
    for words in ("shown this once", "watchword agent start", "/v3 --token-file", "watchword token revoke"):
        assert words in made.out


def test_create_for_scripts(shell: Shell) -> None:
    quiet = shell("token", "create", "--description", "d", "--quiet")
    assert re.fullmatch(r"bkct_\S+\n", quiet.out)
    words = [
        "--network",
        "10.0.0.0/8",
        "--network",
        "2001:db8::/32",
        "--queue",
        "default",
        "--tag",
        "os=linux",
    ]
    more = ["--uses", "2", "--expires-at", "2030-01-01T00:00:00Z"]
    made = shell("token", "create", "--description", "d", *words, *more, "--json").json
    assert made["allowed_ip_addresses"] == "10.0.0.0/8 2001:db8::/32"
    assert (made["queue"], made["tags"], made["max_uses"]) == ("default", ["os=linux"], 2)
    assert made["expires_at"] == "2030-01-01T00:00:00Z"


def test_time_spans(shell: Shell) -> None:
    # The command reads the machine's clock, so the world's is set to it.
    shell.world.clock.time = time.time_ns() // 1000
    for span in ("10m", "36h", "30d", "2w"):
        assert shell("token", "create", "--description", span, "--expires-in", span, "--json").json[
            "expires_at"
        ]
    for span in ("soon", "10", "-5m", "1.5h", "999999w"):
        refused = shell("token", "create", "--description", "d", f"--expires-in={span}")
        assert (refused.code, "invalid_span" in refused.err) == (1, True), span
    both = shell("token", "create", "--description", "d", "--expires-in=1d", "--expires-at=2030-01-01")
    assert "two_expiries" in both.err
    assert "expiry_too_soon" in shell("token", "create", "--description", "d", "--expires-in=9m").err


def test_list_show_and_last_use(shell: Shell) -> None:
    join(shell.world)
    token = shell("token", "list", "--json").json[0]
    assert token["last_used_from"] == "192.0.2.7"
    lines = shell("token", "list").out.splitlines()
    assert lines[0].split("\t")[:2] == ["Id", "Description"]
    assert lines[1].split("\t")[:3] == [token["id"], "Initial agent token", "0.0.0.0/0"]
    shown = shell("token", "show", token["id"]).out
    assert "Last used from  192.0.2.7" in shown
    assert "admin@example.com" in shown
    assert shell("token", "show", token["id"], "--json").json == token
    assert shell("token", "show", "../../../user").code == 1
    missing = shell("token", "show", "nothing?x#y")
    assert (missing.code, missing.out) == (1, "")
    assert missing.err == "watchword: No agent token found (not_found)\n"


def test_table_on_a_terminal_holds_no_control_characters(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell("token", "create", "--description", "\x1b[2J[red]loud", "--quiet")

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setattr("sys.stdout", screen)
    shell("token", "list")
    text = screen.getvalue()
    assert "\x1b[2J" not in text
    assert "[red]loud" in text
    assert "Initial agent token" in text


def test_revoke_says_what_stays(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    join(shell.world)
    token_id = shell.world.first.agent_token.token.id
    asked = shell("token", "revoke", token_id)
    assert (asked.code, "--yes" in asked.err) == (1, True)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "no")
    refused = shell("token", "revoke", token_id)
    assert (refused.code, "nothing was revoked" in refused.err) == (1, True)
    assert len(shell("token", "list", "--json").json) == 1
    monkeypatch.setattr("builtins.input", lambda _: "yes")
    revoked = shell("token", "revoke", token_id)
    assert revoked.code == 0
    assert "1 connected agent joined with it and will stay connected" in revoked.out
    assert shell("token", "list", "--json").json == []
    assert shell("token", "revoke", token_id, "--yes").err.endswith("(not_found)\n")
    assert len(shell("agent", "list", "--json").json) == 1


def test_agents_are_listed_with_their_token(shell: Shell) -> None:
    assert shell("agent", "list").out == "Name\tQueue\tVersion\tAddress\tConnected\tJoined with token\tId\n"
    join(shell.world)
    token_id = shell.world.first.agent_token.token.id
    row = shell("agent", "list").out.splitlines()[1].split("\t")
    assert row[:3] == ["linux-1", "default", "3.100.0"]
    assert row[5] == token_id
    assert shell("agent", "list", "--queue", "other", "--json").json == []
    assert len(shell("agent", "list", "--token", token_id, "--json").json) == 1


def test_long_lists_are_read_to_their_end(shell: Shell) -> None:
    for number in range(101):
        join(shell.world, f"agent-{number}")
    assert len(shell("agent", "list", "--json").json) == 101


def test_credentials_are_found_in_order(shell: Shell, tmp_path: Path) -> None:
    named = shell.write(tmp_path / "named.json", organization="named")
    other = shell.write(tmp_path / "other.json", organization="other")
    pair = {"WATCHWORD_URL": "http://x/", "WATCHWORD_TOKEN": "t"}
    both = {**pair, "WATCHWORD_CREDENTIALS": str(other)}
    assert find_credentials(named, both).organization == "named"
    assert find_credentials(None, both).organization == "other"
    assert find_credentials(None, pair) == Credentials("http://x", Secret("t"))
    assert find_credentials(None, {}).organization == "acme"
    assert find_credentials(named, {"WATCHWORD_ORGANIZATION": "o"}).organization == "o"
    assert find_credentials(named, {"WATCHWORD_CLUSTER": "c"}).cluster_id == "c"


def test_missing_and_broken_credentials(shell: Shell, tmp_path: Path) -> None:
    assert shell("token", "list", "--credentials", "nowhere.json").err.startswith("watchword: cannot read")
    for text in ("{", "[]", '{"rest_url": "http://x"}', '{"api_access_token": "t"}', "[" * 60_000):
        (tmp_path / "broken.json").write_text(text)
        outcome = shell("token", "list", "--credentials", "broken.json")
        assert (outcome.code, "bad_credentials" in outcome.err) == (1, True)
    odd = shell.write(tmp_path / "odd.json", api_access_token="sécret\nX: y")
    outcome = shell("token", "list", "--credentials", str(odd))
    assert "bad_credentials" in outcome.err
    assert "cret" not in outcome.err
    (tmp_path / "watchword-data" / "credentials.json").unlink()
    outcome = shell("agent", "list")
    for way in ("--credentials FILE", "WATCHWORD_CREDENTIALS", "WATCHWORD_URL and WATCHWORD_TOKEN"):
        assert way in outcome.err


def test_url_and_token_alone_find_organization_and_cluster(shell: Shell) -> None:
    shell.patch.setenv("WATCHWORD_URL", "http://127.0.0.1:8080")
    shell.patch.setenv("WATCHWORD_TOKEN", shell.value)
    assert len(shell("token", "list", "--json").json) == 1


def test_refusal_is_one_line(shell: Shell, tmp_path: Path) -> None:
    wrong = shell.write(tmp_path / "w.json", api_access_token=mint(Kind.API_ACCESS).reveal())
    outcome = shell("token", "list", "--credentials", str(wrong))
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("watchword: Authentication required.")
    assert outcome.err.endswith("(token_unknown)\n")


def test_unreachable_server(shell: Shell) -> None:
    class Dead(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("refused", request=request)

    shell.transport = Dead()  # type: ignore[assignment]
    outcome = shell("token", "list")
    assert outcome.code == 1
    assert "is the server running?" in outcome.err


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(502, text="<html>"),
        httpx.Response(500, json=["x"]),
        httpx.Response(200, text="<html>"),
        httpx.Response(400, json={"message": "\x1b[2J", "code": "c"}),
    ],
)
def test_odd_answers(answer: httpx.Response) -> None:
    http = httpx.Client(transport=httpx.MockTransport(lambda _: answer), base_url="http://x")
    client = Client(Credentials("http://x", Secret("t"), "acme"), http)
    with pytest.raises(client_module.CommandError) as caught:
        client.call("GET", "clusters")
    assert "\x1b" not in caught.value.message


def test_real_http_client_follows_no_redirect() -> None:
    http = client_module.open_http(Credentials("http://127.0.0.1:1", Secret("t")))
    assert http.follow_redirects is False
    http.close()


def samples() -> dict[str, str]:
    found = {KINDS[kind].shape.name: kind for kind in VALUED}
    made = {
        name: mint(kind).reveal() for name, kind in found.items() if KINDS[kind].shape.checked
    }  # fmt: skip
    made["dagster-user-token"] = mint_dagster(Kind.DAGSTER_USER).reveal()
    made["dagster-agent-token"] = mint_dagster(Kind.DAGSTER_AGENT, "acme").reveal()
    return made


def output(capsys: pytest.CaptureFixture[str], **options: Any) -> str:
    patterns(**options)
    return capsys.readouterr().out


def test_patterns_find_what_is_issued(capsys: pytest.CaptureFixture[str]) -> None:
    lines = dict(line.split("\t") for line in output(capsys).splitlines())
    assert set(lines) == {shape.name for shape in SHAPES}
    for name, value in samples().items():
        assert re.fullmatch(lines[name], value), name


def test_patterns_of_other_makes(capsys: pytest.CaptureFixture[str]) -> None:
    rules = tomllib.loads(output(capsys, format="gitleaks"))["rules"]
    assert [rule["id"] for rule in rules] == [f"watchword-{shape.name}" for shape in SHAPES]
    for rule in rules:
        value = samples().get(rule["id"].removeprefix("watchword-"))
        assert value is None or (re.search(rule["regex"], value) and rule["keywords"][0] in value)
    yaml = pytest.importorskip("yaml")
    detectors = yaml.safe_load(output(capsys, format="trufflehog"))["detectors"]
    assert len(detectors) == len(SHAPES)
    hook = yaml.safe_load(output(capsys, format="pre-commit"))["repos"][0]["hooks"][0]
    assert hook["language"] == "pygrep"
    for value in samples().values():
        assert re.search(hook["entry"], f'x = "{value}"')
    assert output(capsys, format="github").count("Secret format:") == len(SHAPES)


def test_patterns_of_a_brand(shell: Shell) -> None:
    assert "agent-token\tzz_" not in shell("token", "patterns").out
    assert "\nunclustered-agent-token\tzzar_" in shell("token", "patterns", "--brand", "zz").out
    assert shell("token", "patterns", "--brand", "'''").code == 1
