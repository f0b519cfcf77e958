"""What follows a leak: the rules of an organization, kind by kind and place by place."""

from typing import Any

from litestar import get, post

from watchword.domain.accounts import User
from watchword.domain.errors import Invalid, WatchwordError
from watchword.domain.kinds import VALUED, Kind
from watchword.domain.leakpolicy import DEFAULT_GRACE_MINUTES, LeakPolicy, Rule
from watchword.domain.leaks import Response, Visibility
from watchword.domain.lifecycle import Mode
from watchword.services.access import Access
from watchword.services.leakpolicies import RuleRow, change_leak_policy, leak_policy, rows_of
from watchword.services.queries import Unit, people
from watchword.web.forms import Form
from watchword.web.leaks import GRACES
from watchword.web.leakwords import kind_name, minutes
from watchword.web.needs import page
from watchword.web.settings import SETTINGS, base
from watchword.web.visit import Page, Visit, WebRequest

RULES = SETTINGS + "/leaks"
_MAX_DIGITS = 18
_JOINING = (Kind.AGENT, Kind.UNCLUSTERED_AGENT)
_COLUMNS = {
    Visibility.PUBLIC: "Found in public",
    Visibility.PRIVATE: "Found in a private place",
    Visibility.INTERNAL: "Found inside",
}
Choice = tuple[str, str]


def choices(row: RuleRow) -> list[Choice]:
    """What a rule may be, as a form's choices; what holds now is among them."""
    found = [Rule(Response.NOTIFY)]
    if Response.QUARANTINE in row.responses:
        found.append(Rule(Response.QUARANTINE))
    if Response.ROTATE in row.responses:
        found += [Rule(Response.ROTATE, grace_minutes=int(text)) for text, _ in GRACES]
    if Response.REVOKE in row.responses:
        modes = Mode if row.kind in _JOINING else (Mode.STOP_JOINING,)
        found += [Rule(Response.REVOKE, mode=mode) for mode in modes]
    if row.rule not in found:
        found.append(row.rule)
    return [(rule.text(), _label(rule, row.kind)) for rule in found]


def _label(rule: Rule, kind: Kind) -> str:
    """A rule in a few words."""
    if rule.response is Response.ROTATE:
        return f"Rotate, {minutes(rule.grace_minutes)}"
    if rule.response is Response.REVOKE:
        ways = {Mode.STOP_JOINING: "agents stay", Mode.DRAIN: "drain", Mode.CUT: "cut"}
        return f"Revoke, {ways[rule.mode]}" if kind in _JOINING else "Revoke"
    return {Response.NOTIFY: "Tell people", Response.QUARANTINE: "Quarantine"}[rule.response]


async def _show(visit: Visit, *errors: WatchwordError) -> Page:
    async def work(tx: Unit, access: Access) -> tuple[LeakPolicy, User | None]:
        policy = await leak_policy(tx, access)
        known = await people(tx, [policy.updated_by])
        return policy, known.get(policy.updated_by) if policy.updated_by is not None else None

    policy, by = await visit.read(work)
    rows = rows_of(policy)
    values: dict[str, Any] = {
        "policy": policy,
        "by": by,
        "columns": [_COLUMNS[row.visibility] for row in rows if row.kind is Kind.AGENT],
        "table": [
            (kind_name(kind), [(row, choices(row)) for row in rows if row.kind is kind]) for kind in VALUED
        ],
        "chosen": {row.key: visit.form.text(row.key) or row.rule.text() for row in rows},
        "dry_run": visit.form.ticked("dry_run") if visit.form.given else policy.dry_run,
        "grace": minutes(DEFAULT_GRACE_MINUTES),
        "breaker": visit.context.installation.breaker,
    }
    if errors:
        return visit.show_again("settings/leaks.html", *errors, **values)
    return visit.show("settings/leaks.html", **values)


@get(RULES, opt=page("leak_policy.read"))
async def show_rules(request: WebRequest) -> Page:
    """The rules as they hold."""
    return await _show(Visit.of(request))


@post(RULES, opt=page("leak_policy.update", fresh=True), status_code=200)
async def change_rules(request: WebRequest) -> Page:
    """Change the rules as the table says."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        rules = {row.key: visit.form.text(row.key) for row in rows_of(LeakPolicy(access.id))}
        given: dict[str, str | None] = {key: text for key, text in rules.items() if text}
        if not given:
            raise Invalid("Choose what follows.", code="invalid_leak_rule")
        await change_leak_policy(
            visit.context,
            tx,
            access,
            given,
            dry_run=visit.form.ticked("dry_run"),
            seen=_seen(visit.form),
        )

    try:
        await visit.write(work)
    except WatchwordError as error:
        return await _show(visit, error)
    return visit.go(f"{base(visit)}/leaks", done="leak-policy-changed")


def _seen(form: Form) -> int:
    """Which version of the rules the form was made of; microseconds."""
    text = form.text("seen")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS else -1


HANDLERS = (show_rules, change_rules)
