"""`dagster token`: agent tokens over REST; a value is printed once."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from watchword.cli.client import AsJson, Client, CommandError, CredentialsFile
from watchword.cli.naming import confirm, segment
from watchword.cli.output import clean, show_fields, show_json, show_table
from watchword.cli.spans import moment
from watchword.cli.tokenlife import read_value

agent_tokens = App(name="token", help="Create, list, permit, rotate and revoke Dagster agent tokens.")

_Text = Annotated[str | None, Parameter(show_default=False)]
_Switch = Annotated[bool, Parameter(negative=())]
_Yes = Annotated[bool, Parameter(name=("--yes", "-y"), negative=())]
_AGENT = "dagster/agent-tokens"


def token_path(kind: str, token: str, *more: str) -> str:
    """Path of a token of a kind."""
    return "/".join((kind, segment(token), *more))


def print_value(made: dict[str, Any], what: str, *, quiet: bool, json: bool) -> None:
    """Print a fresh token's value, here and never again."""
    if json:
        show_json(made)
    elif quiet:
        print(made["token"])
    else:
        print(f"Dagster {what} token {made['id']}:\n\n  {made['token']}\n")
        print("It lives until it is revoked. Keep it out of files that others can read.")


def _permissions(token: dict[str, Any]) -> str:
    given = token["permissions"]
    if given["organization"]:
        return "every deployment (Org Agent)"
    names = [*given["deployments"], *(["all branch deployments"] if given["all_branch_deployments"] else [])]
    return ", ".join(names) or "none"


def name_of(found: dict[str, Any]) -> str:
    """What a token is called."""
    return clean(found["description"] or found["id"])


