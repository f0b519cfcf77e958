"""The page of the agent's settings is made of the agent's own table."""

from pathlib import Path

import pytest

from watchword.agent.options import GROUPS, IDLE, REFUSED, Kind, Option

PAGE = Path(__file__).parents[2] / "docs" / "agent-settings.md"


def row(option: Option) -> str:
    variables = " or ".join(f"`{name}`" for name in (option.variable, option.other) if name)
    flag = f"`--{option.name}`" if option.kind is Kind.SWITCH else f"`--{option.name} {option.kind.value}`"
    default = f"`{option.default}`" if option.default else ""
    return f"| {flag} | {variables} | {default} | {option.help.replace('*', chr(92) + '*')} |"


def settings_page() -> str:
    lines = [
        "# Settings of the agent",
        "",
        "A flag wins over its variable, the variable over the key of the same name in the configuration file",
        '(`name="value"`, without the dashes). How they work together is in [agent](agent.md).',
        "`make golden` makes this page of `watchword.agent.options`.",
    ]
    for name, options in GROUPS.items():
        lines += ["", f"## {name}", "", "| Flag | Variable | Default | What it does |", "|---|---|---|---|"]
        lines += [row(option) for option in options]
    lines += ["", "## Settings of the usual agent that this one has not", ""]
    lines += ["It does not start with these, for it would run what they are to keep away:", ""]
    lines += [", ".join(f"`{name}`" for name in REFUSED) + "."]
    lines += [
        "",
        "These change nothing, and a warning says so when they stand in the environment or the file:",
        "",
    ]
    lines += [", ".join(f"`{name}`" for name in IDLE) + ".", ""]
    return "\n".join(lines)


def test_every_setting_of_the_agent_is_documented(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--write-golden"):
        PAGE.write_text(settings_page())
    assert PAGE.read_text() == settings_page(), "docs/agent-settings.md is behind; run: make golden"
