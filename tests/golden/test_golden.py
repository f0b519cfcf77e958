"""Golden files: what clients and users depend on changes only on purpose (`make golden`)."""

import subprocess
import sys
from pathlib import Path

import pytest

from watchword.cli.patterns import FORMATS, rows

FOLDER = Path(__file__).parent
COMMANDS = [
    "",
    "up",
    "serve",
    "drill",
    "drill leak",
    "drill rotation",
    "tour",
    "admin",
    "admin recover",
    "admin first-link",
    "admin password",
    "admin sessions",
    "admin mail",
    "admin reveal",
    "admin reveal-policy",
    "admin user",
    "admin user list",
    "admin user create",
    "admin user disable",
    "admin user enable",
    "admin two-factor reset",
    "admin api-token create",
    "tour rotation",
    "token",
    "token create",
    "token import",
    "token list",
    "token show",
    "token edit",
    "token revoke",
    "token patterns",
    "dagster",
    "dagster token",
    "dagster token create",
    "dagster token import",
    "dagster token list",
    "dagster token show",
    "dagster token describe",
    "dagster token permit",
    "dagster token forbid",
    "dagster token rotate",
    "dagster token rotation",
    "dagster token revoke",
    "dagster user-token",
    "dagster user-token create",
    "dagster user-token list",
    "dagster user-token describe",
    "dagster user-token can",
    "dagster user-token revoke",
    "dagster deployment",
    "dagster deployment list",
    "dagster deployment create",
    "dagster deployment delete",
    "dagster role",
    "dagster role list",
    "dagster role set",
    "dagster agent",
    "dagster agent list",
    "cluster",
    "cluster list",
    "cluster show",
    "cluster create",
    "cluster update",
    "cluster delete",
    "queue",
    "queue list",
    "queue show",
    "queue create",
    "queue update",
    "queue delete",
    "queue pause",
    "queue resume",
    "fleet",
    "fleet list",
    "fleet show",
    "fleet stop",
    "fleet pause",
    "fleet resume",
    "issuer",
    "issuer add",
    "issuer list",
    "issuer show",
    "issuer explain",
    "issuer delete",
    "secret",
    "secret list",
    "secret create",
    "secret update",
    "secret delete",
    "pipeline",
    "pipeline list",
    "pipeline show",
    "pipeline create",
    "pipeline update",
    "pipeline archive",
    "pipeline unarchive",
    "pipeline delete",
    "token can",
    "api-token",
    "api-token create",
    "api-token import",
    "api-token list",
    "api-token show",
    "api-token edit",
    "api-token revoke",
    "api-token duplicate",
    "api-token remove-organization",
    "api-token can",
    "hygiene",
    "access-audit",
    "settings",
    "settings show",
    "settings set",
    "member",
    "member list",
    "member update",
    "member remove",
    "invitation",
    "invitation list",
    "invitation create",
    "invitation revoke",
    "team",
    "team list",
    "team create",
    "team update",
    "team delete",
    "team members",
    "team add",
    "team remove",
    "maintainer",
    "maintainer list",
    "maintainer add",
    "maintainer remove",
    "token rotate",
    "token rotation",
    "incident",
    "incident list",
    "incident show",
    "incident close",
    "leak",
    "leak list",
    "leak show",
    "leak respond",
    "leak release",
    "leak close",
    "leak reopen",
    "leak report",
    "leak policy",
    "leak policy show",
    "leak policy set",
    "build",
    "build create",
    "build list",
    "build show",
    "build cancel",
    "audit",
    "audit list",
    "audit verify",
    "audit export",
    "audit key",
    "partner",
    "partner serve",
    "partner report",
    "webhook",
    "webhook create",
    "webhook list",
    "webhook show",
    "webhook update",
    "webhook delete",
    "webhook enable",
    "webhook disable",
    "webhook ping",
    "webhook deliveries",
    "webhook redeliver",
    "scan",
    "what",
    "agent",
    "agent start",
    "agent list",
    "agent annotate",
    "agent annotation remove",
    "agent meta-data",
    "agent meta-data set",
    "agent meta-data set-batch",
    "agent meta-data get",
    "agent meta-data exists",
    "agent meta-data keys",
]


def compare(name: str, text: str, request: pytest.FixtureRequest) -> None:
    path = FOLDER / name
    if request.config.getoption("--write-golden"):
        path.write_text(text)
    assert path.read_text() == text, f"{name} differs; if that is meant: make golden"


def test_command_line_help(request: pytest.FixtureRequest) -> None:
    script = (
        "import os, sys, io, contextlib\n"
        "from watchword.cli.main import app\n"
        "from rich.console import Console\n"
        f"for words in {COMMANDS!r}:\n"
        "    print('$ watchword', words)\n"
        "    console = Console(width=100, file=sys.stdout, color_system=None, force_terminal=False)\n"
        "    app.help_print(words.split(), console=console)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nowhere", "COLUMNS": "100"},
    )
    compare("cli-help.txt", done.stdout, request)


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_token_patterns(form: str, request: pytest.FixtureRequest) -> None:
    compare(f"patterns-{form}.txt", FORMATS[form](rows("bk")), request)


def test_a_difference_is_found(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--write-golden"):
        return
    with pytest.raises(AssertionError, match="make golden"):
        compare("cli-help.txt", "something else", request)
