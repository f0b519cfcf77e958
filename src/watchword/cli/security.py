"""`hygiene`, `access-audit` and `settings`: what an organization's administrators look after."""

from typing import Annotated, Any

from cyclopts import App, Parameter

from watchword.cli.client import AsJson, Client, CommandError, CredentialsFile
from watchword.cli.jobsettings import jobs
from watchword.cli.output import clean, say, show_fields, show_json, show_table

settings = App(name="settings", help="Show and change the organization's security settings.")
settings.command(jobs)

_Text = Annotated[str | None, Parameter(show_default=False)]
_Texts = Annotated[list[str] | None, Parameter(negative=(), show_default=False)]
_Switch = Annotated[bool, Parameter(negative=())]
_Choice = Annotated[bool | None, Parameter(show_default=False)]
_Days = Annotated[int | None, Parameter(show_default=False)]
_PAGE = 100


def hygiene(
    *, reason: _Text = None, json: AsJson = False, credentials: CredentialsFile = None
) -> None:  # fmt: skip
    """List tokens that need attention: unused, too broad, about to expire, left behind.

    Args:
        reason: Only tokens that this reason concerns, as never_used.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    given = {} if reason is None else {"reason": reason}
    report: dict[str, Any] = {}
    tokens: list[dict[str, Any]] = []
    number = 1
    while True:
        report = client.call("GET", "hygiene", page=number, per_page=_PAGE, **given)
        tokens += report["tokens"]
        if len(report["tokens"]) < _PAGE:
            break
        number += 1
    report["tokens"] = tokens
    if json:
        show_json(report)
        return
    show_table(
        ("Id", "Kind", "Description", "Owner", "Expires", "Last used", "Reasons"),
        [
            [
                each["id"],
                each["kind"],
                each["description"],
                (each["owner"] or {}).get("email"),
                each["expires_at"],
                each["last_used_at"],
                " ".join(each["reasons"]),
            ]
            for each in tokens
        ],
        empty=f"All {report['inspected']} tokens are in order.",
    )
    for known in report["reasons"]:
        say(f"{known['count']:>6} {known['code']}: {known['text']}")


def access_audit(
    *,
    csv: Annotated[bool, Parameter(name="--csv", negative=())] = False,
    user: _Text = None,
    scope: _Text = None,
    ip: _Text = None,
    admin: _Choice = None,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """List whose API access tokens reach the organization, with owners and last uses.

    Args:
        csv: Print CSV.
        user: Only tokens of this person, by id or e-mail address.
        scope: Only tokens with this scope.
        ip: Only tokens that were last used from this address or CIDR block.
        admin: Only tokens of administrators, or of others.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    asked = {"user": user, "scope": scope, "ip": ip, "admin": None if admin is None else str(admin).lower()}
    given = {name: text for name, text in asked.items() if text is not None}
    client = Client.connect(credentials)
    if csv:
        print(client.raw("GET", "api-access-audit.csv", query=given).text, end="")
        return
    rows = list(client.every("api-access-audit", **given))
    if json:
        show_json(rows)
        return
    names = (
        "owner_email",
        "owner_role",
        "token_uuid",
        "token_description",
        "last_used_at",
        "last_request_ip",
    )
    show_table(
        ("Owner", "Role", "Token", "Description", "Last used", "From", "Created", "Scopes"),
        [[*(row[name] for name in names), row["created_at"], len(row["scopes"])] for row in rows],
    )


@settings.command(name="show")
def show_settings(*, json: AsJson = False, credentials: CredentialsFile = None) -> None:
    """Show from where the organization's APIs may be called, and how its API access tokens live.

    Args:
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    _show(Client.connect(credentials).call("GET", "api-settings"), json=json)


def _show(found: dict[str, Any], *, json: bool) -> None:
    if json:
        show_json(found)
        return
    show_fields(
        [
            ("Networks", found["allowed_ip_addresses"] or "anywhere"),
            ("Revoke inactive after days", found["revoke_inactive_tokens_after_days"] or "never"),
            ("Only administrators create", _word(found["restrict_user_api_token_creation"])),
            ("Require two factors", _word(found["require_two_factor"])),
            ("On reuse of a retired value", found["reuse_response"]),
            ("Longest life in days", found["maximum_api_token_days"] or "no limit"),
        ]
    )


def _word(given: object) -> str:
    return "yes" if given else "no"


@settings.command(name="set")
def set_settings(
    *,
    network: _Texts = None,
    anywhere: _Switch = False,
    revoke_inactive_after_days: _Days = None,
    restrict_creation: _Choice = None,
    require_two_factor: _Choice = None,
    reuse_response: _Text = None,
    maximum_days: _Days = None,
    dry_run: _Switch = False,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Change security settings; what is not named stays. They hold for the very next request.

    Args:
        network: CIDR block from which the organization's APIs may be called; may be repeated.
        anywhere: Let them be called from anywhere.
        revoke_inactive_after_days: Revoke API access tokens unused for 30, 60, 90, 180 or 365 days; 0: never.
        restrict_creation: Whether only administrators may create API access tokens.
        require_two_factor: Whether members without a second factor are kept out.
        reuse_response: What follows when a retired value is presented: quarantine or alarm.
        maximum_days: Longest life of a new API access token in days; 0 sets no limit.
        dry_run: Change nothing; say who would be shut out.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    if network and anywhere:
        raise CommandError("give --network or --anywhere, not both", code="two_networks")
    asked: dict[str, Any] = {
        "allowed_ip_addresses": " ".join(network or ()) if network or anywhere else None,
        "revoke_inactive_tokens_after_days": revoke_inactive_after_days,
        "restrict_user_api_token_creation": restrict_creation,
        "require_two_factor": require_two_factor,
        "reuse_response": reuse_response,
        "maximum_api_token_days": maximum_days,
    }
    body = {
        name: value if value != 0 or value is False else None
        for name, value in asked.items()
        if value is not None
    }
    if not body:
        raise CommandError("name at least one setting", code="nothing_to_change")
    client = Client.connect(credentials)
    if not dry_run:
        _show(client.call("PATCH", "api-settings", body), json=json)
        return
    found = client.call("PATCH", "api-settings", body, dry_run="true")
    if json:
        show_json(found)
        return
    show_table(
        ("Token", "Reason", "Address", "Program", "Last used"),
        [
            [each["token_id"], each["reason"], each["address"], each["agent"], each["last_used_at"]]
            for each in found["shut_out"]
        ],
        empty="No caller of the last day would be shut out.",
    )
    if found["caller_shut_out"]:
        say(clean("You would be shut out yourself."))
