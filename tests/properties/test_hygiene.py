"""Hygiene's rules: each reason where it holds and nowhere else; reminders come once, in their order."""

import dataclasses
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from contracts import store_records as make
from properties.property_profiles import examples
from watchword.domain.hygiene import REASONS, REMINDER_DAYS, Flag, Inspected, Owner, inspect, reminder_due
from watchword.domain.kinds import Kind
from watchword.domain.restrictions import Restrictions, parse_networks
from watchword.domain.scopes import PRESETS
from watchword.domain.tokens import DAY_US, State

NOW = 1_800_000_000_000_000


def inspected(
    *, used: int = NOW, owner: Owner = Owner.MEMBER, imported: bool = False, **fields: Any
) -> set[Flag]:
    """Flags of an API access token that is in order but for what is given."""
    plain = {"kind": Kind.API_ACCESS, "scopes": "read_agents", "created_at": NOW - 200 * DAY_US}
    plain["expires_at"] = NOW + 60 * DAY_US
    token = make.token(**{**plain, **fields})
    return set(inspect(Inspected(token, used, owner, imported), NOW))


def test_a_token_in_order_has_no_flag() -> None:
    assert inspected() == set()
    assert inspected(kind=Kind.AGENT, owner=Owner.NOBODY, expires_at=0) == set()


def test_unused() -> None:
    assert inspected(used=0) == {Flag.NEVER_USED}
    assert inspected(used=0, created_at=NOW - DAY_US) == {Flag.NEVER_USED}
    assert inspected(used=0, created_at=NOW - DAY_US + 1) == set()
    assert inspected(used=0, not_before=NOW - 1) == set()
    assert inspected(used=NOW - 30 * DAY_US + 1) == set()
    assert inspected(used=NOW - 30 * DAY_US) == {Flag.UNUSED}
    assert inspected(used=NOW - 90 * DAY_US) == {Flag.UNUSED_LONG}


def test_too_broad() -> None:
    full = " ".join(PRESETS["full"])
    assert inspected(scopes=full) == {Flag.ALL_SCOPES}
    assert inspected(scopes="delete_packages read_agents") == {Flag.DELETING}
    assert inspected(expires_at=0) == {Flag.NO_EXPIRY}
    anywhere: dict[str, Any] = {"owner": Owner.ADMIN, "scopes": "write_organizations"}
    assert inspected(**anywhere) == {Flag.ADMIN_ANYWHERE}
    assert inspected(owner=Owner.ADMIN) == set()
    assert inspected(**anywhere, restrictions=Restrictions(parse_networks("10.0.0.0/8")).dump()) == set()
    assert inspected(scopes="write_organizations") == set()


def test_the_rest() -> None:
    assert inspected(description=" ") == {Flag.NO_DESCRIPTION}
    assert inspected(owner=Owner.LEFT) == {Flag.OWNER_LEFT}
    assert inspected(owner=Owner.DISABLED) == {Flag.OWNER_DISABLED}
    assert inspected(imported=True) == {Flag.IMPORTED}
    agent: dict[str, Any] = {"kind": Kind.AGENT, "owner": Owner.NOBODY}
    assert inspected(**agent, max_uses=20, uses=18) == {Flag.NEARLY_USED_UP}
    assert inspected(**agent, max_uses=20, uses=17) == set()
    assert inspected(**agent, max_uses=1, uses=1) == set()
    assert inspected(expires_at=NOW + 30 * DAY_US) == {Flag.EXPIRING}
    assert inspected(expires_at=NOW + 30 * DAY_US + 1) == set()


def test_what_has_ended_needs_no_attention() -> None:
    assert inspected(description="", expires_at=NOW) == set()
    assert inspected(description="", state=State.REVOKED) == set()


def test_every_flag_is_explained() -> None:
    assert set(REASONS) == set(Flag)


lives = st.integers(1, 400 * DAY_US)


@examples(300)
@given(lives, st.lists(st.integers(0, 400 * DAY_US), min_size=1, max_size=12))
def test_reminders_grow_more_urgent_and_never_exceed_the_life(life: int, looks: list[int]) -> None:
    token = make.token(created_at=NOW, expires_at=NOW + life)
    found = [reminder_due(token, NOW + look) for look in sorted(looks)]
    sent = [days for days in found if days]
    assert sent == sorted(sent, reverse=True)
    for days, look in zip(found, sorted(looks), strict=True):
        left = life - look
        fitting = [each for each in REMINDER_DAYS if 0 < left <= each * DAY_US]
        assert days == (fitting[0] if fitting and life > fitting[0] * DAY_US else 0)


@examples(50)
@given(st.sampled_from(sorted(Kind)))
def test_only_tokens_that_people_make_are_announced(kind: Kind) -> None:
    token = dataclasses.replace(
        make.token(), kind=kind, created_at=NOW - 90 * DAY_US, expires_at=NOW + DAY_US
    )
    announced = kind in (Kind.AGENT, Kind.UNCLUSTERED_AGENT, Kind.API_ACCESS)
    assert bool(reminder_due(token, NOW)) is announced
