"""The fake partner: its published keys, and reports that the server takes for real."""

import io
import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from cli_harness import Shell
from support import LiveServer
from watchword.cli.partnerstand import PartnerStand, partner_key
from watchword.crypto.reports import ReportKey, read_key_list
from watchword.crypto.values import mint
from watchword.domain.kinds import Kind


def test_it_publishes_its_keys_as_github_does(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "watchword", "partner", "serve", "--port", "0", "--key", "partner.pem"]
    with subprocess.Popen(
        words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        answer = httpx.get(url)
        again = httpx.get(url, headers={"If-None-Match": answer.headers["etag"]})
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert f'keys = "{url}"' in said
    assert (answer.status_code, again.status_code, again.content) == (200, 304, b"")
    listed = answer.json()["public_keys"]
    assert [row["is_current"] for row in listed] == [False, True]
    key = partner_key(tmp_path / "partner.pem")
    assert set(read_key_list(answer.content)) == {key.id}
    assert (tmp_path / "partner.pem").stat().st_mode & 0o777 == 0o600


def test_a_report_is_taken_and_labelled(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = partner_key(tmp_path / "partner.pem")
    stand = PartnerStand([(ReportKey.generate(), False), (key, True)])
    reporters = json.dumps([{"name": "fake", "type": "github", "keys": stand.url}])
    server = LiveServer(tmp_path / "server", leak_reporters=reporters)
    try:
        live, strange = server.first.api_token.value, mint(Kind.API_ACCESS)
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{live.reveal()}\n\n{strange.reveal()}\n"))
        told = shell(
            "partner", "report", "--stdin", "--to", server.url, "--key", "partner.pem", "--url", "https://x"
        )
        assert (told.code, told.err) == (0, "")
        assert [line.split("\t")[1] for line in told.out.splitlines()] == [
            "label",
            "true_positive",
            "false_positive",
        ]
        assert live.reveal() not in told.out
        refused = httpx.get(f"{server.url}/v2/user", headers={"Authorization": f"Bearer {live.reveal()}"})
        assert refused.status_code == 401
        to = ("--to", server.url, "--key", "partner.pem")
        again = shell("partner", "report", strange.reveal(), *to, "--json")
        assert [one["label"] for one in again.json] == ["false_positive"]
        wrong = shell("partner", "report", "x", *to, "--reporter", "nobody")
        assert (wrong.code, "leak_report_refused" in wrong.err) == (1, True)
    finally:
        server.close()
        stand.close()


def test_what_cannot_work_is_said(shell: Shell, tmp_path: Path) -> None:
    to = ("--to", "http://127.0.0.1:9")
    assert "no_value" in shell("partner", "report", *to).err
    assert "unreachable" in shell("partner", "report", "x", *to).err
    (tmp_path / "open.pem").write_text(ReportKey.generate().pem())
    (tmp_path / "open.pem").chmod(0o644)
    (tmp_path / "bad.pem").write_text("nonsense")
    (tmp_path / "bad.pem").chmod(0o600)
    for name in ("open.pem", "bad.pem"):
        assert "partner_key" in shell("partner", "report", "x", *to, "--key", name).err
