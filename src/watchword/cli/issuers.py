"""`issuer`: trust issuers of identity tokens, list and explain trusts, and end them."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from watchword.cli.client import AsJson, Client, CommandError, CredentialsFile
from watchword.cli.naming import cluster_path, confirm, given, pick
from watchword.cli.output import clean, show_fields, show_json, show_table
from watchword.domain.claimrules import read_rule
from watchword.domain.errors import Invalid

app = App(name="issuer", help="Let agents join with identity tokens of trusted issuers.")

_Text = Annotated[str | None, Parameter(show_default=False)]
_Texts = Annotated[tuple[str, ...], Parameter(show_default=False, negative=())]
_Count = Annotated[int | None, Parameter(show_default=False)]
_File = Annotated[Path | None, Parameter(show_default=False)]
_Yes = Annotated[bool, Parameter(name=("--yes", "-y"), negative=())]
_Switch = Annotated[bool, Parameter(negative=())]
_Preset = Annotated[
    Literal["kubernetes", "github", "gitlab", "aws", "gcp", "azure"] | None, Parameter(show_default=False)
]
_Mode = Literal["stop-joining", "drain", "cut"]
_MOST = 256 * 1024


def _issuers(client: Client, cluster: str | None) -> str:
    return f"{cluster_path(client, cluster)}/trusted-issuers"


def _rule(text: str) -> dict[str, Any]:
    try:
        rule = read_rule(text)
    except Invalid as error:
        raise CommandError(error.message, code="usage") from None
    return {"claim": rule.claim, "match": rule.match.value, "values": list(rule.values)}


def _read(file: Path) -> str:
    try:
        if str(file) == "-":
            return sys.stdin.read(_MOST)
        with file.open(encoding="utf-8") as opened:
            return opened.read(_MOST)
    except (OSError, UnicodeDecodeError):
        raise CommandError(f"cannot read {file}", code="unreadable") from None


@app.command
def add(
    *,
    name: str,
    issuer: _Text = None,
    preset: _Preset = None,
    rule: _Texts = (),
    audience: _Texts = (),
    queue: _Text = None,
    tag: _Texts = (),
    allowed_ip_addresses: _Text = None,
    maximum_age: _Count = None,
    registrations: _Count = None,
    window: _Count = None,
    jwks_url: _Text = None,
    jwks_file: _File = None,
    cluster: _Text = None,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Trust an issuer: agents join with its identity tokens where every rule holds.

    Args:
        name: What it is for.
        issuer: The tokens' iss; a preset may know it.
        preset: The platform.
        rule: A rule over a claim: claim=value, claim=one|other or claim~=glob; may be repeated.
        audience: For whom tokens must be; the organization's address here unless set; may be repeated.
        queue: Key of the only queue that agents may join.
        tag: Glob of tags that agents may take; may be repeated; any unless set.
        allowed_ip_addresses: Blocks from which agents may join and call.
        maximum_age: Seconds since a token was issued; 3600 unless set.
        registrations: Agents that one token may register; 1 unless set.
        window: Seconds within which they must; 120 unless set.
        jwks_url: Where the keys are; found by discovery unless set.
        jwks_file: File with the keys themselves; nothing is fetched then. - is standard input.
        cluster: Id or name of the cluster; the default cluster unless set.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    body = given(
        name=name,
        issuer=issuer,
        preset=preset,
        rules=[_rule(text) for text in rule],
        audiences=list(audience) or None,
        queue=queue,
        tags=list(tag) or None,
        allowed_ip_addresses=allowed_ip_addresses,
        maximum_age_in_seconds=maximum_age,
        registrations_per_token=registrations,
        registration_window_in_seconds=window,
        jwks_url=jwks_url,
        jwks=_read(jwks_file) if jwks_file is not None else None,
    )
    made = client.call("POST", _issuers(client, cluster), body)
    if json:
        show_json(made)
        return
    audiences = " or ".join(clean(one) for one in made["audiences"])
    print(f"Trusts {clean(made['issuer'])} ({made['id']}). Have tokens made for the audience {audiences}")


@app.command(name="list")
def list_issuers(
    *, cluster: _Text = None, json: AsJson = False, credentials: CredentialsFile = None
) -> None:  # fmt: skip
    """List trusted issuers of a cluster.

    Args:
        cluster: Id or name of the cluster; the default cluster unless set.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    found = list(client.every(_issuers(client, cluster)))
    if json:
        show_json(found)
        return
    show_table(
        ("Id", "Name", "Issuer", "Rules"),
        [[one["id"], one["name"], one["issuer"], "; ".join(map(_shown, one["rules"]))] for one in found],
        empty="No issuer is trusted. Next: watchword issuer add --help",
    )