@agent_tokens.command
def create(
    *,
    description: str = "",
    quiet: _Switch = False,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Create an agent token that may serve every deployment, and print its value.

    Args:
        description: What the token is for.
        quiet: Print the value alone.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    made = Client.connect(credentials).call("POST", _AGENT, {"description": description})
    print_value(made, "agent", quiet=quiet, json=json)


@agent_tokens.command(name="import")
def import_token(
    *,
    description: str = "",
    value_file: Annotated[Path | None, Parameter(show_default=False)] = None,
    digest: _Text = None,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Take over an agent token that was issued elsewhere: its value goes on working here.

    Args:
        description: What the token is for.
        value_file: File that holds the value; - for standard input.
        digest: SHA-256 of the value in hex digits, instead of the value.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    if (value_file is None) is (digest is None):
        raise CommandError("give --value-file or --digest, one of the two", code="invalid_import")
    body: dict[str, Any] = {"description": description}
    body |= {"digest": digest} if value_file is None else {"value": read_value(value_file)}
    made = Client.connect(credentials).call("POST", f"{_AGENT}/import", body)
    if json:
        show_json(made)
    else:
        print(f"Imported {made['id']} ({name_of(made)}): agents may come in with its value.")


@agent_tokens.command(name="list")
def list_agent_tokens(*, json: AsJson = False, credentials: CredentialsFile = None) -> None:
    """List agent tokens, revoked ones too, newest first.

    Args:
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    tokens = list(Client.connect(credentials).every(_AGENT))
    if json:
        show_json(tokens)
        return
    show_table(
        ("Id", "Description", "State", "May serve", "Last used", "From"),
        [
            [
                each["id"],
                each["description"],
                each["state"],
                _permissions(each),
                each["last_used_at"],
                each["last_used_from"],
            ]
            for each in tokens
        ],
        empty="There is no Dagster agent token. Next: watchword dagster token create",
    )


@agent_tokens.command
def show(token: str, /, *, json: AsJson = False, credentials: CredentialsFile = None) -> None:
    """Show an agent token: what it may serve, who uses it, what its end would touch. Never its value.

    Args:
        token: Id of the token.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    found = client.call("GET", token_path(_AGENT, token))
    radius = client.call("GET", token_path(_AGENT, token, "blast-radius"))
    if json:
        show_json({**found, "blast_radius": radius})
        return
    show_fields(
        [
            ("Id", found["id"]),
            ("Description", found["description"]),
            ("State", found["state"]),
            ("May serve", _permissions(found)),
            ("Created", found["created_at"]),
            ("Revoked", found["revoked_at"]),
            ("Reason", found["revoked_reason"]),
            ("Last used", found["last_used_at"]),
            ("Last used from", found["last_used_from"]),
            ("Agents running", radius["agents_connected"]),
            ("Callers of the last day", radius["callers_count"]),
            ("SHA-256", found["value_digest"]),
        ]
    )


@agent_tokens.command
def describe(
    token: str, description: str, /, *, json: AsJson = False, credentials: CredentialsFile = None
) -> None:
    """Say what an agent token is for.

    Args:
        token: Id of the token.
        description: What it is for.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    set_description(_AGENT, token, description, credentials, json=json)


def set_description(kind: str, token: str, description: str, credentials: Path | None, *, json: bool) -> None:
    """Change the description of a token of a kind."""
    found = Client.connect(credentials).call("PATCH", token_path(kind, token), {"description": description})
    if json:
        show_json(found)
    else:
        print(f"Changed {found['id']} ({name_of(found)}).")


@agent_tokens.command
def permit(
    token: str,
    /,
    *,
    everything: _Switch = False,
    branches: _Switch = False,
    deployment: _Text = None,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Let an agent token serve more, from its next call on.

    Args:
        token: Id of the token.
        everything: Every deployment, branch deployments included (Org Agent).
        branches: All branch deployments.
        deployment: Name of one full deployment.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    _change("permit", token, _scope(deployment, everything, branches), credentials, json=json)


@agent_tokens.command
def forbid(
    token: str,
    /,
    *,
    everything: _Switch = False,
    branches: _Switch = False,
    deployment: _Text = None,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Let an agent token serve less, from its next call on.

    Args:
        token: Id of the token.
        everything: The permission for every deployment (Org Agent); single ones stay.
        branches: The one for all branch deployments.
        deployment: The one for this full deployment.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    _change("forbid", token, _scope(deployment, everything, branches), credentials, json=json)


def _scope(deployment: str | None, everything: bool, branches: bool) -> dict[str, str]:  # noqa: FBT001
    if [deployment is not None, everything, branches].count(True) != 1:
        raise CommandError(
            "give --everything, --branches or --deployment NAME, one of the three", code="invalid_grant"
        )
    if deployment is not None:
        return {"scope": "deployment", "deployment": deployment}
    return {"scope": "organization" if everything else "all_branch_deployments"}


def _change(verb: str, token: str, body: dict[str, str], credentials: Path | None, *, json: bool) -> None:
    found = Client.connect(credentials).call("POST", token_path(_AGENT, token, verb), body)
    if json:
        show_json(found)
    else:
        print(f"{name_of(found)} may serve: {clean(_permissions(found))}")


@agent_tokens.command
def rotate(
    token: str,
    /,
    *,
    deadline: str = "7d",
    quiet: _Switch = False,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Give an agent token a successor with the same permissions; both work until nobody uses the old value.

    Asked again within five minutes, the answer is the same, so a lost one is harmless.

    Args:
        token: Id of the token.
        deadline: Time after which the old value ends in any case, as 7d or 12h; at least 10 minutes.
        quiet: Print the new value alone.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    made = client.call("POST", token_path(_AGENT, token, "rotation"), {"deadline": moment(deadline)})
    if json:
        show_json(made)
    elif quiet:
        print(made["token"])
    else:
        print(f"The new value:\n\n  {made['token']}\n")
        print(f"The old one works until nobody uses it, at the latest until {made['deadline']}.")


@agent_tokens.command
def rotation(
    token: str,
    /,
    *,
    finish: _Switch = False,
    abort: _Switch = False,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Show how far an agent token's rotation is, and who still uses the old value; finish or abort it.

    Args:
        token: Id of either token.
        finish: End the old value now.
        abort: Revoke the new value; the old one goes on.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    if finish and abort:
        raise CommandError("give --finish or --abort, not both", code="two_actions")
    client, path = Client.connect(credentials), token_path(_AGENT, token, "rotation")
    if finish:
        client.call("POST", f"{path}/finish")
    elif abort:
        client.call("DELETE", path)
    found = client.call("GET", path)
    if json:
        show_json(found)
        return
    show_fields(
        [
            ("State", found["state"]),
            ("Ended by", found["cause"]),
            ("At the latest", found["deadline"]),
            ("New value first used", found["first_used_at"]),
            ("Old value still used by", found["total"] - found["moved"]),
        ]
    )
    for caller in found["callers"]:
        print(f"  {clean(caller['address'])} {clean(caller['client'])}, last {caller['last_at']}")


@agent_tokens.command
def revoke(
    token: str, /, *, reason: str = "", yes: _Yes = False, credentials: CredentialsFile = None
) -> None:
    """Revoke an agent token: its agents, code servers and runs are refused from their next call on.

    Args:
        token: Id of the token.
        reason: Why; it stays with the token.
        yes: Do not ask.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    found = client.call("GET", token_path(_AGENT, token))
    radius = client.call("GET", token_path(_AGENT, token, "blast-radius"))
    used = f"{radius['agents_connected']} running, {radius['callers_count']} callers in the last day"
    confirm(f"Revoke {name_of(found)} ({used})", yes=yes)
    client.call("DELETE", token_path(_AGENT, token), {"reason": reason} if reason else None)
    print(f"Revoked {found['id']} ({name_of(found)}); {used}.")
