"""`token import`, `edit` and `revoke`: what takes a token over, changes it or takes access away."""

import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from cyclopts import Parameter

from watchword.cli.client import AsJson, Client, CommandError, CredentialsFile
from watchword.cli.output import clean, say, show_fields, show_json

_Text = Annotated[str | None, Parameter(show_default=False)]
_Texts = Annotated[list[str] | None, Parameter(negative=(), show_default=False)]
_Switch = Annotated[bool, Parameter(negative=())]
_Number = Annotated[int | None, Parameter(show_default=False)]
_Yes = Annotated[bool, Parameter(name=("--yes", "-y"), negative=())]

_MAX_VALUE = 4096
_MEANING = {
    "stop_joining": "connected agents stay",
    "drain": "each agent finishes its job, then leaves",
    "cut": "sessions and job tokens die at once, running jobs are lost",
}


def tokens_path(client: Client, cluster: str | None, *, unclustered: bool) -> str:
    """Path of the agent tokens of a cluster, or of those of none."""
    if unclustered:
        return "agent-tokens"
    return f"clusters/{quote(client.cluster(cluster), safe='')}/tokens"


def token_path(client: Client, cluster: str | None, token: str, *, unclustered: bool) -> str:
    """Path of a token; what is no plain id stays inside its segment."""
    return f"{tokens_path(client, cluster, unclustered=unclustered)}/{quote(token, safe='')}"


