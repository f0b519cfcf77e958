"""`token rotate` and `token rotation`: give a token a successor, and follow the move to it."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from cyclopts import Parameter

from watchword.cli.client import AsJson, Client, CommandError, CredentialsFile
from watchword.cli.output import clean, show_fields, show_json, show_table
from watchword.cli.spans import moment

_Text = Annotated[str | None, Parameter(show_default=False)]
_Switch = Annotated[bool, Parameter(negative=())]
_File = Annotated[Path | None, Parameter(show_default=False)]
_POLL_SECONDS = 1.0


def rotate(
    token: str,
    /,
    *,
    deadline: str = "7d",
    to_file: _File = None,
    cluster: _Text = None,
    unclustered: _Switch = False,
    quiet: _Switch = False,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Give an agent token a successor; both values work until every agent has moved.

    Asked again within five minutes, the answer is the same, so a lost one is harmless.

    Args:
        token: Id of the token.
        deadline: Time after which the old value ends in any case, as 7d or 12h; at least 10 minutes.
        to_file: Write the new value to this file, which only you can read, instead of showing it.
        cluster: Id of the cluster; the default cluster unless set.
        unclustered: The token belongs to no cluster.
        quiet: Print the new value alone.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    path = _path(client, cluster, token, unclustered=unclustered)
    until = moment(deadline)
    with _keeper(to_file) as keep:
        made = client.call("POST", path, {"deadline": until})
        value = made["token"]
        if keep is not None:
            keep(value)
            del made["token"]
    if json:
        show_json(made)
    elif quiet and to_file is None:
        print(value)
    else:
        _introduce(made, value, to_file)


def _introduce(made: dict[str, Any], value: str, to_file: Path | None) -> None:
    if to_file is None:
        print(f"The new value, shown this once:\n\n  {value}\n")
    else:
        print(f"The new value is in {to_file}.")
    print(
        f"The old value works until all have moved, at the latest until {made['deadline']}; {_moved(made)}."
    )
    print("Our agents move by themselves when their token file changes; restart others with the new value.")
    successor, predecessor = made["successor"]["id"], made["predecessor"]["id"]
    print(f"\nThe new token is {successor}. Follow it: watchword token rotation {predecessor} --watch")


def rotation(
    token: str,
    /,
    *,
    watch: _Switch = False,
    extend: _Text = None,
    finish: _Switch = False,
    abort: _Switch = False,
    cluster: _Text = None,
    unclustered: _Switch = False,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Show how far a rotation is and who still holds the old value; extend, finish or abort it.

    Args:
        token: Id of the old token or of its successor.
        watch: Follow it until it has ended.
        extend: Time from now after which the old value ends in any case, as 7d or 12h.
        finish: End the old value now; connected agents stay connected.
        abort: Revoke the new value; the old one goes on.
        cluster: Id of the cluster; the default cluster unless set.
        unclustered: The token belongs to no cluster.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    if sum((extend is not None, finish, abort, watch)) > 1:
        raise CommandError("give one of --watch, --extend, --finish and --abort", code="two_actions")
    client = Client.connect(credentials)
    path = _path(client, cluster, token, unclustered=unclustered)
    if abort:
        client.call("DELETE", path)
    elif extend is not None:
        client.call("PATCH", path, {"deadline": moment(extend)})
    elif finish:
        client.call("POST", f"{path}/finish")
    found = client.call("GET", path)
    if watch:
        found = _follow(found, lambda: client.call("GET", path))
    if json:
        show_json(found)
    else:
        _show(found)


def _moved(found: dict[str, Any]) -> str:
    total = found["total"]
    what = "agent" if found["kind"] in ("agent", "unclustered_agent") else "holder"
    return f"{found['moved']} of {total} {what}{'' if total == 1 else 's'} moved"


def _show(found: dict[str, Any]) -> None:
    old, new = found["predecessor"], found["successor"]
    show_fields(
        [
            ("State", f"{found['state']} ({found['cause']})" if found["cause"] else found["state"]),
            ("Moved", _moved(found)),
            ("Started", found["started_at"]),
            ("Deadline" if found["ended_at"] is None else "Ended", found["ended_at"] or found["deadline"]),
            ("Old token", old["id"]),
            ("Old value last used", _use(old)),
            ("New token", new["id"]),
            ("New value last used", _use(new)),
        ]
    )
    if found["holders"]:
        print("\nOn the old value:")
        names = ("name", "hostname", "ip_address", "version", "last_seen_at")
        show_table(
            ("Agent", "Host", "Address", "Version", "Last seen"),
            [[holder[name] for name in names] for holder in found["holders"]],
        )


def _use(side: dict[str, Any]) -> str | None:
    if side["last_used_at"] is None:
        return None
    return f"{side['last_used_at']} from {clean(side['last_used_from'] or 'an unknown address')}"


def _follow(found: dict[str, Any], ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Ask until the rotation has ended; a bar on a terminal, a line for each change elsewhere."""
    with _bar() as show:
        show(found)
        while found["state"] == "open":
            time.sleep(_POLL_SECONDS)
            found = ask()
            show(found)
    return found


@contextmanager
def _bar() -> Iterator[Callable[[dict[str, Any]], None]]:
    if not sys.stderr.isatty():
        said = ""

        def line(found: dict[str, Any]) -> None:
            nonlocal said
            text = _moved(found)
            if text != said:
                print(text, file=sys.stderr, flush=True)
            said = text

        yield line
        return
    from rich.console import Console  # noqa: PLC0415 - keeps --help quick
    from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415

    with Progress(TextColumn("{task.description}"), BarColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=1)

        def draw(found: dict[str, Any]) -> None:
            progress.update(
                task, description=_moved(found), completed=found["moved"], total=max(1, found["total"])
            )

        yield draw


@contextmanager
def _keeper(path: Path | None) -> Iterator[Callable[[str], None] | None]:
    """Something that keeps a value in a file of mode 0600, which changes as a whole or not at all.

    The file is made before the value is asked for, so that no value is shown to nobody.

    Raises:
        CommandError: the file cannot be written.
    """
    if path is None:
        yield None
        return
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}", code="cannot_write") from None
    try:
        with os.fdopen(descriptor, "w") as file:

            def keep(value: str) -> None:
                file.write(value + "\n")
                file.flush()
                os.fsync(file.fileno())
                fresh.replace(path)

            yield keep
    finally:
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()


def _path(client: Client, cluster: str | None, token: str, *, unclustered: bool) -> str:
    """Path of a token's rotation; what is no plain id stays inside its segment."""
    name = quote(token, safe="")
    if unclustered:
        return f"agent-tokens/{name}/rotation"
    return f"clusters/{quote(client.cluster(cluster), safe='')}/tokens/{name}/rotation"
