"""Agents: names, tags, versions and the match between a job's rules and an agent's tags."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from properties.property_profiles import examples
from watchword.domain.errors import Invalid
from watchword.domain.fleet import (
    MAX_NAME,
    MAX_TAG,
    MAX_TAGS,
    expand_name,
    knows_job_tokens,
    matches,
    split_tags,
    tag_environment,
)

words = st.text(st.characters(exclude_characters="=%"), min_size=1, max_size=10).filter(str.strip)
pairs = st.tuples(words.filter(lambda key: key != "queue"), words)
queues = st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True)


@examples(300)
@given(st.text(max_size=300), st.text(max_size=20), st.integers(0, 2**22))
def test_a_name_is_never_empty_nor_too_long(name: str, hostname: str, pid: int) -> None:
    made = expand_name(name, hostname=hostname, pid=pid, random="r4nd0m", number="1")
    assert 1 <= len(made) <= MAX_NAME


@examples(200)
@given(words, st.integers(0, 2**22), words)
def test_the_words_of_a_name_are_replaced(hostname: str, pid: int, rest: str) -> None:
    made = expand_name(
        f"{rest}-%hostname-%pid-%random-%n", hostname=hostname, pid=pid, random="r4nd0m", number="7"
    )
    assert made == f"{rest}-{hostname}-{pid}-r4nd0m-7".lstrip()


@pytest.mark.parametrize("name", ["", "   ", "\n"])
def test_an_empty_name_is_invented(name: str) -> None:
    assert expand_name(name, hostname="h", pid=1, random="r4nd0m", number="1") == "agent-r4nd0m"


@examples(200)
@given(st.lists(pairs, max_size=6), st.none() | queues, st.integers(1, 3))
def test_the_queue_is_parted_from_the_tags(
    others: list[tuple[str, str]], queue: str | None, times: int
) -> None:
    items = [f"{key}={value}" for key, value in others]
    items[len(items) // 2 : len(items) // 2] = [f"queue={queue}"] * (times if queue else 0)
    assert split_tags(items) == (queue or "", tuple(items))


@examples(100)
@given(queues, queues)
def test_two_queues_are_refused(one: str, two: str) -> None:
    if one == two:
        return
    with pytest.raises(Invalid) as caught:
        split_tags([f"queue={one}", "os=linux", f"queue={two}"])
    assert caught.value.code == "two_queues"


@pytest.mark.parametrize(
    ("items", "code"),
    [
        ([""], "invalid_tag"),
        (["  "], "invalid_tag"),
        (["k=" + "v" * MAX_TAG], "invalid_tag"),
        (["a=b"] * (MAX_TAGS + 1), "too_many_tags"),
        (["queue="], "invalid_tag"),
        (["queue=one", "queue="], "invalid_tag"),
        (["queue=", "queue=one"], "invalid_tag"),
    ],
)
def test_unacceptable_tags_are_refused(items: list[str], code: str) -> None:
    with pytest.raises(Invalid) as caught:
        split_tags(items)
    assert caught.value.code == code


@examples(300)
@given(
    st.integers(0, 9),
    st.integers(0, 200),
    st.sampled_from(["", "v"]),
    st.sampled_from(["", ".0", "-beta.15", ".1.99"]),
)
def test_versions_are_compared_as_numbers(major: int, minor: int, start: str, end: str) -> None:
    assert knows_job_tokens(f"{start}{major}.{minor}{end}") is ((major, minor) >= (3, 39))


@examples(200)
@given(st.text(max_size=12))
def test_a_version_that_cannot_be_read_is_a_new_one(text: str) -> None:
    if not re.match(r"v?\d+\.\d+", text):
        assert knows_job_tokens(text)


@examples(300)
@given(st.lists(pairs, max_size=5), st.data())
def test_an_agent_fits_the_rules_it_carries(carried: list[tuple[str, str]], data: st.DataObject) -> None:
    tags = [f"{key}={value}" for key, value in carried]
    some = data.draw(st.lists(st.sampled_from(carried), max_size=3)) if carried else []
    rules = [f"{key}={value}" for key, value in some] + [f"{key}=*" for key, _ in some] + ["queue=any"]
    assert matches(rules, tags)


@examples(300)
@given(st.lists(pairs, max_size=5), pairs)
def test_an_agent_does_not_fit_a_rule_it_lacks(
    carried: list[tuple[str, str]], wanted: tuple[str, str]
) -> None:
    tags = [f"{key}={value}" for key, value in carried]
    key, value = wanted
    assert matches([f"{key}={value}"], tags) is (wanted in carried or (value == "*" and key in dict(carried)))
    assert matches([f"{key}=*"], tags) is (key in dict(carried))


@examples(200)
@given(st.lists(st.text(min_size=1, max_size=12), max_size=6))
def test_tags_become_variables_with_plain_names(tags: list[str]) -> None:
    for name, value in tag_environment(tags).items():
        assert re.fullmatch(r"BUILDKITE_AGENT_META_DATA_[A-Z0-9_]*", name)
        assert value
