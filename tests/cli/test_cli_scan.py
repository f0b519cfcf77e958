"""`scan`: what people and programs are told, what is suppressed, how it ends, how quickly it begins."""

import base64
import gzip
import io
import json
import os
import random
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli_harness import Outcome
from scan_values import value_of
from watchword.cli import client as client_module
from watchword.cli import scan as scan_module
from watchword.cli.main import app
from watchword.cli.scanning import run
from watchword.cli.scanwords import Asked, quickly
from watchword.crypto.values import digest, fingerprint
from watchword.domain.kinds import Kind
from watchword.scan.lookup import suffix_hash

SOURCE = random.Random(7)
AGENT = value_of(Kind.AGENT, SOURCE)
API = value_of(Kind.API_ACCESS, SOURCE)
USER = value_of(Kind.DAGSTER_USER, SOURCE)
MARK = fingerprint(digest(AGENT))


class Scan:
    """Scans in process, in a folder of its own."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capture = capture

    def __call__(self, *words: str) -> Outcome:
        asked = quickly(words)
        assert asked is not None, words
        code = run(asked)
        out, err = self._capture.readouterr()
        if "--reveal" not in words:
            assert not any(value in out + err for value in (AGENT, API, USER))
        return Outcome(code, out, err)

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def git(self, *words: str) -> None:
        who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
        subprocess.run(["git", *who, *words], cwd=self.folder, check=True, capture_output=True)


@pytest.fixture
def scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Scan:
    monkeypatch.chdir(tmp_path)
    for name in ("CREDENTIALS", "URL", "TOKEN"):
        monkeypatch.delenv(f"WATCHWORD_{name}", raising=False)
    return Scan(tmp_path, capsys)


def test_findings_are_named_and_never_shown(scan: Scan) -> None:
    scan.write("a/agent.cfg", f"name=x\ntoken={AGENT}\n")
    scan.write("b.yaml", f"user: {USER}\nsecret: {base64.b64encode(API.encode()).decode()}\n")
    done = scan()
    assert done.code == 1
    assert done.out.splitlines() == [
        f"b.yaml:1:7: Dagster user token  {fingerprint(digest(USER))}  shape only",
        f"b.yaml:2:9: API access token  {fingerprint(digest(API))}  checksum holds  base64",
        f"a/agent.cfg:2:7: agent token  {MARK}  checksum holds",
    ]
    assert "3 findings of 3 values: 2 with a checksum that holds, 1 by shape only" in done.err
    assert AGENT in scan("--reveal").out
    assert len(scan("--checksum-only").out.splitlines()) == 2
    assert len(scan("--shape-only").out.splitlines()) == 1
    assert len(scan("--no-decode").out.splitlines()) == 2


def test_statuses(scan: Scan) -> None:
    scan.write("clean.txt", "nothing here\n")
    assert scan().code == 0
    missing = scan("no-such-file")
    assert (missing.code, "no-such-file" in missing.err) == (2, True)
    for words in (("--git", "--staged"), ("--since", "HEAD"), ("--stdin", "x"), ("--brand", "Bad!")):
        assert scan(*words).code == 2
    assert scan("--checksum-only", "--shape-only").code == 2
    assert scan("--git").code == 2
    scan.write("found.txt", AGENT)
    assert scan("no-such-file", "found.txt").code == 1


def test_json_is_whole(scan: Scan) -> None:
    scan.write("agent.cfg", f"token={AGENT}\n")
    document = scan("--format", "json").json
    assert document["version"] == 1
    assert document["findings"] == [
        {
            "family": "agent-token",
            "kinds": ["agent"],
            "brand": "bk",
            "cell": document["findings"][0]["cell"],
            "proof": "checksum",
            "encoding": "plain",
            "fingerprint": MARK,
            "path": "agent.cfg",
            "members": [],
            "line": 1,
            "column": 7,
            "offset": 6,
            "length": len(AGENT),
            "commit": None,
            "suppressed_by": None,
            "suppressed_why": "",
        }
    ]
    assert document["summary"] == {
        "files": 1,
        "bytes": len(AGENT) + 7,
        "findings": 1,
        "checksum": 1,
        "shape": 0,
        "suppressed": 0,
    }


def test_sarif_keeps_to_its_schema(scan: Scan) -> None:
    scan.write("a b.cfg", f"token={AGENT}\nx={API} # watchword:allow example\n")
    scan.write("raw.bin", b"\0" + USER.encode())
    scan.git("init", "-q")
    document = scan("--format", "sarif").json
    assert (document["version"], set(document)) == ("2.1.0", {"$schema", "version", "runs"})
    (run,) = document["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"]
    rules = [rule["id"] for rule in driver["rules"]]
    assert len(rules) == len(set(rules))
    assert all(rule["shortDescription"]["text"] and rule["help"]["text"] for rule in driver["rules"])
    assert run["invocations"][0]["executionSuccessful"] is True
    results = {one["partialFingerprints"]["watchwordFingerprint/v1"]: one for one in run["results"]}
    assert set(results) == {MARK, fingerprint(digest(API)), fingerprint(digest(USER))}
    for one in results.values():
        assert rules[one["ruleIndex"]] == one["ruleId"]
        assert one["level"] in ("error", "warning", "note", "none")
        assert one["message"]["text"]
        region = one["locations"][0]["physicalLocation"]["region"]
        assert region.get("startLine", 1) >= 1
        assert region["byteLength"] > 0
    first = results[MARK]["locations"][0]["physicalLocation"]
    assert first["artifactLocation"]["uri"] == "a%20b.cfg"
    assert first["region"]["startLine"] == 1
    assert results[fingerprint(digest(API))]["suppressions"] == [
        {"kind": "inSource", "justification": "watchword:allow"}
    ]
    assert "suppressions" not in results[MARK]


def test_what_may_be_there_is_suppressed_and_counted(scan: Scan) -> None:
    scan.git("init", "-q")
    scan.write("old.cfg", f"token={AGENT}\n")
    scan.write("doc.md", f"An example: {API} <!-- watchword:allow -->\n")
    scan.write("tests/data.txt", USER)
    scan.write(".watchword-allow", "# what may be\ntests/*  # made up for tests\n")
    written = scan("--write-baseline", ".watchword-baseline.json")
    assert written.code == 0
    known = json.loads((scan.folder / ".watchword-baseline.json").read_text())
    assert known["findings"] == [{"fingerprint": MARK, "path": "old.cfg", "family": "agent-token"}]
    assert scan().code == 0
    # From another folder of the repository the same files count.
    assert scan("tests").code == 0
    rows = {one["path"]: one for one in scan("--format", "json").json["findings"]}
    assert {path: one["suppressed_by"] for path, one in rows.items()} == {
        "old.cfg": "baseline",
        "doc.md": "line",
        "tests/data.txt": "allow",
    }
    assert rows["tests/data.txt"]["suppressed_why"] == "made up for tests"
    # The same value elsewhere is news, and so is another one in the same file.
    scan.write("new.cfg", AGENT)
    assert "new.cfg" in scan().out
    scan.write("new.cfg", "")
    scan.write("old.cfg", f"token={AGENT}\nother={value_of(Kind.AGENT, SOURCE)}\n")
    assert scan().out.startswith("old.cfg:2:7")
    scan.write("fingerprints", f"{MARK} # revoked in March\n")
    assert "by the allow file" in scan("--allow", "fingerprints", "old.cfg").err


def test_files_of_exceptions_that_are_wrong_are_refused(scan: Scan) -> None:
    scan.write("x", AGENT)
    scan.write("allow", "x\n")
    refused = scan("--allow", "allow")
    assert (refused.code, "say why" in refused.err) == (2, True)
    for text in (
        "",
        "[]",
        "{}",
        '{"version": 2, "findings": []}',
        '{"version": 1, "findings": [1]}',
        "[" * 99999,
    ):
        scan.write("baseline", text)
        assert "bad_baseline" in scan("--baseline", "baseline").err
    assert "cannot_read" in scan("--baseline", "nothing-here").err
    assert "cannot_write" in scan("--output", "no/such/folder").err


def test_gits_ignored_files_are_left_out_on_request(scan: Scan) -> None:
    scan.git("init", "-q")
    scan.write(".gitignore", "build/\n*.log\n")
    for name in ("build/a", "x.log", "kept/b", "tracked.log"):
        scan.write(name, AGENT)
    scan.git("add", "-f", "tracked.log")
    assert len(scan().out.splitlines()) == 4
    names = [line.partition(":")[0] for line in scan("--respect-gitignore").out.splitlines()]
    assert sorted(names) == ["kept/b", "tracked.log"]
    assert scan("--respect-gitignore", "kept").code == 1
    assert scan("--respect-gitignore", os.path.relpath("/usr/share/doc")).code == 2


def test_histories_and_what_is_staged(scan: Scan) -> None:
    scan.git("init", "-q")
    scan.write("a.cfg", AGENT)
    assert scan("--staged").code == 0
    scan.git("add", ".")
    assert scan("--staged").out.startswith("a.cfg:1:1: agent token")
    scan.git("commit", "-qm", "one")
    scan.write("a.cfg", "")
    scan.git("commit", "-qam", "two")
    assert scan().code == 0
    (row,) = scan("--git", "--format", "json").json["findings"]
    assert row["commit"]["author"] == "Ada <ada@example.com>"
    assert scan("--git", "--since", "HEAD").code == 0
    assert " by Ada <ada@example.com>" in scan("--git").out


def test_the_hook_stops_a_commit(scan: Scan, monkeypatch: pytest.MonkeyPatch) -> None:
    scan.git("init", "-q")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert scan("--install-hook").code == 0
    assert scan("--install-hook").code == 0
    scan.write("a.cfg", AGENT)
    scan.git("add", ".")
    with pytest.raises(subprocess.CalledProcessError) as stopped:
        scan.git("commit", "-qm", "one")
    said = stopped.value.stdout + stopped.value.stderr
    assert b"a.cfg:1:1: agent token" in said
    assert AGENT.encode() not in said
    scan.write("a.cfg", "token=\n")
    scan.git("add", ".")
    scan.git("commit", "-qm", "one")
    (scan.folder / ".git/hooks/pre-commit").write_text("#!/bin/sh\n")
    assert "hook_exists" in scan("--install-hook").err


def test_archives_are_opened_where_they_are_named_or_wanted(scan: Scan) -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo("etc/agent.cfg")
        info.size = len(AGENT)
        archive.addfile(info, io.BytesIO(AGENT.encode()))
    scan.write("d/image", file.getvalue())
    scan.write("d/image.gz", gzip.compress(file.getvalue()))
    line = f"d/image!etc/agent.cfg:1:1: agent token  {MARK}  checksum holds"
    assert scan("d/image").out.splitlines() == [line]
    assert scan("d").out.splitlines() == [f"d/image:@512: agent token  {MARK}  checksum holds"]
    assert scan("d", "--archive").out.splitlines() == [line, line.replace("image!", "image.gz!")]
    scan.write("d/image.gz", gzip.compress(file.getvalue())[:60])
    cut = scan("d/image.gz")
    assert (cut.code, "not fully read: d/image.gz: " in cut.err) == (0, True)


def test_standard_input(scan: Scan, monkeypatch: pytest.MonkeyPatch) -> None:
    def feed(content: bytes) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(content))))

    feed(f"log line {AGENT}\n".encode())
    assert scan("--stdin").out == f"-:1:10: agent token  {MARK}  checksum holds\n"
    feed(gzip.compress(AGENT.encode()))
    assert scan("--stdin").code == 0
    feed(gzip.compress(AGENT.encode()))
    assert scan("--stdin", "--archive").out == f"-!content:1:1: agent token  {MARK}  checksum holds\n"


def test_output_goes_to_a_file_that_others_cannot_read(scan: Scan) -> None:
    scan.write("a", AGENT)
    done = scan("--format", "json", "--reveal", "--output", "report.json", "a")
    assert (done.code, done.out) == (1, "")
    assert json.loads((scan.folder / "report.json").read_text())["findings"][0]["value"] == AGENT
    assert (scan.folder / "report.json").stat().st_mode & 0o777 == 0o600


class Server:
    """Answers look-ups as a server does."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.answer: Any = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert (request.method, request.url.path) == ("POST", "/leaks/lookup")
        body = json.loads(request.content)
        self.asked.append(body)
        if self.answer is not None:
            return httpx.Response(200, json=self.answer)
        rows = {}
        for prefix in body["prefixes"]:
            match: dict[str, Any] = {
                "suffix_hash": suffix_hash(digest(AGENT)),
                "kind": "agent",
                "state": "active",
                "checked_at": 1,
            }
            if request.headers["authorization"] != "Bearer ":
                match["token"] = {"id": "T1", "organization": "acme", "name": "linux", "url": "https://x/T1"}
            rows[prefix] = [match]
        return httpx.Response(200, json={"matches": rows})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()

    def open_http(credentials: client_module.Credentials) -> httpx.Client:
        headers = {"Authorization": f"Bearer {credentials.token.reveal()}"}
        return httpx.Client(transport=httpx.MockTransport(made), base_url=credentials.url, headers=headers)

    monkeypatch.setattr(client_module, "open_http", open_http)
    return made


