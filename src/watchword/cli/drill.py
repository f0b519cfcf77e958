"""`drill`: hold a fire drill on the running server, and show step by step what was proved."""

import sys
from typing import Annotated, Any

from cyclopts import App, Parameter

from watchword.cli.hostcalls import ConfigFile, DataFolder, Installation
from watchword.cli.output import clean, say, show_json, show_table

app = App(name="drill", help="Prove, on the running server, that a leak or a rotation ends as it should.")

_Organization = Annotated[str, Parameter(show_default=False)]
_Switch = Annotated[bool, Parameter(negative=())]


@app.command
def leak(
    *,
    organization: _Organization = "",
    json: _Switch = False,
    data: DataFolder = None,
    config: ConfigFile = None,
) -> None:
    """Report a canary as leaked, and prove that it is refused, told of and labelled.

    An API access token is made for the drill and reported by a signed report, as a partner would send it.
    The people whom a real leak would concern get mail that says DRILL. Exit status 1 if a step failed.

    Args:
        organization: Slug of the organization; not needed where there is one alone.
        json: Print JSON.
        data: Folder of the installation; watchword-data unless set.
        config: Settings file (TOML).
    """
    _hold("leak", organization, Installation.find(data, config), json=json)


@app.command
def rotation(
    *,
    organization: _Organization = "",
    json: _Switch = False,
    data: DataFolder = None,
    config: ConfigFile = None,
) -> None:
    """Rotate a canary that an agent uses, and prove that the old value is refused once the agent moved.

    The agent is the drill's own; it connects, and takes no job. Exit status 1 if a step failed.

    Args:
        organization: Slug of the organization; not needed where there is one alone.
        json: Print JSON.
        data: Folder of the installation; watchword-data unless set.
        config: Settings file (TOML).
    """
    _hold("rotation", organization, Installation.find(data, config), json=json)


def _hold(exercise: str, organization: str, installation: Installation, *, json: bool) -> None:
    drill = installation.call("drill", exercise=exercise, organization=organization)
    if json:
        show_json(drill)
    else:
        _show(drill)
    if not drill["passed"]:
        sys.exit(1)


def _show(drill: dict[str, Any]) -> None:
    rows = [
        [step["step"], step["verdict"], f"{step['milliseconds']} ms", step["detail"]]
        for step in drill["steps"]
    ]
    show_table(["Step", "Verdict", "Took", "Detail"], rows)
    end = "passed" if drill["passed"] else "FAILED"
    took = drill["milliseconds"] / 1000
    say(f"Drill of a {drill['drill']} in {clean(drill['organization'])}: {end}, {took:.1f} s.")
