"""The bench: verdicts, figures, what is saved; and that its no-op has the settings of our server."""

import json
import sys
from pathlib import Path

import pytest
from granian.constants import Interfaces
from rich.console import Console

from watchword import app

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench import (
    corpora,
    noop,
    seeding,
)
from bench.report import Goal, Row, save, show, table
from bench.wrk import Load, Target, median_difference, median_ratio, raw_request
from watchword.crypto.values import Recogniser
from watchword.scan.engine import Engine
from watchword.scan.findings import Proof

RATIO = Goal(must=0.65, moonshot=0.80)
ADDED = Goal(must=40, moonshot=15, unit="µs", lower=True)


@pytest.mark.parametrize(
    ("goal", "figure", "verdict"),
    [
        (RATIO, 0.80, "moonshot"),
        (RATIO, 0.79, "must"),
        (RATIO, 0.64, "missed"),
        (ADDED, 15.0, "moonshot"),
        (ADDED, 15.1, "must"),
        (ADDED, 40.1, "missed"),
    ],
)
def test_a_verdict_is_the_highest_goal_reached(goal: Goal, figure: float, verdict: str) -> None:
    assert Row(work="w", figure=figure, goal=goal).verdict == verdict


def test_a_row_without_a_figure_was_not_run() -> None:
    assert Row(work="w", note="OpenBao is missing").verdict == "not run"


def test_figures_keep_their_significant_digits() -> None:
    assert [show(0.654, "x"), show(12.34, "µs"), show(1234.5, "MB")] == ["0.65x", "12.3 µs", "1,234 MB"]


def test_the_table_judges_full_runs_only(tmp_path: Path) -> None:
    rows = [Row(work="verify", ours="1 req/s", peer="2 req/s", figure=0.5, goal=RATIO, note="by CPU")]
    texts = []
    for judged in (True, False):
        with (tmp_path / "table").open("w+", encoding="utf-8") as file:
            Console(file=file, width=120).print(table(rows, judged=judged))
            file.seek(0)
            texts.append(file.read())
    assert "missed" in texts[0]
    assert "missed" not in texts[1]
    assert "not judged" in texts[1]


def test_the_saved_rows_carry_verdicts(tmp_path: Path) -> None:
    path = tmp_path / "results" / "one.json"
    save(path, {"machine": "m"}, [Row(work="verify", figure=0.9, goal=RATIO)], quick=False)
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["rows"][0]["verdict"] == "moonshot"
    assert document["rows"][0]["goal"]["must"] == 0.65


def test_ratios_are_medians_of_pairs() -> None:
    ours, floor = (Target(1, 1, Path("r")) for _ in range(2))
    ours.rounds = [Load(100, 1, cpu, 1, 2) for cpu in (0.004, 0.006, 0.009)]
    floor.rounds = [Load(100, 1, cpu, 1, 2) for cpu in (0.002, 0.003, 0.009)]
    assert median_ratio(floor, ours, lambda load: load.cost) == pytest.approx(0.5)
    assert median_difference(ours, floor) == pytest.approx(20)


def test_a_raw_request_counts_the_value_that_comes_in(tmp_path: Path) -> None:
    made = raw_request(tmp_path / "r", "POST", "/x", {"A": "b"}, "token=@@", value_length=86)
    assert made.read_bytes() == (
        b"POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nA: b\r\nContent-Length: 92\r\n\r\ntoken=@@"
    )


def test_seeded_values_are_tokens_of_ours() -> None:
    recogniser = Recogniser()
    made = seeding.values(5)
    assert made == seeding.values(5)
    found = [recogniser.recognise(value) for value in made]
    assert all(one is not None and one.shape.name == "agent-token" and one.checksum for one in found)


def test_the_no_op_stands_behind_the_settings_of_the_application() -> None:
    http1 = noop.SETTINGS["http1_settings"]
    assert noop.SETTINGS["interface"] is Interfaces.ASGINL
    assert noop.SETTINGS["backlog"] == app._BACKLOG
    assert noop.SETTINGS["backpressure"] == app._MAX_CONNECTIONS
    assert (http1.header_read_timeout, http1.max_buffer_size) == (app.IDLE_MS, app._MAX_HEADER_BYTES)


def test_half_of_what_is_planted_for_scanners_is_proven_and_half_is_of_older_shapes() -> None:
    text = "\n".join(corpora.planted()).encode()
    proofs = [hit.proof for hit in Engine().hits(text)]
    assert proofs.count(Proof.CHECKSUM) == proofs.count(Proof.SHAPE) == corpora.PLANTED // 2