def import_token(
    *,
    description: str,
    value_file: Annotated[Path | None, Parameter(show_default=False)] = None,
    digest: _Text = None,
    network: _Texts = None,
    expires_at: _Text = None,
    cluster: _Text = None,
    unclustered: _Switch = False,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Take over an agent token that was issued elsewhere: its value goes on working here.

    The value is read from a file or from standard input, so that it stands in no list of processes.

    Args:
        description: Which environment the token is for.
        value_file: File that holds the value; - for standard input.
        digest: SHA-256 of the value in hex digits, instead of the value.
        network: CIDR block or address from which it may be used; may be repeated.
        expires_at: Moment when it expires, as 2030-01-31T12:00:00Z.
        cluster: Id of the cluster; the default cluster unless set.
        unclustered: Import it as a token of no cluster.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    if (value_file is None) is (digest is None):
        raise CommandError("give --value-file or --digest, one of the two", code="invalid_import")
    asked: dict[str, Any] = {
        "description": description,
        "value": read_value(value_file) if value_file is not None else None,
        "digest": digest,
        "allowed_ip_addresses": " ".join(network) if network else None,
        "expires_at": expires_at,
    }
    client = Client.connect(credentials)
    body = {name: given for name, given in asked.items() if given is not None}
    made = client.call("POST", f"{tokens_path(client, cluster, unclustered=unclustered)}/import", body)
    if json:
        show_json(made)
    else:
        print(f"Imported {made['id']} ({clean(made['description'])}): agents may join with its value.")


def read_value(file: Path) -> str:
    """The value in a file or on standard input, blanks around it aside; it appears in no message."""
    try:
        if str(file) == "-":
            return sys.stdin.read(_MAX_VALUE).strip()
        with file.open(encoding="utf-8") as opened:
            return opened.read(_MAX_VALUE).strip()
    except OSError as error:
        raise CommandError(f"cannot read {file}: {error.strerror}", code="unreadable_value") from None
    except UnicodeDecodeError:
        raise CommandError(f"{file} holds no text", code="unreadable_value") from None


def edit(
    token: str,
    /,
    *,
    description: _Text = None,
    network: _Texts = None,
    anywhere: _Switch = False,
    mode: _Text = None,
    deadline: _Number = None,
    dry_run: _Switch = False,
    cluster: _Text = None,
    unclustered: _Switch = False,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Change an agent token's description, or the networks from which it may be used.

    Args:
        token: Id of the token.
        description: Which environment the token is for.
        network: CIDR block or address from which it may be used, instead of those before; may be repeated.
        anywhere: Let it be used from anywhere.
        mode: What becomes of connected agents outside: stop-joining (they stay), drain or cut.
        deadline: Minutes after which a drain cuts what is left.
        dry_run: Only show what the new networks would touch.
        cluster: Id of the cluster; the default cluster unless set.
        unclustered: It is a token of no cluster.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    if network and anywhere:
        raise CommandError("give --network or --anywhere, not both", code="two_networks")
    asked: dict[str, Any] = {
        "description": description,
        "allowed_ip_addresses": "" if anywhere else " ".join(network) if network else None,
        "mode": mode,
        "deadline_in_minutes": deadline,
        "dry_run": dry_run or None,
    }
    client = Client.connect(credentials)
    body = {name: given for name, given in asked.items() if given is not None}
    found = client.call("PATCH", token_path(client, cluster, token, unclustered=unclustered), body)
    if json:
        show_json(found)
    elif dry_run:
        show_radius(found)
    else:
        print(f"Changed {found['id']} ({clean(found['description'])}): {found['allowed_ip_addresses']}")


def show_radius(radius: dict[str, Any]) -> None:
    """Print what a change would touch."""
    last = (
        f"{radius['last_used_at']} from {radius['last_used_from'] or '-'}" if radius["last_used_at"] else ""
    )
    show_fields(
        [
            ("Agents", f"{radius['agents_connected']} connected, {radius['agents_joining']} joining"),
            ("Busy", radius["agents_busy"]),
            ("Running jobs", radius["running_jobs"]),
            ("Sessions", radius["sessions"]),
            ("Callers, 24 h", radius["callers_count"]),
            *(("  from", f"{one['address']} {one['client']}") for one in radius["callers"]),
            ("Last used", last),
        ]
    )


def revoke(
    token: str,
    /,
    *,
    mode: _Text = None,
    deadline: _Number = None,
    reason: _Text = None,
    dry_run: _Switch = False,
    cluster: _Text = None,
    unclustered: _Switch = False,
    yes: _Yes = False,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Revoke an agent token, after showing what that would touch: no agent joins with it any more.

    Repeated with a stronger mode, it makes an earlier revocation stronger.

    Args:
        token: Id of the token.
        mode: What becomes of connected agents: stop-joining (they stay, the default), drain (each
            finishes its job, then leaves) or cut (sessions and job tokens die at once).
        deadline: Minutes after which a drain cuts what is left.
        reason: Why; a token of no cluster needs one.
        dry_run: Only show what it would touch.
        cluster: Id of the cluster; the default cluster unless set.
        unclustered: It is a token of no cluster.
        yes: Do not ask.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    path = token_path(client, cluster, token, unclustered=unclustered)
    radius = client.call("GET", f"{path}/blast-radius")
    if dry_run:
        (show_json if json else show_radius)(radius)
        return
    if not yes:
        _confirm(token, mode, radius)
    asked = {"mode": mode, "deadline_in_minutes": deadline, "reason": reason}
    query = {name: given for name, given in asked.items() if given is not None}
    receipt = client.call("DELETE", path, receipt="true", **query)
    if json:
        show_json(receipt)
    else:
        print(_told(receipt, radius))


def _confirm(token: str, mode: str | None, radius: dict[str, Any]) -> None:
    """Ask the person at the terminal.

    Raises:
        CommandError: nobody is there, or does not want it.
    """
    if not sys.stdin.isatty():
        raise CommandError("add --yes to revoke without being asked", code="not_confirmed")
    show_radius(radius)
    meaning = _MEANING.get((mode or "stop_joining").replace("-", "_"), "")
    say(f"Revoke {clean(token)}? No agent joins with it any more; {meaning}.")
    if input("Type yes: ").strip().lower() not in ("y", "yes"):
        raise CommandError("nothing was revoked", code="not_confirmed")


def _told(receipt: dict[str, Any], radius: dict[str, Any]) -> str:
    """One sentence on what was done."""
    begun = f"Revoked {receipt['token_id']}, effective {receipt['effective'] or receipt['committed']}: "
    connected = int(radius["agents_connected"])
    if receipt["mode"] == "cut":
        lost, back = receipt["jobs_lost"], receipt["jobs_returned"]
        return begun + f"{_agents(receipt['agents_cut'])} cut, {lost} jobs lost, {back} jobs wait again."
    if receipt["mode"] == "drain":
        until = f" until {receipt['deadline']}" if receipt["deadline"] else ""
        return begun + f"{_agents(receipt['remaining'])} still to leave{until}."
    return begun + f"no new agent joins with it; {_agents(connected)} joined with it and will stay connected."


def _agents(count: int) -> str:
    return f"{count} connected agent{'' if count == 1 else 's'}"
