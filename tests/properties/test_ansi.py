"""Logs as lines: however a log is cut, the lines are the same; no control character gets through."""

import unicodedata

from hypothesis import example, given
from hypothesis import strategies as st

from properties.property_profiles import examples
from watchword.domain.ansi import Line, finder, render_line
from watchword.domain.ansistyles import PLAIN
from watchword.domain.loglines import LineReader, pass_over, split_lines

PIECES = st.sampled_from(
    [
        b"\x1b[31m",
        b"\x1b[0m",
        b"\x1b[m",
        b"\x1b[38;5;208m",
        b"\x1b[1;4;7m",
        b"\x1b[",
        b"\x1b]",
        b"\x1b]8;;https://example.com\x07",
        b"\x1b]0;t\x1b\\",
        b"\x1b_bk;t=1\x07",
        b"\x1b[K",
        b"\x1b[1K",
        b"\x1b[3D",
        b"\x1b[9C",
        b"\x1b",
        b"\n",
        b"\r\n",
        b"\r",
        b"\b",
        b"\t",
        b"--- a\n",
        "é漢".encode(),
        "\u202e".encode(),
        b"\xe6\xbc",
    ]
)
LOGS = st.lists(PIECES | st.binary(max_size=6) | st.just(b"text"), max_size=40).map(b"".join)


def whole(log: bytes) -> list[Line]:
    reader = LineReader()
    lines = reader.feed(log)
    return [*lines, reader.unfinished] if reader.unfinished is not None else lines


@given(LOGS, st.lists(st.integers(0, 400), max_size=6))
@example(b"\x1b[31m\xe6\xbc\xa2\r\nx", [2, 7, 9])
@examples(300)
def test_wherever_a_log_is_cut_the_lines_are_the_same(log: bytes, cuts: list[int]) -> None:
    reader, start, lines = LineReader(), 0, []
    for cut in [*sorted(cuts), len(log)]:
        lines += reader.feed(log[start:cut])
        start = max(start, cut)
    if reader.unfinished is not None:
        lines.append(reader.unfinished)
    assert lines == whole(log)


@given(LOGS)
@examples(300)
def test_no_control_character_is_shown(log: bytes) -> None:
    for line in whole(log):
        for span in line.spans:
            assert span.text
            assert not any(unicodedata.category(one) == "Cc" for one in span.text)
            assert not any(unicodedata.bidirectional(one) in ("RLO", "LRO", "RLI") for one in span.text)
            assert not any(one <= " " for one in span.link)


@given(LOGS)
@examples(300)
def test_lines_that_are_passed_over_leave_the_style_that_showing_them_would(log: bytes) -> None:
    raw, _ = split_lines(log)
    style = PLAIN
    for one in raw:
        _, style = render_line(one, style)
    assert pass_over(PLAIN, raw) == style


@given(LOGS, st.sampled_from(["te", "xt", "tt", "é漢", "a", "text"]))
@examples(300)
def test_a_search_sees_every_line_that_shows_a_text_in_the_order_of_writing(log: bytes, needle: str) -> None:
    raw, rest = split_lines(log)
    for one in [*raw, rest]:
        if any(back in one for back in (b"\r", b"\b", b"\x1b[")):
            continue
        if needle in render_line(one)[0].text:
            assert finder(needle).search(one.decode(errors="replace"))
