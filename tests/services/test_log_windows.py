"""Windows on a job's log: by line, by what they show, and as it grows; the same lines as in the whole log."""

import asyncio
import gzip
import random
from contextlib import aclosing
from dataclasses import replace

import pytest

from services.scene import Scene
from watchword.domain.ansi import Line
from watchword.domain.errors import Invalid, NotFound
from watchword.domain.ids import OrganizationId
from watchword.domain.loglines import MAX_LINE, LineReader
from watchword.domain.pipelines import Job
from watchword.services.context import LOCAL
from watchword.services.house import House
from watchword.services.logindex import STRIDE, LogIndexes
from watchword.services.logs import add_chunk
from watchword.services.logwindows import MAX_LINES, Found, LogWindow, LogWindows


class Reading:
    """A running job, its log, and windows on it."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.job = scene.job(scene.running(scene.agent()).job)
        self.windows = LogWindows(scene.authority.context, pause=0)
        self.size = 0
        self.chunks = 0

    def now(self) -> Job:
        return self.scene.job(self.job)

    def write(self, text: bytes, *, at: int | None = None) -> None:
        offset = self.size if at is None else at
        self.scene.run(self._add(offset, text))
        self.size = max(self.size, offset + len(text))

    async def _add(self, offset: int, text: bytes) -> None:
        self.chunks += 1
        packed = gzip.compress(text)
        await add_chunk(
            self.scene.authority.context, self.job, self.chunks, offset, packed, packed=True, size=len(text)
        )

    def end(self) -> None:
        self.scene.finish(self.job)

    def view(self, first: int = 1, count: int = MAX_LINES) -> LogWindow:
        return self.scene.run(self.windows.view(self.now(), first, count))

    def tail(self, count: int) -> LogWindow:
        return self.scene.run(self.windows.tail(self.now(), count))

    def search(self, needle: str, first: int = 1, most: int = 1000) -> Found:
        return self.scene.run(self.windows.search(self.now(), needle, first, most))

    def find(self, needle: str, first: int = 1) -> list[int]:
        return [number for number, _ in self.search(needle, first).lines]


@pytest.fixture
def reading(scene: Scene) -> Reading:
    return Reading(scene)


def lines_of(log: bytes) -> list[Line]:
    reader = LineReader()
    lines = reader.feed(log)
    return [*lines, reader.unfinished] if reader.unfinished is not None else lines


def texts(window: LogWindow) -> list[str]:
    return [line.text for line in window.lines]


def coloured_log(lines: int) -> bytes:
    source = random.Random(1)
    codes = ("31", "1", "0", "", "38;5;208", "4;7")
    return b"".join(
        f"\x1b[{source.choice(codes)}mline {number}\r\n".encode() for number in range(1, lines + 1)
    )


def test_every_window_shows_the_lines_of_the_whole_log(reading: Reading) -> None:
    log = coloured_log(3 * STRIDE + 17) + b"\x1b[33munfinished"
    whole = lines_of(log)
    for start in range(0, len(log), 1777):
        reading.write(log[start : start + 1777])
    total = len(whole)
    for first, count in ((1, 10), (STRIDE, 3), (STRIDE + 1, 1), (STRIDE + 2, 2 * STRIDE), (total, 5)):
        window = reading.view(first, count)
        assert list(window.lines) == whole[first - 1 : first - 1 + count]
        assert (window.first, window.total, window.growing) == (first, total, True)
    assert list(reading.tail(20).lines) == whole[-20:]
    assert reading.tail(20).first == total - 19
    assert texts(reading.view(total + 1)) == []
    assert reading.view(-5, 1).first == 1


def test_what_was_indexed_is_gone_on_with(reading: Reading) -> None:
    log = coloured_log(2 * STRIDE)
    whole = lines_of(log)
    for start in range(0, len(log), 997):
        reading.write(log[start : start + 997])
        window = reading.view(STRIDE - 3, 2 * STRIDE)
        shown = window.settled - window.first + 1
        assert list(window.lines)[:shown] == whole[STRIDE - 4 : STRIDE - 4 + shown]
    assert reading.view(1).lines == tuple(whole[:MAX_LINES])


def test_a_log_that_stands_nowhere_has_no_lines(reading: Reading) -> None:
    for window in (reading.view(), reading.tail(10)):
        assert (window.first, window.lines, window.total, window.settled) == (1, (), 0, 0)
    assert reading.search("x") == Found((), more=False)


def test_a_last_line_without_an_end_is_growing_until_the_job_ends(reading: Reading) -> None:
    reading.write(b"one\ntwo")
    window = reading.view()
    assert (texts(window), window.growing, window.settled) == (["one", "two"], True, 1)
    reading.end()
    window = reading.view()
    assert (texts(window), window.growing, window.settled, window.ended) == (["one", "two"], False, 2, True)


def test_a_running_log_ends_before_a_hole_and_an_ended_one_goes_on_after_it(reading: Reading) -> None:
    reading.write(b"one\ntw")
    reading.write(b"four\nfive\n", at=100)
    assert texts(reading.view()) == ["one", "tw"]
    reading.end()
    assert texts(reading.view()) == ["one", "twfour", "five"]
    assert texts(reading.view(3)) == ["five"]
    assert reading.find("FIVE") == [3]


def test_a_hole_that_is_filled_is_read(reading: Reading) -> None:
    reading.write(b"one\ntw")
    reading.write(b"four\n", at=12)
    assert texts(reading.view()) == ["one", "tw"]
    reading.write(b"o\n" + b"x" * 2 + b"\n\n", at=6)
    assert texts(reading.view()) == ["one", "two", "xx", "", "four"]


def test_long_lines_make_short_windows_and_the_tail_is_still_the_end(reading: Reading) -> None:
    long = b"".join(b"%04d" % number + b"x" * (MAX_LINE - 5) + b"\n" for number in range(64))
    for start in range(0, len(long), 1_000_000):
        reading.write(long[start : start + 1_000_000])
    window = reading.view()
    assert 0 < len(window.lines) < 20
    assert texts(reading.view(window.after, 1))[0].startswith(f"{len(window.lines):04d}")
    tail = reading.tail(2000)
    assert tail.lines
    assert (tail.after, tail.total) == (65, 64)
    assert texts(tail)[-1].startswith("0063")


def test_a_search_finds_what_is_shown_whatever_its_case(reading: Reading) -> None:
    reading.write(
        b"nothing\n\x1b[31mEr\x1b[0mror: x\nan ERROR\n"
        b"error that was overwritten\rfine                      \nStrasse\nSTRA\xc3\x9fE\nlast error"
    )
    assert reading.find("error") == [2, 3, 7]
    assert reading.find("error", first=3) == [3, 7]
    assert reading.search("31m") == Found((), more=False)
    assert reading.find("straße") == [5, 6]
    assert reading.search("error", most=2) == Found(((2, "Error: x"), (3, "an ERROR")), more=True)
    assert not reading.search("error", most=3).more


def test_a_search_passes_the_borders_of_chunks_and_marks(reading: Reading) -> None:
    log = b"".join(b"line %d\n" % number for number in range(1, 3 * STRIDE))
    for start in range(0, len(log), 1001):
        reading.write(log[start : start + 1001])
    for number in (1, STRIDE, STRIDE + 1, 2 * STRIDE + 7):
        found = reading.search(f"line {number}", first=number, most=1)
        assert found.lines == ((number, f"line {number}"),)
    assert len(reading.search("line").lines) == 3 * STRIDE - 1


@pytest.mark.parametrize("needle", ["", " ", "x" * 201])
def test_a_search_for_nothing_is_refused(reading: Reading, needle: str) -> None:
    with pytest.raises(Invalid, match="1 to 200"):
        reading.search(needle)


def test_following_gives_what_is_new_and_the_line_under_way_again(reading: Reading) -> None:
    async def story() -> list[tuple[int, list[str], bool]]:
        seen = []
        windows = reading.windows.follow(reading.job, 2)
        for text in (b"one\ntwo\nthr", b"ee\n", b"", b"four"):
            if text:
                await reading._add(reading.size, text)
                reading.size += len(text)
            else:
                await reading.scene.authority.finisher.finish(LOCAL, reading.job)
                break
            window = await anext(windows)
            assert window is not None
            seen.append((window.first, texts(window), window.ended))
        seen += [(one.first, texts(one), one.ended) async for one in windows if one is not None]
        return seen

    assert reading.scene.run(story()) == [
        (2, ["two", "thr"], False),
        (3, ["three"], False),
        (4, [], True),
    ]


def test_following_a_long_log_gives_all_of_it_in_pieces(reading: Reading) -> None:
    total = MAX_LINES + 10
    reading.write(b"x\n" * total)
    reading.end()
    job = reading.now()

    async def story() -> list[tuple[int, int]]:
        return [
            (one.first, len(one.lines)) async for one in reading.windows.follow(job, 1) if one is not None
        ]

    assert reading.scene.run(story()) == [(1, MAX_LINES), (MAX_LINES + 1, 10)]


def test_who_follows_a_silent_job_hears_that_nothing_happened(reading: Reading) -> None:
    async def story() -> list[bool]:
        async with aclosing(reading.windows.follow(reading.job, 1)) as windows:
            return [(await asyncio.wait_for(anext(windows), 5)) is None for _ in range(3)]

    assert reading.scene.run(story()) == [False, True, True]


def test_a_deleted_log_is_gone(reading: Reading) -> None:
    reading.write(b"one\n")
    reading.end()
    assert texts(reading.view()) == ["one"]
    house = House(reading.scene.authority.context)
    reading.scene.run(house.drop_log(reading.job.organization_id, reading.job.id))
    for read in (reading.view, lambda: reading.tail(5), lambda: reading.search("one")):
        with pytest.raises(NotFound) as caught:
            read()
        assert caught.value.status == 410


def test_indexes_of_logs_are_bounded(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watchword.services.logindex._MAX_LOGS", 3)
    indexes = LogIndexes(reading.scene.authority.context)
    reading.write(b"one\n")
    found = reading.scene.run(indexes.of(reading.job))
    assert found.lines == 1
    for number in range(5):
        other = replace(reading.job, organization_id=OrganizationId(f"elsewhere-{number}"))
        assert reading.scene.run(indexes.of(other)).lines == 0
    assert len(indexes._known) == 3
    assert reading.scene.run(indexes.of(reading.job)).lines == 1
