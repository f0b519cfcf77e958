"""Encoded values are found wherever they begin, however they are broken, and nothing else is."""

import base64
import random
from collections.abc import Callable
from urllib.parse import quote

import pytest

from scan_values import CHECKED, KINDS_TO_FIND, near_miss, value_of
from watchword.domain.kinds import Kind
from watchword.scan.encodings import Decoder
from watchword.scan.findings import Encoding, Hit, Proof

SEED = 20
DECODER = Decoder()
Encode = Callable[[bytes], bytes]


def only(data: bytes) -> Hit:
    found = list(DECODER(data))
    assert len(found) == 1, found
    return found[0]


def broken(text: bytes, width: int, line_end: bytes) -> bytes:
    return line_end.join(text[at : at + width] for at in range(0, len(text), width))


@pytest.mark.parametrize("kind", KINDS_TO_FIND)
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_at_every_place_of_a_group(kind: Kind, encode: Encode) -> None:
    source = random.Random(SEED)
    for before in range(9):
        for after in (b"", b"\n", b'"}', b" and more of it"):
            value = value_of(kind, source).encode()
            spelled = encode(b"?" * before + value + after)
            for padded in (spelled, spelled.rstrip(b"=")):
                data = b"data: '" + padded + b"'\nnext: line\n"
                hit = only(data)
                assert (hit.value.reveal().encode(), hit.encoding) == (value, Encoding.BASE64)
                # What is told as its place decodes to it, but for the characters it shares at its ends.
                assert 7 <= hit.start < hit.end <= 7 + len(padded)
                assert value[3:-3] in base64.urlsafe_b64decode(
                    (b"A" * ([0, 2, 3][before % 3]) + data[hit.start : hit.end] + b"AAAA").translate(
                        bytes.maketrans(b"+/", b"-_")
                    )[: 4 * (len(data) // 4)]
                    + b"=="
                )


@pytest.mark.parametrize("kind", KINDS_TO_FIND)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\\n", b"\n    ", b"\\r\\n"])
def test_base64_in_lines(kind: Kind, line_end: bytes) -> None:
    source = random.Random(SEED)
    for width in (64, 76, 60):
        for before in range(3 * width // 4 + 6):
            value = value_of(kind, source).encode()
            spelled = base64.b64encode(b"?" * before + value + b"\nrest of the file\n" * 3)
            hit = only(b"-----\n" + broken(spelled, width, line_end) + b"\n-----\n")
            assert hit.value.reveal().encode() == value


@pytest.mark.parametrize("kind", KINDS_TO_FIND)
@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf16(kind: Kind, codec: str) -> None:
    source = random.Random(SEED)
    for before in ("", "x = ", "\ufeffkey: '"):
        for after in ("", "'\r\n", " "):
            value = value_of(kind, source)
            data = (before + value + after).encode(codec)
            hit = only(data)
            assert hit.value.reveal() == value
            assert hit.encoding.value == codec.replace("-16-", "-16")
            assert data[hit.start : hit.end].decode(codec) == value


@pytest.mark.parametrize("kind", KINDS_TO_FIND)
def test_base64_of_utf16(kind: Kind) -> None:
    source = random.Random(SEED)
    for before in range(4):
        value = value_of(kind, source)
        script = "?" * before + value + "' | out-null"
        spelled = base64.b64encode(script.encode("utf-16-le"))
        for data in (b"powershell -EncodedCommand " + spelled, broken(spelled, 76, b"\r\n")):
            hit = only(data)
            assert (hit.value.reveal(), hit.encoding) == (value, Encoding.BASE64_UTF16)


@pytest.mark.parametrize("kind", KINDS_TO_FIND)
def test_escaped_characters(kind: Kind) -> None:
    value = value_of(kind, random.Random(SEED))
    everything = "".join(f"%{ord(one):02X}" if one in "_.:=-" else one for one in value)
    fewer = everything.replace("%5F", "_").replace("%2D", "-")
    code = "".join(f"\\x{ord(one):02x}" if one in "_.:" else one for one in value)
    as_json = "".join(f"\\u{ord(one):04x}" if one in "_.:=" else one for one in value)
    for written, encoding in (
        (everything, Encoding.PERCENT),
        (fewer, Encoding.PERCENT),
        (code, Encoding.ESCAPED),
        (as_json, Encoding.ESCAPED),
    ):
        data = f"https://example.com/?token={written}&x=1".encode()
        if written == value:
            assert not list(DECODER(data))
            continue
        hit = only(data)
        assert (hit.value.reveal(), hit.encoding) == (value, encoding)
        assert data[hit.start : hit.end].decode() == written


def test_what_is_plain_is_left_to_the_engine() -> None:
    source = random.Random(SEED)
    values = [value_of(kind, source) for kind in KINDS_TO_FIND]
    assert not list(DECODER("\n".join(values).encode()))
    # An escape after the value is none of its characters.
    assert not list(DECODER("&".join(quote(f"{value} ", safe=":=._-") for value in values).encode()))


@pytest.mark.parametrize("kind", CHECKED)
def test_a_wrong_checksum_is_no_proof(kind: Kind) -> None:
    source = random.Random(SEED)
    for _ in range(50):
        hits = list(DECODER(base64.b64encode(near_miss(kind, source).encode())))
        assert [hit.proof for hit in hits if hit.proof is Proof.CHECKSUM] == []


def test_encodings_do_not_reach_over_the_end_of_a_file() -> None:
    value = value_of(Kind.AGENT, random.Random(SEED)).encode()
    for spelled in (base64.b64encode(value), value.decode().encode("utf-16-le")):
        for cut in range(2, len(spelled) - 8, 2):
            assert not list(DECODER(spelled[:cut] + bytes(8) + spelled[cut:]))


def test_several_and_other_brands() -> None:
    source = random.Random(SEED)
    values = [value_of(kind, source, brand=brand) for kind in KINDS_TO_FIND for brand in ("bk", "acme")]
    data = base64.encodebytes("\n".join(values).encode())
    found = {hit.value.reveal() for hit in Decoder(("bk", "acme"))(data)}
    assert found == set(values)


def test_much_that_begins_like_a_value_takes_little_time() -> None:
    # With quadratic work each would take minutes, and the suite's time limit strikes.
    for begin in (b"YmtjdF", b"YmtjdF9N", b"YmtjdF9N\n", b"bkct%", "bkct_".encode("utf-16-le")):
        assert all(hit.proof is Proof.SHAPE for hit in DECODER(begin * 5_000))
