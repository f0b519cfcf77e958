"""Charts: what is drawn says the same as the table beside it, and stands inside its box."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchword.domain.charts import HEIGHT, WIDTH, Chart, Series, bar_chart, line_chart

HOURS = tuple(f"{hour:02}:00" for hour in range(24))


def series(*values: int, name: str = "registrations", mark: str = "good") -> Series:
    return Series(name, mark, values)


def test_bars_stand_on_the_base_in_proportion() -> None:
    chart = bar_chart("Registrations", ("a", "b", "c"), [series(4, 0, 2)])
    first, last = chart.bars
    assert first.height == pytest.approx(2 * last.height, abs=0.02)
    assert first.y + first.height == pytest.approx(chart.base)
    assert [bar.text for bar in chart.bars] == ["a: 4 registrations", "c: 2 registrations"]
    assert chart.rows == (("a", (4,)), ("b", (0,)), ("c", (2,)))
    assert chart.summary == "6 registrations, most at a (4)."


def test_series_are_stacked_and_told_apart() -> None:
    chart = bar_chart("Refusals", ("a",), [series(3), series(2, name="lost", mark="bad")])
    below, above = chart.bars
    assert above.y + above.height == pytest.approx(below.y)
    assert (below.mark, above.mark) == ("good", "bad")
    assert chart.summary == "3 registrations, most at a (3); 2 lost, most at a (2)."


def test_nothing_happened() -> None:
    chart = bar_chart("Registrations", HOURS, [series(*[0] * 24)])
    assert chart.bars == ()
    assert chart.summary == "No registrations."
    assert [tick.text for tick in chart.up] == ["0", "1"]
    assert bar_chart("None", (), []).summary == "Nothing."


def test_a_line_passes_through_the_middle_of_each_place() -> None:
    chart = line_chart("Agents", ("a", "b"), [series(0, 10)])
    (line,) = chart.lines
    points = [tuple(map(float, point.split(","))) for point in line.points.split()]
    assert [point[0] for point in points] == [tick.at for tick in chart.across]
    assert points[0][1] == chart.base
    assert points[1][1] < points[0][1]


@pytest.mark.parametrize(
    ("highest", "ticks"),
    [
        (1, ["0", "1"]),
        (3, ["0", "1", "2", "3"]),
        (7, ["0", "2", "4", "6", "8"]),
        (12_000, ["0", "5k", "10k", "15k"]),
        (2_000_000, ["0", "500k", "1M", "1500k", "2M"]),
    ],
)
def test_ticks_are_few_whole_and_round(highest: int, ticks: list[str]) -> None:
    assert [tick.text for tick in bar_chart("", ("a",), [series(highest)]).up] == ticks


def test_figures_and_labels_belong_together() -> None:
    for wrong in (series(1), series(1, -1)):
        with pytest.raises(ValueError, match="figure"):
            bar_chart("", ("a", "b"), [wrong])
        with pytest.raises(ValueError, match="figure"):
            line_chart("", ("a", "b"), [wrong])


@given(st.lists(st.lists(st.integers(0, 10**9), min_size=30, max_size=30), min_size=1, max_size=4))
def test_all_of_it_stands_inside_the_box(values: list[list[int]]) -> None:
    rows = [Series(f"series {at}", f"mark-{at}", tuple(row)) for at, row in enumerate(values)]
    labels = tuple(map(str, range(30)))

    def inside(chart: Chart) -> None:
        for bar in chart.bars:
            assert 0 <= bar.x < bar.x + bar.width <= chart.right <= WIDTH
            assert 0 <= bar.y <= bar.y + bar.height <= chart.base + 0.02 < HEIGHT
        assert len(chart.across) <= 8
        assert 2 <= len(chart.up) <= 5
        assert all(0 <= tick.at <= chart.base for tick in chart.up)

    inside(bar_chart("", labels, rows))
    inside(line_chart("", labels, rows))
