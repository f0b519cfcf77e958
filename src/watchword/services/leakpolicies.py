"""What follows a leak in an organization: its rules by kind and visibility, read and changed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from watchword.domain.errors import Conflict
from watchword.domain.events import Action
from watchword.domain.kinds import VALUED, Kind
from watchword.domain.leakpolicy import (
    LeakPolicy,
    Rule,
    check_rules,
    default_rule,
    responses_for,
    rule_key,
)
from watchword.domain.leaks import Response, Visibility
from watchword.services.access import Access
from watchword.services.context import Context
from watchword.store.base import Transaction


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule as it holds now.

    Attributes:
        usual: what holds where the organization says nothing.
        responses: what tokens of the kind can have.
    """

    kind: Kind
    visibility: Visibility
    rule: Rule
    usual: Rule
    responses: tuple[Response, ...]

    @property
    def key(self) -> str:
        """Its key in a policy."""
        return rule_key(self.kind, self.visibility)

    @property
    def changed(self) -> bool:
        """Whether the organization has its own."""
        return self.rule != self.usual


def rows_of(policy: LeakPolicy) -> list[RuleRow]:
    """Every rule, kind by kind, the most public place first."""
    return [
        RuleRow(kind, seen, policy.rule(kind, seen), default_rule(kind, seen), responses_for(kind))
        for kind in VALUED
        for seen in reversed(Visibility)
    ]


async def leak_policy(tx: Transaction, access: Access) -> LeakPolicy:
    """An organization's rules.

    Raises:
        Forbidden: the person does not administer it.
    """
    access.require("leak_policy.read")
    return await tx.leaks.policy(access.id)


async def change_leak_policy(
    context: Context,
    tx: Transaction,
    access: Access,
    rules: Mapping[str, str | None],
    *,
    dry_run: bool | None = None,
    seen: int | None = None,
) -> LeakPolicy:
    """Change rules; they hold for the very next report. What changes nothing is no error.

    Args:
        context: the ground.
        tx: the unit of work.
        access: who asks, in which organization.
        rules: by `kind:visibility`, as `Rule.text` writes them; None goes back to the default.
        dry_run: whether cases are only opened from now on; None leaves that as it is.
        seen: which version the change was made of, by its `updated_at`; None for any.

    Raises:
        Conflict: they were changed meanwhile.
        Forbidden: the person does not administer the organization.
        Invalid: a rule is none, or the kind cannot have its response.
    """
    access.require("leak_policy.update")
    before = await tx.leaks.policy(access.id)
    if seen is not None and seen != before.updated_at:
        raise Conflict("The rules were changed meanwhile; look at them again.", code="changed_meanwhile")
    given = {key: text for key, text in rules.items() if text is not None}
    check_rules(dict.fromkeys(rules, Response.NOTIFY.value))
    kept = {key: text for key, text in before.rules.items() if key not in rules}
    wanted = replace(
        before,
        rules=check_rules({**kept, **given}),
        dry_run=before.dry_run if dry_run is None else dry_run,
    )
    if wanted == before:
        return before
    after = replace(wanted, updated_at=context.clock.now(), updated_by=access.user.id)
    await tx.leaks.save_policy(after)
    changed = {
        row.key: row.rule.text()
        for row, old in zip(rows_of(after), rows_of(before), strict=True)
        if row.rule != old.rule
    }
    details: dict[str, object] = {"rules": changed, "dry_run": after.dry_run}
    subject = ("organization", access.id)
    await context.record(tx, access.caller, Action.LEAK_POLICY_UPDATED, access.id, subject, details)
    return after
