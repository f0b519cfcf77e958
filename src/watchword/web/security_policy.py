"""The security policy, changed in two steps: the first shows what a change would do, the second does it."""

from collections.abc import Mapping
from typing import Any

from litestar import get, post

from watchword.domain.accounts import User
from watchword.domain.errors import Conflict, Invalid, WatchwordError
from watchword.domain.kinds import KINDS, Kind
from watchword.domain.securitypolicy import INACTIVE_DAYS, ReuseResponse, SecurityPolicy
from watchword.services.access import Access
from watchword.services.foreseeing import Foreseen, change_as_foreseen, foresee, read_kinds
from watchword.services.policies import MAX_TOKEN_DAYS
from watchword.services.queries import Unit, people
from watchword.services.revealing import REVEALABLE
from watchword.web.forms import Form
from watchword.web.needs import page
from watchword.web.settings import SETTINGS, base
from watchword.web.visit import Page, Visit, WebRequest

_DAYS = "maximum_api_token_days"
_MAX_DIGITS = 18
# What a form of the policy holds; what else is sent along belongs to the steps.
_FIELDS = (
    "allowed_ip_addresses",
    "require_two_factor",
    "restrict_api_token_creation",
    _DAYS,
    "revoke_inactive_after_days",
    "reuse_response",
    "revealable",
)


def read_changes(form: Form, before: SecurityPolicy) -> Mapping[str, object]:
    """Fields of the policy as a form sends them; networks that are the same keep their spelling.

    Raises:
        Invalid: one cannot be read.
    """
    days = form.text(_DAYS)
    if days and not (days.isascii() and days.isdecimal() and 1 <= form.number(_DAYS) <= MAX_TOKEN_DAYS):
        raise Invalid(f"Give a number of days from 1 to {MAX_TOKEN_DAYS}, or nothing.", code="invalid_days")
    if form.text("reuse_response") not in list(ReuseResponse):
        raise Invalid("Choose what follows the use of a retired value.", code="invalid_choice")
    networks = " ".join(form.lines("allowed_ip_addresses"))
    same = networks == " ".join(_networks(before))
    return {
        "allowed_networks": before.allowed_networks if same else networks,
        "require_two_factor": form.ticked("require_two_factor"),
        "restrict_api_token_creation": form.ticked("restrict_api_token_creation"),
        _DAYS: form.number(_DAYS),
        "revoke_inactive_after_days": form.number("revoke_inactive_after_days"),
        "reuse_response": ReuseResponse(form.text("reuse_response")),
        "revealable": read_kinds(form.texts("revealable")),
    }


def _networks(policy: SecurityPolicy) -> list[str]:
    return policy.allowed_networks.replace(",", " ").split()


def _filled(policy: SecurityPolicy) -> Form:
    """A form that says what the policy says."""
    given = {
        "allowed_ip_addresses": "\n".join(_networks(policy)),
        "require_two_factor": "1" if policy.require_two_factor else "",
        "restrict_api_token_creation": "1" if policy.restrict_api_token_creation else "",
        _DAYS: str(policy.maximum_api_token_days or ""),
        "revoke_inactive_after_days": str(policy.revoke_inactive_after_days),
        "reuse_response": policy.reuse_response.value,
    }
    return Form([*given.items(), *(("revealable", word) for word in policy.revealable)])


async def _look(tx: Unit, access: Access) -> tuple[SecurityPolicy, User | None, Mapping[Kind, int]]:
    """The policy, who changed it last, and how many values of each kind are kept sealed."""
    by = access.policy.updated_by
    known = await people(tx, [by])
    sealed = {kind: await tx.sealed.count(access.id, kind) for kind in REVEALABLE}
    return access.policy, known.get(by) if by is not None else None, sealed


async def _form(visit: Visit, form: Form | None, *errors: WatchwordError) -> Page:
    """The policy's form, as it is or as it was sent."""
    policy, by, sealed = await visit.read(_look)
    values: dict[str, Any] = {
        "policy": policy,
        "by": by,
        "sealed": sealed,
        "form": form or _filled(policy),
        "kinds": [(kind, KINDS[kind].title) for kind in REVEALABLE],
        "inactive": [(str(days), f"After {days} days without use") for days in INACTIVE_DAYS],
        "address": visit.address,
        "most_days": MAX_TOKEN_DAYS,
    }
    if errors:
        return visit.show_again("settings/security.html", *errors, **values)
    return visit.show("settings/security.html", **values)


@get(SETTINGS, opt=page("organization_settings.read"))
async def show_policy(request: WebRequest) -> Page:
    """The security policy as it is, in a form for administrators."""
    return await _form(Visit.of(request), None)


async def _foreseen(visit: Visit) -> Foreseen:

    async def work(tx: Unit, access: Access) -> Foreseen:
        changes = read_changes(visit.form, access.policy)
        return await foresee(visit.context, tx, visit.authority.ledger, access, changes)

    found = await visit.read(work)
    if _filled(found.before).given == _filled(found.after).given:
        raise Invalid("These are the settings as they are: nothing would change.", code="nothing_to_change")
    return found


def _preview(visit: Visit, found: Foreseen, *errors: WatchwordError) -> Page:
    """What a change would do, with a button that does it."""
    seen = visit.form.text("seen") or str(found.before.updated_at)
    kept = [(name, value) for name, value in visit.form if name in _FIELDS]
    values: dict[str, Any] = {"found": found, "kept": [*kept, ("seen", seen)], "titles": KINDS}
    if errors:
        return visit.show_again("settings/security_preview.html", *errors, **values)
    return visit.show("settings/security_preview.html", **values)


@post(SETTINGS + "/preview", opt=page("organization_settings.update"), status_code=200)
async def preview(request: WebRequest) -> Page:
    """Say what a change would do before it is made; `again` goes back to the form."""
    visit = Visit.of(request)
    if visit.form.ticked("again"):
        return await _form(visit, visit.form)
    try:
        found = await _foreseen(visit)
    except WatchwordError as error:
        return await _form(visit, visit.form, error)
    return _preview(visit, found)


@post(SETTINGS, opt=page("organization_settings.update", fresh=True), status_code=200)
async def change_policy(request: WebRequest) -> Page:
    """Make the change that was shown; who would shut themselves out says that they mean it."""
    visit = Visit.of(request)
    try:
        found = await _foreseen(visit)
    except WatchwordError as error:
        return await _form(visit, visit.form, error)
    if found.run.caller and not visit.form.ticked("understood"):
        return _preview(visit, found, _shut_out())

    async def work(tx: Unit, access: Access) -> None:
        changes = read_changes(visit.form, access.policy)
        await change_as_foreseen(visit.context, tx, access, changes, _seen(visit.form))

    try:
        await visit.write(work)
    except WatchwordError as error:
        return await _form(visit, visit.form, error)
    return visit.go(base(visit), done="policy-changed")


def _seen(form: Form) -> int:
    """Which version of the settings the form was made of; microseconds."""
    text = form.text("seen")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS else -1


def _shut_out() -> Conflict:
    return Conflict("This would shut yourself out. Tick that you mean it.", code="shuts_yourself_out")


HANDLERS = (show_policy, preview, change_policy)
