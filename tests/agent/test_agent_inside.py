"""The commands inside a job, against the real server."""

import base64
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from s3_stand_in import s3_server
from support import FakeAgent, LiveServer
from watchword.agent.commands import app
from watchword.agent.retry import Policy


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    live = LiveServer(tmp_path_factory.mktemp("server"))
    yield live
    live.close()


@pytest.fixture
def folder(server: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a running job, whose commands see what a job sees."""
    for name in [name for name in os.environ if name.startswith("BUILDKITE")]:
        monkeypatch.delenv(name)
    build, _ = server.create_build("make")
    agent = FakeAgent(server.url, server.first.agent_token.value.reveal(), name="inside").connect()
    job = agent.accept()
    assert agent.on_job("PUT", f"/v3/jobs/{job}/start", {}).status == 200
    monkeypatch.setenv("BUILDKITE_AGENT_ACCESS_TOKEN", agent.job_token)
    monkeypatch.setenv("BUILDKITE_AGENT_ENDPOINT", f"{server.url}/v3")
    monkeypatch.setenv("BUILDKITE_JOB_ID", job)
    monkeypatch.setenv("BUILDKITE_BUILD_ID", build.id)

    async def at_once(_seconds: float) -> None:
        return None

    monkeypatch.setattr("watchword.agent.retry.Policy", lambda: Policy(sleep=at_once))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    agent.finish(job)


def run(*words: str) -> int:
    try:
        app(words)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def written(folder: Path, **files: bytes) -> None:
    for name, data in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def test_artifacts_there_and_back(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(folder, pkg__a_txt=b"a", pkg__deep__b_txt=b"b" * 100_000, pkg__c_log=b"", other_txt=b"x")
    assert run("artifact", "upload", "pkg/**/*.txt; pkg/*.log") == 0
    assert run("artifact", "search", "*", "--format", "%p %s %S\\n") == 0
    found = sorted(capsys.readouterr().out.splitlines())
    sha1 = [hashlib.sha1(data).hexdigest() for data in (b"a", b"", b"b" * 100_000)]
    assert found == [f"pkg/a.txt 1 {sha1[0]}", f"pkg/c.log 0 {sha1[1]}", f"pkg/deep/b.txt 100000 {sha1[2]}"]
    (folder / "back").mkdir()
    assert run("artifact", "download", "pkg/*.txt", "back") == 0
    assert (folder / "back/pkg/deep/b.txt").read_bytes() == b"b" * 100_000
    assert sorted(path.name for path in (folder / "back").rglob("*") if path.is_file()) == ["a.txt", "b.txt"]
    capsys.readouterr()
    assert run("artifact", "shasum", "pkg/a.txt") == 0
    assert run("artifact", "shasum", "--sha256", "pkg/a.txt") == 0
    assert capsys.readouterr().out.split() == [sha1[0], hashlib.sha256(b"a").hexdigest()]
    assert run("artifact", "shasum", "*") == 1


def test_more_artifacts_than_one_call_takes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(65):
        written(folder, **{f"n__{number}": b"%d" % number})
    assert run("artifact", "upload", "n/*") == 0
    assert run("artifact", "search", "n/*", "--format", "%p\\n") == 0
    assert len(capsys.readouterr().out.splitlines()) == 65


def test_nothing_to_upload_and_nothing_found(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("artifact", "upload", "no/such/*") == 0
    assert run("artifact", "upload", "no-such-file", "--literal") == 1
    assert run("artifact", "search", "no/such") == 1
    assert run("artifact", "search", "no/such", "--allow-empty-results") == 0
    assert run("artifact", "download", "no/such", ".") == 1
    assert run("artifact", "download", "no/such", str(folder / "absent")) == 1
    assert "no artifacts match 'no/such'" in capsys.readouterr().err


def test_a_file_whose_name_looks_like_a_pattern(folder: Path) -> None:
    (folder / "a;[b].txt").write_text("x")
    assert run("artifact", "upload", "a;[b].txt", "--literal", "--delimiter", "") == 0
    assert run("artifact", "search", "a;[b].txt") == 0


def test_a_destination_that_is_none(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(folder, a_txt=b"a")
    assert run("artifact", "upload", "a.txt", "rt://artifactory/x") == 1
    assert "s3://bucket/folder" in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
def test_steps_builds_jobs_and_agents() -> None:
    assert run("pause", "--note", "lunch", "--timeout-in-minutes", "5") == 0
    assert run("resume") == 0
    assert run("job", "promise-failure", "3", "--reason", "it broke") == 0
    assert run("job", "promise-failure", "3") == 0
    assert run("job", "promise-failure", "4") == 1
    assert run("job", "promise-failure", "0") == 1
    assert run("job", "update", "no-such", "1") == 1


def test_a_big_file_goes_in_parts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = os.urandom(1024) * (33 * 1024) + b"odd"
    written(folder, big_bin=data, back__x=b"")
    assert run("artifact", "upload", "big.bin") == 0
    assert run("artifact", "download", "big.bin", "back") == 0
    assert (folder / "back/big.bin").read_bytes() == data
    assert "Uploaded big.bin (34603011 bytes)" in capsys.readouterr().err


def test_artifacts_in_a_bucket_of_ones_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(folder, pkg__a_txt=b"a", back__x=b"")
    with s3_server() as bucket:
        assert run("artifact", "upload", "pkg/*", bucket) == 0
        assert run("artifact", "search", "pkg/*", "--format", "%u\\n") == 0
        assert capsys.readouterr().out.endswith("https://things.s3.amazonaws.com/below/pkg/a.txt\n")
        assert run("artifact", "download", "pkg/*", "back") == 0
        assert (folder / "back/pkg/a.txt").read_bytes() == b"a"
        assert run("artifact", "upload", "pkg/*", "s3://no-such-bucket/x") == 1
        assert "pkg/a.txt could not be uploaded: the bucket refused" in capsys.readouterr().err


class JobSocket:
    """The socket of a job, which notes what is to be kept out of its log."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hidden: list[str] = []
        monkeypatch.setattr("watchword.agent.inside.oidc.job_socket", lambda _environ: self)

    def call(self, _kind: object, _method: str, _path: str, body: dict[str, str]) -> None:
        self.hidden.append(body["redact"])


def test_an_identity_token_is_printed_and_kept_out_of_the_log(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del folder
    socket = JobSocket(monkeypatch)
    words = (
        "--audience",
        "bao",
        "--lifetime",
        "60",
        "--claim",
        "pipeline_id,build_id",
        "--claim",
        "queue_key",
    )
    assert run("oidc", "request-token", *words, "--aws-session-tag", "job_id") == 0
    (token,) = capsys.readouterr().out.split()
    assert socket.hidden == [token]
    payload = token.split(".")[1]
    said = json.loads(base64.urlsafe_b64decode(payload + "=="))
    assert said["aud"] == "bao"
    assert said["exp"] - said["iat"] == 60
    assert {"pipeline_id", "build_id", "queue_key"} < set(said)
    monkeypatch.setenv("BUILDKITE_OIDC_TOKEN_SUBJECT_CLAIM", "pipeline_id")
    assert run("oidc", "request-token", "--format", "gcp") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["token_type"], shown["version"]) == ("urn:ietf:params:oauth:token-type:jwt", 1)
    assert shown["success"] is True
    assert socket.hidden[1] == shown["id_token"]


def test_without_a_log_that_can_hide_it_no_identity_token_is_printed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del folder
    assert run("oidc", "request-token") == 1
    shown = capsys.readouterr()
    assert not shown.out
    assert "--skip-redaction" in shown.err
    assert run("oidc", "request-token", "--skip-redaction") == 0
    assert capsys.readouterr().out.count(".") == 2


def test_an_identity_token_that_cannot_be_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del folder
    assert run("oidc", "request-token", "--lifetime", "-1") == 1
    assert run("oidc", "request-token", "--claim", "nothing") == 1
    assert "There is no claim 'nothing'" in capsys.readouterr().err
    assert run("oidc", "request-token", "--job", "01900000-0000-7000-8000-000000000000") == 1
    assert "belongs to another job" in capsys.readouterr().err