def test_a_server_is_asked_by_prefix_alone(
    scan: Scan, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan.write("a", f"{AGENT}\n{API}\n")
    assert "no_credentials" in scan("--verify").err
    monkeypatch.setenv("WATCHWORD_URL", "http://server")
    lines = scan("--verify").out.splitlines()
    assert [line.split("  ")[-1] for line in lines] == ["ACTIVE", "not known there"]
    prefixes = sorted(digest(value).hex()[:10] for value in (AGENT, API))
    assert server.asked == [{"prefixes": prefixes}]
    monkeypatch.setenv("WATCHWORD_TOKEN", "t")
    rows = scan("--verify", "--format", "json").json["findings"]
    assert rows[0]["live"]["token"]["name"] == "linux"
    assert rows[1]["live"] is None
    matches: list[Any] = [[], {prefixes[0]: 1}, {prefixes[0]: ["x"]}]
    answers: list[Any] = [{}, [], *({"matches": each} for each in matches)]
    for wrong in answers:
        server.answer = wrong
        assert "bad_answer" in scan("--verify").err


def test_quick_words_mean_what_the_whole_command_line_means(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Asked] = []

    def taken(asked: Asked) -> int:
        seen.append(asked)
        return 0

    monkeypatch.setattr(scan_module, "run", taken)
    for text in (
        "",
        "a b",
        "--git --since v1 --jobs 3 repo",
        "--staged --verify --reveal",
        "--stdin --archive --no-decode --format=sarif",
        "a --brand bk --brand acme --checksum-only --shape-only",
        "--baseline b --write-baseline c --allow d --output e --credentials f --respect-gitignore",
        "--install-hook -- --odd name",
    ):
        words = text.split()
        with pytest.raises(SystemExit):
            app(["scan", *words])
        assert quickly(words) == seen.pop(), text
    for text in (
        "--help",
        "-x",
        "--nope",
        "--format xml",
        "--jobs many",
        "--since",
        "--git=1",
        "--git --git",
    ):
        assert quickly(text.split()) is None


def test_it_begins_with_little_loaded(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(AGENT)
    script = (
        "import sys, runpy\n"
        "sys.argv = ['watchword', 'scan', sys.argv[1]]\n"
        "try:\n    runpy.run_module('watchword', run_name='__main__')\n"
        "except SystemExit as end:\n    code = end.code\n"
        "heavy = {'sqlalchemy', 'litestar', 'rich', 'cyclopts', 'httpx', 'msgspec', 'asyncio', 'zipfile'}\n"
        "print(code, sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "a")], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "1 []"


def test_progress_is_shown_on_a_terminal_alone(scan: Scan, monkeypatch: pytest.MonkeyPatch) -> None:
    scan.write("a", AGENT)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", screen)
    assert scan().out.startswith("a:1:1")
    assert "1 finding of 1 value" in screen.getvalue()
    assert "\x1b[" in screen.getvalue()
    assert AGENT not in screen.getvalue()


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "many").write_text("\n".join(value_of(Kind.AGENT, SOURCE) for _ in range(2000)))
    command = f"{sys.executable} -m watchword scan {tmp_path}/many | head -1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_this_repository_keeps_to_it(scan: Scan) -> None:
    root = Path(__file__).parents[2]
    done = scan(*(str(root / name) for name in ("src", "tests", "docs", "bench", "README.md")))
    assert (done.code, done.out) == (0, "")
    assert "suppressed, by the allow file" in done.err
