"""Charts: where the bars, lines, ticks and words of a small chart stand. A template draws them as SVG.

Lengths are units of the chart's own box, which is scaled to its place. Nothing here is markup: whoever draws
it escapes it. What a chart shows is also told in a sentence and as rows of a table, for who cannot see it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 640, 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 10, 24
_GAP = 0.2
_LABELS = 8
_STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Series:
    """One row of figures.

    Attributes:
        name: for people.
        mark: a word that the style sheet gives a colour to.
        values: a figure for each label; none is below zero.
    """

    name: str
    mark: str
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, or one part of a stack; `text` says what it shows."""

    x: float
    y: float
    width: float
    height: float
    mark: str
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line through its points, as the attribute `points` of an SVG `polyline` has them."""

    points: str
    mark: str
    text: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A word beside an axis; `at` is its place along it."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart, ready to be drawn.

    Attributes:
        title: its name.
        summary: what it shows, in a sentence.
        left: where the bars begin.
        right: where they end.
        base: where zero is.
        across: words below.
        up: words on the left, each with a line across.
        series: names and marks, for the legend.
        rows: the same as a table: a label and a figure of each series.
    """

    title: str
    summary: str
    bars: tuple[Bar, ...]
    lines: tuple[Line, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    series: tuple[Series, ...]
    rows: tuple[tuple[str, tuple[int, ...]], ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    base: int = HEIGHT - _BOTTOM


def bar_chart(title: str, labels: Sequence[str], series: Sequence[Series]) -> Chart:
    """Bars, one for each label; several series are stacked.

    Raises:
        ValueError: a series has more or fewer figures than there are labels.
    """
    frame = _Frame(labels, max((sum(part) for part in _parts(labels, series)), default=0))
    bars: list[Bar] = []
    for at, label in enumerate(labels):
        below = 0
        for each in series:
            value = each.values[at]
            if value:
                top, foot = frame.y(below + value), frame.y(below)
                wide = frame.step * (1 - _GAP)
                text = f"{label}: {value} {each.name}"
                bars.append(Bar(frame.x(at), top, round(wide, 2), round(foot - top, 2), each.mark, text))
            below += value
    return frame.chart(title, series, bars=bars)


def line_chart(title: str, labels: Sequence[str], series: Sequence[Series]) -> Chart:
    """Lines through the middle of each label's place.

    Raises:
        ValueError: a series has more or fewer figures than there are labels.
    """
    frame = _Frame(labels, max((max(part) for part in _parts(labels, series) if part), default=0))
    lines = [
        Line(
            " ".join(f"{frame.middle(at)},{frame.y(value)}" for at, value in enumerate(each.values)),
            each.mark,
            each.name,
        )
        for each in series
    ]
    return frame.chart(title, series, lines=lines)


def _parts(labels: Sequence[str], series: Sequence[Series]) -> list[tuple[int, ...]]:
    """The figures of each label."""
    if any(len(each.values) != len(labels) for each in series):
        raise ValueError("each label has one figure of each series")
    if any(value < 0 for each in series for value in each.values):
        raise ValueError("no figure is below zero")
    return [tuple(each.values[at] for each in series) for at in range(len(labels))]


class _Frame:
    """Axes: what stands where."""

    def __init__(self, labels: Sequence[str], highest: int) -> None:
        self.labels = tuple(labels)
        self.top, self.tick = _scale(highest)
        self.step = (WIDTH - _LEFT - _RIGHT) / max(1, len(labels))

    def x(self, at: int) -> float:
        """Where the bar of a label begins."""
        return round(_LEFT + at * self.step + self.step * _GAP / 2, 2)

    def middle(self, at: int) -> float:
        """The middle of a label's place."""
        return round(_LEFT + (at + 0.5) * self.step, 2)

    def y(self, value: int) -> float:
        """How far down a figure stands."""
        base = HEIGHT - _BOTTOM
        return round(base - (base - _TOP) * value / self.top, 2)

    def chart(
        self, title: str, series: Sequence[Series], *, bars: Sequence[Bar] = (), lines: Sequence[Line] = ()
    ) -> Chart:
        """The whole of it."""
        every = max(1, -(-len(self.labels) // _LABELS))
        shown = [at for at in range(len(self.labels)) if at % every == 0]
        return Chart(
            title=title,
            summary=_summary(self.labels, series),
            bars=tuple(bars),
            lines=tuple(lines),
            across=tuple(Tick(self.middle(at), self.labels[at]) for at in shown),
            up=tuple(Tick(self.y(value), _short(value)) for value in range(0, self.top + 1, self.tick)),
            series=tuple(series),
            rows=tuple(zip(self.labels, _parts(self.labels, series), strict=True)),
        )


def _scale(highest: int) -> tuple[int, int]:
    """The top of the axis and what lies between two of its ticks: at most five, whole and round."""
    size = 1
    while True:
        for step in _STEPS:
            tick = step * size
            if highest <= 4 * tick:
                return max(tick, -(-highest // tick) * tick), tick
        size *= 10


def _short(value: int) -> str:
    """A figure of an axis in few letters."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= 10 * size or (value >= size and value % size == 0):
            return f"{value / size:g}{letter}"
    return str(value)


def _summary(labels: Sequence[str], series: Sequence[Series]) -> str:
    """What a chart shows, in words."""
    parts = []
    for each in series:
        total = sum(each.values)
        if not total:
            parts.append(f"no {each.name}")
            continue
        most = max(each.values)
        parts.append(f"{total:,} {each.name}, most at {labels[each.values.index(most)]} ({most:,})")
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if text else "Nothing."