def _shown(rule: dict[str, Any]) -> str:
    return f"{rule['claim']}{'~=' if rule['match'] == 'glob' else '='}{'|'.join(rule['values'])}"


@app.command
def show(
    issuer: str, /, *, cluster: _Text = None, json: AsJson = False, credentials: CredentialsFile = None
) -> None:
    """Show a trusted issuer.

    Args:
        issuer: The trust's id or name.
        cluster: Id or name of the cluster; the default cluster unless set.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    found = pick(client, _issuers(client, cluster), issuer, "name", "trusted issuer")
    if json:
        show_json(found)
        return
    keys = "pinned" if found["jwks_pinned"] else found["jwks_url"] or "by discovery"
    show_fields(
        [
            ("Id", found["id"]),
            ("Name", found["name"]),
            ("Issuer", found["issuer"]),
            ("Audiences", ", ".join(found["audiences"])),
            ("Rules", "; ".join(map(_shown, found["rules"]))),
            ("Queue", found["queue"]),
            ("Tags", ", ".join(found["tags"]) or "any"),
            ("Addresses", found["allowed_ip_addresses"] or "any"),
            ("Maximum age", f"{found['maximum_age_in_seconds']} s"),
            ("Registrations", f"{found['registrations_per_token']} a token"),
            ("Keys", keys),
            ("Created", found["created_at"]),
        ]
    )


@app.command
def explain(
    *,
    token_file: _File = None,
    claims_file: _File = None,
    cluster: _Text = None,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Say rule by rule why an identity token or a claim set would be refused; uses nothing up.

    Args:
        token_file: File with an identity token; - is standard input.
        claims_file: File with a claim set in JSON; - is standard input.
        cluster: Id or name of the cluster; the default cluster unless set.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    from json import loads  # noqa: PLC0415 - the flag has its name

    client = Client.connect(credentials)
    try:
        claims = loads(_read(claims_file)) if claims_file is not None else None
    except ValueError:
        raise CommandError(f"{claims_file} is no JSON", code="usage") from None
    token = _read(token_file).strip() if token_file is not None else None
    found = client.call("POST", f"{_issuers(client, cluster)}/explain", given(token=token, claims=claims))
    if json:
        show_json(found)
    for one in [] if json else found["trusted_issuers"]:
        print(f"{clean(one['name'])} ({one['id']}): {'admits it' if one['passes'] else 'refuses it'}")
        for each in one["findings"]:
            sign, wanted = ("+" if each["passes"] else "-"), each["wanted"]
            more = "" if each["passes"] or not wanted else f" Wanted: {clean(wanted)}."
            print(f"  {sign} {clean(each['check'])}: {clean(each['message'])}{more}")
    if not found["admitted_by"]:
        raise CommandError("no trusted issuer of this cluster admits it", code="refused")


@app.command
def delete(
    issuer: str,
    /,
    *,
    mode: _Mode = "stop-joining",
    dry_run: _Switch = False,
    reason: _Text = None,
    cluster: _Text = None,
    yes: _Yes = False,
    credentials: CredentialsFile = None,
) -> None:
    """Stop trusting an issuer: nobody joins any more.

    Args:
        issuer: The trust's id or name.
        mode: What becomes of connected agents: stop-joining leaves them, drain has them leave, cut ends them.
        dry_run: Say what it would touch, and change nothing.
        reason: Why.
        cluster: Id or name of the cluster; the default cluster unless set.
        yes: Do not ask.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    issuers = _issuers(client, cluster)
    found = pick(client, issuers, issuer, "name", "trusted issuer")
    radius = client.call("GET", f"{issuers}/{found['id']}/blast-radius")
    print(f"{radius['agents_connected']} connected agents, {radius['running_jobs']} running jobs.")
    if dry_run:
        return
    confirm(f"Stop trusting {found['name']!r}", yes=yes)
    body = given(mode=mode.replace("-", "_"), reason=reason)
    client.call("DELETE", f"{issuers}/{found['id']}", body)
    print(f"Ended {found['id']} ({clean(found['name'])}).")
