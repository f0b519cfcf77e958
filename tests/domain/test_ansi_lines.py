"""Terminal output becomes lines of styled text, as a terminal would show it."""

import pytest

from watchword.domain.ansi import Heading, Line, finder, render_line, sections, title_of
from watchword.domain.ansistyles import PLAIN, Style, restyle, style_after
from watchword.domain.loglines import MAX_LINE, LineReader, split_lines


def shown(raw: str) -> list[tuple[str, str]]:
    line, _ = render_line(raw.encode())
    return [(span.text, span.style.classes) for span in line.spans]


def text_of(raw: str) -> str:
    return render_line(raw.encode())[0].text


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("plain", [("plain", "")]),
        ("", []),
        ("\x1b[31mred\x1b[0m not", [("red", "t-fg-1"), (" not", "")]),
        ("\x1b[1;31mred\x1b[22m thin", [("red", "t-fg-1 t-bold"), (" thin", "t-fg-1")]),
        ("\x1b[93;44mx\x1b[39;49my", [("x", "t-fg-11 t-bg-4"), ("y", "")]),
        ("\x1b[2;3;4;9mx", [("x", "t-dim t-italic t-underline t-strike")]),
        ("\x1b[4mx\x1b[4:0my", [("x", "t-underline"), ("y", "")]),
        ("\x1b[7mx", [("x", "t-fg-page t-bg-text")]),
        ("\x1b[7;32mx", [("x", "t-fg-page t-bg-2")]),
        ("\x1b[7;32;41mx\x1b[27my", [("x", "t-fg-1 t-bg-2"), ("y", "t-fg-2 t-bg-1")]),
        ("\x1b[38;5;9mx\x1b[38;5;196my", [("xy", "t-fg-9")]),
        ("\x1b[48;5;240mx", [("x", "t-bg-8")]),
        ("\x1b[38;2;0;200;10mx\x1b[38:2::0:200:10my\x1b[38:2:0:200:10mz", [("xyz", "t-fg-2")]),
        ("\x1b[38;5;300;1mx", [("x", "t-bold")]),
        ("\x1b[38mx\x1b[38;5mx\x1b[38;2;1mx\x1b[58;5;1mx\x1b[99999999999mx", [("xxxxx", "")]),
        ("\x1b[mx\x1b[>4;2my\x1b[?1mz\x1b[1 mw", [("xyzw", "")]),
    ],
)
def test_colours_and_marks_become_classes(raw: str, expected: list[tuple[str, str]]) -> None:
    assert shown(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("10%\r20%\r100%", "100%"),
        ("downloading\rdone", "doneloading"),
        ("downloading\r\x1b[Kdone", "done"),
        ("abc\b\bX", "aXc"),
        ("\b\bx", "x"),
        ("abc\x1b[2DX\x1b[1Ky", "  y"),
        ("abc\x1b[1GX\x1b[3Cz", "Xbc z"),
        ("abc\x1b[2Kx", "   x"),
        ("a\tb", "a       b"),
        ("\x1b[5Cx", "     x"),
        ("x\x1b[10A\x1b[2J\x1b[3;4Hy\x1b[sz", "xyz"),
        ("a\x00b\x07c\x7fd\x9be", "abcde"),
        ("gpj.exe\u202egnp.\u2066x", "gpj.exegnp.x"),
        ("done\r", "done"),
        ("\x1b]0;title\x07x\x1b]2;other\x1b\\y\x1bPdevice\x1b\\z", "xyz"),
        ("a\x1b]0;never ended", "a"),
        ("a\x1b]0;broken off\x1b[1mb", "ab"),
        ("a\x1b[12", "a"),
        ("a\x1b", "a"),
        ("a\x1b(Bb\x1b=c\x1b\x1b[1md", "abcd"),
        ("\x1b[1é", "é"),
    ],
)
def test_a_line_looks_as_on_a_terminal(raw: str, expected: str) -> None:
    assert text_of(raw) == expected


def test_a_move_goes_no_further_than_a_wide_terminal() -> None:
    assert len(text_of("\x1b[99999999Cx")) == 401
    assert len(text_of("\x1b[99999999Gx\x1b[400Cy")) <= 402
    assert text_of("y" * 1000 + "\x1b[9Cx") == "y" * 1000 + "x"


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert render_line(b"a\xff\xfeb")[0].text == "a\ufffd\ufffdb"


def test_time_marks_say_when_a_line_began() -> None:
    line, _ = render_line(b"\x1b_bk;t=1700000000123\x07hello\x1b_bk;t=1700000009999\x07 world")
    assert (line.text, line.at) == ("hello world", 1_700_000_000_123)
    assert render_line(b"\x1b_bk;t=99999999999999999999\x07x\x1b_bk;t=\xd9\xa3\x07")[0].at == 0


