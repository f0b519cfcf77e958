"""`admin keys`: the installation's keys, for whoever runs the host; the server may run or not."""

from typing import Annotated, Literal

from cyclopts import App, Parameter

from watchword.cli.hostcalls import ConfigFile, DataFolder, Installation
from watchword.cli.output import say, show_json, show_table

app = App(name="keys", help="List, rotate and withdraw the keys of the installation.")

_Switch = Annotated[bool, Parameter(negative=())]
_Purpose = Literal["identity", "job-token", "artifact", "sealing", "audit", "mac"]


@app.command(name="list")
def list_keys(*, json: _Switch = False, data: DataFolder = None, config: ConfigFile = None) -> None:
    """List the keys, never a secret.

    Args:
        json: Print JSON.
        data: Folder of the installation; watchword-data unless set.
        config: Settings file (TOML).
    """
    found = Installation.find(data, config).call("keys")
    if json:
        show_json(found)
        return
    columns = ("purpose", "number", "state", "algorithm", "kid", "signs_from")
    rows = [[one[column] for column in columns] for one in found["keys"]]
    show_table(["Purpose", "Number", "State", "Algorithm", "Key id", "Signs from"], rows)


@app.command
def rotate(
    purpose: _Purpose,
    /,
    *,
    hours: int = 24,
    now: _Switch = False,
    json: _Switch = False,
    data: DataFolder = None,
    config: ConfigFile = None,
) -> None:
    """Make a new key; the former one stays for what it signed.

    A new key of job identity is published first, so that relying parties that keep the list of keys know it
    when it signs. The others take over at once.

    Args:
        purpose: What the key is for.
        hours: How long a key of job identity is published before it signs.
        now: Let it sign at once, where the former one is not to be trusted any more; then withdraw that.
        json: Print JSON.
        data: Folder of the installation; watchword-data unless set.
        config: Settings file (TOML).
    """
    made = Installation.find(data, config).call("keys rotate", purpose=purpose, hours=0 if now else hours)
    if json:
        show_json(made)
        return
    when = f"signs from {made['signs_from']}" if made["state"] == "coming" else "signs now"
    say(f"Key {made['number']} of {made['purpose']} {when}.")


@app.command
def withdraw(number: int, /, *, data: DataFolder = None, config: ConfigFile = None) -> None:
    """Publish a key of job identity no more: tokens that it signed are refused as soon as keys are read anew.

    Args:
        number: Its number.
        data: Folder of the installation; watchword-data unless set.
        config: Settings file (TOML).
    """
    Installation.find(data, config).call("keys withdraw", number=number)
    say(f"Key {number} of job identity is withdrawn.")
