"""The agent token: its sources, their order, and how it gets out of sight."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.agent_server import AGENT_TOKEN
from watchword.agent.conceal import without_token
from watchword.agent.errors import ConfigError
from watchword.agent.tokensource import MAX_BYTES, TokenSource, find_source, read_token_file
from watchword.crypto.values import Secret


def find_token(flags: dict[str, str | None], environ: dict[str, str], config: dict[str, str]) -> Secret:
    return find_source(flags, environ, config).read()


def test_flag_beats_environment_beats_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("  from-file\n")
    environ, config = {"BUILDKITE_AGENT_TOKEN": "from-environment"}, {"token": "from-config"}
    assert find_token({"token": "from-flag"}, environ, config).reveal() == "from-flag"
    assert find_token({"token-file": str(file)}, environ, config).reveal() == "from-file"
    assert find_token({}, environ, config).reveal() == "from-environment"
    assert find_token({}, {"WATCHWORD_AGENT_TOKEN_FILE": str(file)}, config).reveal() == "from-file"
    assert find_token({}, {"BUILDKITE_AGENT_TOKEN": ""}, config).reveal() == "from-config"
    assert find_token({}, {}, {"token-file": str(file)}).reveal() == "from-file"
    assert find_token({}, {}, {"token": f"file://{file}"}).reveal() == "from-file"


def test_no_token_says_every_way_to_give_one() -> None:
    with pytest.raises(ConfigError) as caught:
        find_token({}, {}, {})
    for way in ("--token ", "--token-file", "BUILDKITE_AGENT_TOKEN", "WATCHWORD_AGENT_TOKEN_FILE", 'token="'):
        assert way in str(caught.value)


def test_two_in_one_place_are_one_too_many() -> None:
    with pytest.raises(ConfigError, match="the command line gives a token and a token file"):
        find_token({"token": "a", "token-file": "b"}, {}, {})


@pytest.mark.parametrize("form", ["/dev/fd/{}", "fd://{}", "/proc/self/fd/{}"])
def test_a_descriptor_is_read_once_and_closed(form: str) -> None:
    reader, writer = os.pipe()
    os.write(writer, f"\n{AGENT_TOKEN}\n".encode())
    os.close(writer)
    assert read_token_file(form.format(reader)).reveal() == AGENT_TOKEN
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reader)


def test_a_token_file_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "token"
    with pytest.raises(ConfigError, match="No such file"):
        read_token_file(str(file))
    file.write_bytes(b" \n")
    with pytest.raises(ConfigError, match="empty"):
        read_token_file(str(file))
    file.write_bytes(b"two words")
    with pytest.raises(ConfigError, match="characters") as caught:
        read_token_file(str(file))
    assert "words" not in str(caught.value)
    file.write_bytes(b"x" * (MAX_BYTES + 1))
    with pytest.raises(ConfigError, match="64 KiB"):
        read_token_file(str(file))
    with pytest.raises(ConfigError, match="Bad file descriptor"):
        read_token_file("/dev/fd/999999")


def test_the_token_is_masked_wherever_it_is_shown() -> None:
    assert AGENT_TOKEN not in repr(find_token({"token": AGENT_TOKEN}, {}, {}))


def test_what_is_in_sight(tmp_path: Path) -> None:
    """A reference shows nothing; a value in arguments or environment does, and is told apart."""

    def source(flags: dict[str, str | None], environ: dict[str, str]) -> TokenSource:
        return find_source(flags, environ, {"token": "x"}, tmp_path / "a.cfg")

    assert source({"token": "x"}, {}).exposed
    assert source({}, {"BUILDKITE_AGENT_TOKEN": "x"}).variable == "BUILDKITE_AGENT_TOKEN"
    assert source({"token": "env:MINE"}, {"MINE": "x"}).variable == "MINE"
    references = ("file:/x", "file:///x", "fd:7", "fd://7", "ssm:/x", "vault:secret/x#token")
    assert not any(source({"token": text}, {}).exposed for text in references)
    assert not source({}, {"BUILDKITE_AGENT_TOKEN": "ssm:/x"}).exposed
    assert not source({}, {}).exposed


def test_what_can_change_is_read_again(tmp_path: Path) -> None:
    file, config = tmp_path / "token", tmp_path / "a.cfg"
    sources = [
        find_source({"token": f"file:{file}"}, {}, {}),
        find_source({"token-file": str(file)}, {}, {}),
        find_source({}, {}, {"token": "old"}, config),
    ]
    for value in ("old", "new"):
        file.write_text(value)
        config.write_text(f'token="{value}"\n')
        assert [source.read().reveal() for source in sources] == [value] * 3
    assert all(source.rotates for source in sources)
    assert not find_source({"token": "x"}, {}, {}).rotates
    assert not find_source({"token": "env:MINE"}, {"MINE": "x"}, {}).rotates


def test_a_reference_that_leads_nowhere() -> None:
    with pytest.raises(ConfigError, match="'MINE', which is not set"):
        find_source({"token": "env:MINE"}, {}, {})
    with pytest.raises(ConfigError, match="PATH#FIELD"):
        find_token({"token": "vault:secret/agent"}, {}, {})
    with pytest.raises(ConfigError, match="endpoint, region at most"):
        find_token({"token": "ssm:/agent?profile=x"}, {}, {})


@pytest.mark.parametrize(("reference", "library"), [("ssm:/x", "aws"), ("vault:secret/x#token", "vault")])
def test_a_missing_library_says_what_to_install(
    reference: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, {"aws": "boto3", "vault": "hvac"}[library], None)
    with pytest.raises(ConfigError, match=rf"install watchword\[{library}\]"):
        find_token({"token": reference}, {}, {})


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_the_process_becomes_unreadable() -> None:
    """PR_GET_DUMPABLE is 3; in a process of its own, for it cannot be undone for others."""
    script = (
        "import ctypes; from watchword.agent.conceal import forbid_inspection as f;"
        "p = ctypes.CDLL(None).prctl; print(p(3, 0, 0, 0, 0)); f(); print(p(3, 0, 0, 0, 0))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "0"]


def test_arguments_lose_their_tokens() -> None:
    given = [
        "-m",
        "watchword",
        "start",
        "--token",
        "x",
        "--name=a",
        "--token=y",
        "--token-file",
        "z",
        "--token-file=q",
    ]
    assert without_token(given) == ["-m", "watchword", "start", "--name=a"]
    assert without_token(["start", "--token"]) == ["start"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--token-file", "/no/such/token"], "cannot read the token file"),
        (["--token=x", "--build-path", "/dev/null/builds"], "build path"),
        (["--token=x", "--config", "/no/such.cfg"], "configuration file"),
    ],
)
def test_a_start_that_cannot_be_says_why_and_fails(words: list[str], message: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "watchword.agent", "start", *words],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Cannot start: ")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