@pytest.mark.parametrize(
    ("raw", "text", "link"),
    [
        ("\x1b]8;;https://example.com/a\x1b\\here\x1b]8;;\x1b\\", "here", "https://example.com/a"),
        ("\x1b]8;id=1;http://example.com\x07here", "here", "http://example.com"),
        ("\x1b]8;;javascript:alert(1)\x07here", "here", ""),
        ("\x1b]8;;https://example.com/\u202ex\x07here", "here", ""),
        ("\x1b]8;;https://" + "a" * 3000 + "\x07here", "here", ""),
        ("\x1b]1339;url=https://example.com;content=docs\x07", "docs", "https://example.com"),
        ("\x1b]1339;url='data:text/html,x'\x07", "data:text/html,x", ""),
        (
            "\x1b]1338;url='https://example.com/cat.gif';alt=cat\x07",
            "[image: cat]",
            "https://example.com/cat.gif",
        ),
        ("\x1b]1338;url=artifact://shot.png\x07", "[image: artifact://shot.png]", ""),
        ("\x1b]1337;File=name=eA==;inline=1:AAAA\x07", "[image]", ""),
    ],
)
def test_links_are_http_and_images_are_words(raw: str, text: str, link: str) -> None:
    line, _ = render_line(raw.encode())
    assert [(span.text, span.link) for span in line.spans] == [(text, link)]


def test_a_style_goes_on_from_line_to_line_and_a_link_does_not() -> None:
    reader = LineReader()
    first, second = reader.feed(b"\x1b[31m\x1b]8;;https://example.com\x07a\r\nb\n")
    assert first.spans[0].link
    assert [(span.text, span.style, span.link) for span in second.spans] == [("b", Style(1), "")]
    assert reader.unfinished is None


def test_what_a_reader_carries_on_is_a_style_and_the_unfinished_line() -> None:
    reader = LineReader()
    assert reader.feed(b"\x1b[1ma\x1b[3") == []
    assert reader.unfinished is not None
    assert reader.unfinished.text == "a"
    resumed = LineReader(reader.style, reader.rest)
    (line,) = resumed.feed(b"1mb\n")
    assert [(span.text, span.style.classes) for span in line.spans] == [
        ("a", "t-bold"),
        ("b", "t-fg-1 t-bold"),
    ]


def test_a_line_that_is_too_long_is_several() -> None:
    text = "é" * MAX_LINE
    lines, rest = split_lines(b"a" + text.encode() + b"\nend")
    assert [len(line) for line in lines] == [MAX_LINE - 1, MAX_LINE, 3]
    assert b"".join(lines).decode() == "a" + text + "\n"
    assert rest == b"end"


@pytest.mark.parametrize(
    ("text", "heading"),
    [
        ("--- Build", Heading.CLOSED),
        ("+++ :rocket: Deploy", Heading.OPEN),
        ("~~~ Preparing", Heading.MUTED),
        ("\x1b[33m--- Coloured\x1b[0m", Heading.CLOSED),
        ("^^^ +++", Heading.REOPEN),
        ("---", Heading.NONE),
        ("----- no", Heading.NONE),
        (" --- no", Heading.NONE),
        ("---no", Heading.NONE),
    ],
)
def test_headings_are_told_from_text(text: str, heading: Heading) -> None:
    assert render_line(text.encode())[0].heading is heading


def test_a_heading_is_titled_without_its_mark() -> None:
    line, _ = render_line(b"\x1b[1m---\x1b[0m  \x1b[31mRed\x1b[0m rest")
    assert [(span.text, span.style.classes) for span in title_of(line).spans] == [
        ("Red", "t-fg-1"),
        (" rest", ""),
    ]
    plain, _ = render_line(b"no heading")
    assert title_of(plain) == plain


def test_a_closed_section_can_be_opened_from_inside() -> None:
    lines = LineReader().feed(b"before\n--- a\nx\n^^^ +++\n+++ b\n~~~ c\n^^^ no\n--- d\n")
    assert sections(lines) == [(1, True), (4, True), (5, False), (7, False)]
    assert sections([Line(())]) == []


def test_the_style_after_text_counts_from_the_last_reset() -> None:
    assert style_after(PLAIN, b"\x1b[31m\x1b[0m\x1b[1m\n\x1b[32mx") == restyle(restyle(PLAIN, "1"), "32")
    assert style_after(Style(1), b"nothing\x1b[m") == PLAIN


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("an error here", True),
        ("an er\x1b[31mr\x1b[0m\x1b]8;;u\x07or", True),
        ("e\x00r\tr\x1b_bk;t=1\x07o\rr", True),
        ("\x1berror", True),
        ("er ror", False),
        ("err\nor", False),
        ("er\x1b[31r", False),
    ],
)
def test_a_text_is_found_whatever_stands_between_its_letters(raw: str, found: bool) -> None:  # noqa: FBT001
    assert bool(finder("error").search(raw)) is found


def test_hostile_text_is_searched_through_without_end_being_put_off() -> None:
    # Where work grew with the square of the length, these would run into the tests' time limit.
    for raw in ("a" + "\x1b[1" * 200_000, "a\x1b]" * 100_000, "a" + "\x1b]x" * 100_000, "ab" * 300_000):
        assert not finder("a" * 60 + "b").search(raw)
