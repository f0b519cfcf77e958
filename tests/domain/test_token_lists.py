"""Lists of tokens: cursors, what a pasted text may mean, what is told of a state, periods of charts."""

from typing import Any

import pytest

from contracts import store_records as make
from watchword.domain.errors import Invalid
from watchword.domain.ids import OrganizationId
from watchword.domain.tallies import HourlyCount, last_day, last_days, refusal_reason, refused
from watchword.domain.tokenlists import (
    MAX_TEXT,
    Condition,
    Cursor,
    Order,
    check_text,
    conditions,
    days_left,
    read_cursor,
    values_in,
)
from watchword.domain.tokens import DAY_US, State
from watchword.domain.use import HOUR_US

VALUE = "bkua_MTA.0123"
NOW = 400 * DAY_US


@pytest.mark.parametrize(
    "pasted",
    [
        VALUE,
        f"  {VALUE}\n",
        f'"{VALUE}"',
        f"'{VALUE}',",
        f"`{VALUE}`",
        f"Token {VALUE}",
        f"bearer  {VALUE}",
        f"Authorization: Bearer {VALUE}",
        f"-H 'Authorization: Token {VALUE}'".removeprefix("-H "),
        f"TOKEN={VALUE}",
        f'export BUILDKITE_AGENT_TOKEN="{VALUE}"',
        f'token: "{VALUE}"',
        f'"token": "{VALUE}",',
        f"token = '{VALUE}'",
        f"BUILDKITE_API_TOKEN='Bearer {VALUE}'",
    ],
)
def test_a_value_is_found_in_what_people_paste(pasted: str) -> None:
    assert VALUE in values_in(pasted)


def test_a_value_as_it_is_comes_first_and_tries_are_few() -> None:
    assert values_in("agent:acme:0123")[0] == "agent:acme:0123"
    assert len(values_in("a=" * 500 + "x")) <= 8
    assert values_in("   ") == ("   ",)


@pytest.mark.parametrize("key", [0, 2**63 - 1, -5])
def test_a_cursor_is_read_as_it_was_written(key: int) -> None:
    for back in (False, True):
        cursor = Cursor(key, "id", back)
        assert read_cursor(cursor.text(), Order.CREATED) == cursor
    named = Cursor("naïve 漢字" * 30, "id")
    assert read_cursor(named.text(), Order.NAME) == named


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "!!!",
        Cursor("text", "id").text(),
        Cursor(2**70, "id").text(),
        Cursor(1, 2).text(),  # type: ignore[arg-type]
        "W10",
        "W1sxLCJcdWQ4MDAiLDBd",
        "e30",
        "A" * 5000,
    ],
)
def test_a_cursor_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        read_cursor(text, Order.CREATED)


def test_a_surrogate_in_a_cursor_is_refused() -> None:
    with pytest.raises(Invalid):
        read_cursor("WzEsIlx1ZDgwMCIsMF0", Order.CREATED)


def test_searches_are_trimmed_and_bounded() -> None:
    assert check_text("  prod ") == "prod"
    with pytest.raises(Invalid, match="255"):
        check_text("x" * (MAX_TEXT + 1))


def told(used: bool = True, around: str = "", **fields: Any) -> list[str]:  # noqa: FBT001, FBT002 - a case of a table
    """Conditions of a token; `around` names what is going on with it."""
    token = make.token(**({"created_at": 0, "expires_at": 0, "not_before": 0, "max_uses": 0} | fields))
    going_on = dict.fromkeys(around.split(), True)
    return [each.value for each in conditions(token, NOW, used=used, **going_on)]


def test_what_is_told_of_a_state() -> None:
    assert told() == ["active"]
    assert told(used=False) == ["never_used", "active"]
    assert told(expires_at=NOW + 6 * DAY_US) == ["expires_soon", "active"]
    assert told(expires_at=NOW) == ["expired"]
    assert told(state=State.REVOKED, used=False) == ["revoked"]
    assert told(around="rotating quarantined") == ["quarantined", "rotating", "active"]
    assert told(around="draining", state=State.REVOKED) == ["draining", "revoked"]
    assert told(max_uses=2, uses=2) == ["used_up", "active"]
    assert told(max_uses=2, uses=1, not_before=NOW) == ["active"]
    assert told(not_before=NOW + 1) == ["not_yet_valid", "active"]
    assert [Condition(word) for word in told()] == [Condition.ACTIVE]


@pytest.mark.parametrize(
    ("ahead", "days"), [(1, 1), (DAY_US, 1), (DAY_US + 1, 2), (6 * DAY_US, 6), (0, 0), (-1, 0)]
)
def test_days_that_are_left(ahead: int, days: int) -> None:
    assert days_left(make.token(expires_at=NOW + ahead), NOW) == days
    assert days_left(make.token(expires_at=0), NOW) == 0


def count(hour: int, name: str = "a", number: int = 1) -> HourlyCount:
    return HourlyCount(OrganizationId("o"), hour, name, number)


def test_the_last_day_ends_with_the_hour_that_goes_on() -> None:
    period = last_day(1000 * HOUR_US + 5)
    assert (period.starts[0], period.starts[-1]) == (977 * HOUR_US, 1000 * HOUR_US)
    counts = [
        count(976),
        count(977, number=2),
        count(1000, number=3),
        count(1000),
        count(1000, "b"),
        count(1001),
    ]
    assert period.series(counts, "a") == (2, *[0] * 22, 4)


def test_days_are_those_of_utc() -> None:
    period = last_days(NOW + 7 * HOUR_US, 30)
    assert period.starts[-1] == NOW
    assert len(period.starts) == 30
    today = NOW // HOUR_US
    assert period.series([count(today - 1), count(today), count(today + 7)], "a")[-2:] == (1, 2)


def test_refusals_are_counted_by_reason() -> None:
    assert refusal_reason(refused("token_revoked")) == "token_revoked"
    assert refusal_reason("agent.registered") == ""
