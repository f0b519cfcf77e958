"""Frames of streaming pings: the contract's bytes, a way there and back, and no surprise from any input."""

import contextlib
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchword.domain.errors import Malformed
from watchword.domain.pingframes import (
    MAX_MESSAGE,
    Action,
    Frames,
    Told,
    frame,
    read_request,
    read_told,
    request_frame,
    told_frame,
)

texts = st.text(max_size=60)
tolds = st.builds(Told, st.sampled_from([Action.PAUSE, Action.DISCONNECT]), texts) | st.builds(
    Told, st.just(Action.JOB), st.text(min_size=1, max_size=60)
)
# Fields that a newer server or client may add: numbers, fixed ones, bytes; none of them is ours.
strange = st.sampled_from(
    [bytes.fromhex(each) for each in ("7801", "78ffffffffffffffffff01", "7d01020304", "790102030405060708")]
) | st.binary(max_size=20).map(lambda held: b"\x7a" + bytes([len(held)]) + held)


@pytest.mark.parametrize(
    ("told", "said"),
    [  # contract agent-api §3.3
        (Told(Action.RESUME), "0000000002 1200"),
        (Told(Action.PAUSE, "maintenance"), "000000000f 1a0d0a0b6d61696e74656e616e6365"),
        (Told(Action.DISCONNECT, "bye"), "0000000007 22050a03627965"),
        (Told(Action.JOB, "id"), "0000000008 2a060a040a026964"),
    ],
)
def test_the_contracts_bytes(told: Told, said: str) -> None:
    assert told_frame(told) == bytes.fromhex(said)


@given(st.lists(tolds | st.just(Told(Action.RESUME)), max_size=5), st.integers(1, 40))
def test_what_is_told_arrives_however_it_is_cut(told: list[Told], size: int) -> None:
    stream = b"".join(told_frame(each) for each in told)
    frames = Frames()
    heard = []
    for start in range(0, len(stream), size):
        heard += [read_told(message) for message in frames.feed(stream[start : start + size])]
    assert heard == told
    assert not frames.rest


@given(tolds, st.lists(strange, max_size=3))
def test_unknown_fields_are_passed_over(told: Told, fields: list[bytes]) -> None:
    message = told_frame(told)[5:]
    for field in fields:
        message = field + message + field
    assert read_told(message) == told
    assert read_told(b"".join(fields)) is None


@given(agent_id=texts, packed=st.booleans())
def test_a_request_arrives(agent_id: str, *, packed: bool) -> None:
    body, encoding = request_frame(agent_id), ""
    if packed:
        message = gzip.compress(body[5:])
        body, encoding = b"\1" + len(message).to_bytes(4, "big") + message, "gzip"
        with pytest.raises(Malformed):
            read_request(body)
    assert read_request(body, encoding) == agent_id
    with pytest.raises(Malformed):
        read_request(body + b"\0", encoding)


@given(st.binary(max_size=80), st.sampled_from(["", "gzip", "br"]))
def test_any_bytes_are_read_or_refused(body: bytes, encoding: str) -> None:
    for data in (body, frame(body), b"\1" + frame(body)[1:]):
        with contextlib.suppress(Malformed):
            assert isinstance(read_request(data, encoding), str)
    with contextlib.suppress(Malformed):
        assert read_told(body) is None or isinstance(read_told(body), Told)


@given(st.binary(max_size=40))
def test_what_is_cut_short_never_passes(text: bytes) -> None:
    body = request_frame(text.hex())
    for end in range(len(body)):
        with pytest.raises(Malformed):
            read_request(body[:end])


def test_a_message_cannot_grow_without_bound() -> None:
    for body in (
        b"\0" + (MAX_MESSAGE + 1).to_bytes(4, "big"),
        b"\1" + frame(gzip.compress(bytes(MAX_MESSAGE + 1)))[1:],
    ):
        with pytest.raises(Malformed):
            Frames("gzip").feed(body)


def test_a_job_without_an_id_is_no_message() -> None:
    for message in ("2a00", "2a020a00", "2a040a020a00"):
        with pytest.raises(Malformed):
            read_told(bytes.fromhex(message))
