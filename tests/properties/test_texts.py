"""Texts from outside: JSON with a NUL in a text is refused, all other JSON passes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchword.domain.errors import Invalid
from watchword.domain.texts import refuse_nul_in_json, refuse_nul_in_url

texts = st.text(alphabet=st.sampled_from(["\0", "\\", "u", "0", "a", '"', "\n"]), max_size=12)
documents = st.recursive(
    texts | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def holds_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(holds_nul(part) for item in value.items() for part in item)
    return isinstance(value, list) and any(holds_nul(item) for item in value)


@given(documents)
def test_json_is_refused_exactly_where_a_text_holds_a_nul(value: object) -> None:
    body = json.dumps(value).encode()
    if not holds_nul(value):
        refuse_nul_in_json(body)
        return
    with pytest.raises(Invalid) as caught:
        refuse_nul_in_json(body)
    assert caught.value.code == "nul_character"


@pytest.mark.parametrize(("path", "query"), [(b"/a%00", b""), (b"/a", b"x=%00"), (b"/a\0", b"")])
def test_urls_with_a_nul_are_refused(path: bytes, query: bytes) -> None:
    refuse_nul_in_url(b"/v3/ping", b"x=1%2000")
    with pytest.raises(Invalid):
        refuse_nul_in_url(path, query)
