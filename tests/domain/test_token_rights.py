"""Rights of job tokens: kept as text, narrowed by whoever asks for less, never widened."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchword.domain.errors import Forbidden, Invalid
from watchword.domain.jobrights import (
    TITLES,
    JobRight,
    common_rights,
    keep_rights,
    kept_rights,
    read_rights,
    require_right,
)
from watchword.domain.stepreading import read_document

SOME = st.frozensets(st.sampled_from(list(JobRight)))


@given(SOME)
def test_rights_are_kept_as_they_are(rights: frozenset[JobRight]) -> None:
    kept = keep_rights(rights)
    assert kept_rights(kept) == rights
    for right in JobRight:
        if right in rights:
            require_right(kept, right)
        else:
            with pytest.raises(Forbidden) as caught:
                require_right(kept, right)
            assert caught.value.code == f"job_right_missing.{right.value}"
    require_right(kept, "")


@given(SOME, SOME)
def test_two_who_ask_get_what_both_want(one: frozenset[JobRight], other: frozenset[JobRight]) -> None:
    assert kept_rights(common_rights(keep_rights(one), keep_rights(other))) == one & other


def test_no_right_is_not_every_right() -> None:
    assert keep_rights(frozenset()) != keep_rights(frozenset(JobRight)) == ""
    assert not kept_rights(keep_rights(frozenset()))
    assert kept_rights("run something_of_a_later_version oidc") == {JobRight.OIDC}


def test_every_right_is_explained() -> None:
    assert set(TITLES) == set(JobRight)


def document(token: object, **step: object) -> list[str]:
    steps = [{"command": "a", **step}, {"command": "b"}, "wait"]
    return [each.rights for each in read_document({"job_token": token, "steps": steps}).steps]


def test_a_document_says_it_for_steps_that_say_nothing() -> None:
    assert document(None) == ["", "", ""]
    assert document({"rights": ["oidc", "annotate"]}) == ["run annotate oidc"] * 2 + [""]
    assert document({"rights": "oidc"}, job_token={"rights": []}) == ["run", "run oidc", ""]
    without = kept_rights(document({"without": ["oidc"]})[0])
    assert without == set(JobRight) - {JobRight.OIDC}
    assert document({"without": []}) == ["", "", ""]


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ({"rights": ["odic"]}, "there is no right 'odic'"),
        ({"without": ["odic"]}, "job_token.without"),
        ({"rights": ["oidc"], "without": []}, "needs one of"),
        ({}, "needs one of"),
        ({"right": []}, "did you mean `rights`"),
        (["oidc"], "must be an object"),
        ({"rights": {"oidc": True}}, "must be a text"),
    ],
)
def test_what_cannot_be_refuses_the_document(token: object, said: str) -> None:
    for place in ({"job_token": token}, {}):
        steps = [{"command": "a", **({} if place else {"job_token": token})}]
        with pytest.raises(Invalid) as caught:
            read_document({**place, "steps": steps})
        assert said in caught.value.message


def test_words_of_no_text_are_no_rights() -> None:
    with pytest.raises(Invalid):
        read_rights([1])
