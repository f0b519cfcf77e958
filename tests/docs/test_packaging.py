"""Units and the container file: their commands are ours, their paths agree, systemd takes them."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from watchword.cli.main import app
from watchword.edge.meter import Meter
from watchword.edge.ops import routes
from watchword.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "packaging").glob("*.service"))
INSTALLED = "/usr/local/bin/watchword"


def settings_of(unit: Path) -> dict[str, list[str]]:
    """Keys and values of a unit, all sections together."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for line in unit.read_text().splitlines():
        key, mark, value = line.partition("=")
        if mark and not line.startswith(("#", "[")):
            found[key].append(value)
    return found


def instructions() -> dict[str, list[str]]:
    """Instructions of the container file and their arguments, of its last stage."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    text = (ROOT / "Containerfile").read_text().rpartition("\nFROM ")[2]
    for line in text.splitlines()[1:]:
        name, _, arguments = line.partition(" ")
        if name.isupper():
            found[name].append(arguments)
    return found


def takes(words: list[str]) -> None:
    """Require that our command line takes these words; nothing is run."""
    app.parse_args(words, exit_on_error=False, print_error=False)


def test_there_is_a_unit_for_the_server_and_one_for_the_agent() -> None:
    assert [unit.name for unit in UNITS] == ["watchword-agent.service", "watchword.service"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_runs_a_command_that_we_have_where_it_may_write(unit: Path) -> None:
    settings = settings_of(unit)
    (command,) = settings["ExecStart"]
    program, *words = shlex.split(command)
    assert program == INSTALLED
    takes(words)
    (state,) = settings["StateDirectory"]
    assert settings["WorkingDirectory"] == [f"/var/lib/{state}"]
    written = [word for word in words if word.startswith("/var/")]
    assert written
    assert all(Path(word).is_relative_to(f"/var/lib/{state}") for word in written)
    credentials = {value.partition(":")[0] for value in settings["LoadCredential"]}
    assert set(re.findall(r"%d/(\S+)", command)) <= credentials
    users = re.findall(r"^u (\S+)", (ROOT / "packaging" / "watchword.sysusers").read_text(), re.MULTILINE)
    assert settings["User"][0] in users


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_a_unit(unit: Path, tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    assert program, "systemd-analyze is missing; `make test` installs the Debian package systemd as root"
    text = unit.read_text().replace(INSTALLED, sys.executable)
    # The machine has neither these users nor these files.
    text = re.sub(r"^(User|Group|Documentation)=.*\n", "", text, flags=re.MULTILINE)
    copy = tmp_path / unit.name
    copy.write_text(text)
    verified = subprocess.run(
        [program, "verify", "--man=no", copy], capture_output=True, text=True, check=False
    )
    said = [line for line in verified.stderr.splitlines() if unit.name in line]
    assert not said


def test_the_container_runs_a_command_that_we_have_as_nobody_special() -> None:
    found = instructions()
    (entry,), (command,) = found["ENTRYPOINT"], found["CMD"]
    assert json.loads(entry) == ["watchword"]
    words = json.loads(command)
    takes(words)
    (volume,) = found["VOLUME"]
    assert words[words.index("--data") + 1] == volume
    port = words[words.index("--listen") + 1].rpartition(":")[2]
    assert found["EXPOSE"] == [port]
    assert found["USER"] == ["watchword"]
    health = found["HEALTHCHECK"][0]
    assert f"127.0.0.1:{port}" in health


def test_the_container_asks_a_path_that_is_served() -> None:
    async def ready() -> str:
        return ""

    paths = {route.path for route in routes(Meter(), ready, int)}
    assert set(re.findall(r"127\.0\.0\.1:\d+(/\w+)", instructions()["HEALTHCHECK"][0])) <= paths


def test_variables_that_are_named_are_settings() -> None:
    known = {PREFIX + name.upper() for name in Settings.__dataclass_fields__}
    for path in (ROOT / "Containerfile", *UNITS):
        named = set(re.findall(rf"{PREFIX}[A-Z_]+", path.read_text()))
        assert {name for name in named if "_AGENT_" not in name} <= known, path.name


def test_the_container_copies_what_there_is() -> None:
    text = (ROOT / "Containerfile").read_text()
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        assert all((ROOT / source).exists() for source in sources.split())
    extras = re.findall(r"^(\w+) = \[$", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert set(re.findall(r"--extra (\w+)", text)) <= set(extras)
