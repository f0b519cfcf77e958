"""The rows about scanning: a tree and a history, beside ripgrep, GNU grep, kingfisher and betterleaks."""

import statistics
from pathlib import Path
from typing import TYPE_CHECKING

from bench.corpora import PLANTED, history, tree
from bench.report import Goal, Row
from bench.scanners import PATTERN, Scanner, betterleaks, grep, interleave, kingfisher, ours, ratio, ripgrep

if TYPE_CHECKING:
    from bench.rows import Bench

_PEERS = Goal(must=2, moonshot=4)
_HISTORY = Goal(must=1.5, moonshot=3)


def scan(bench: "Bench") -> list[Row]:
    """A tree on one core and on two, and what more costs."""
    folder = bench.folder / "tree"
    files, size = tree(folder, bench.size.scanned, bench.tell)
    of = f"{files:,} files, {size / 1e6:,.0f} MB, {PLANTED} planted values, half of them of older shapes"
    return [*_one_core(bench, folder, size, of), *_two_cores(bench, folder, size, of)]


def _one_core(bench: "Bench", folder: Path, size: int, of: str) -> list[Row]:
    mine, plain = ours(folder, 1), ours(folder, 1, plain=True)
    rg, gnu, gnu_plain = ripgrep(folder, 1), grep(folder), grep(folder, plain=True)
    text = ripgrep(folder, 1, text=True)
    interleave([mine, rg, text, gnu, plain, gnu_plain], bench.size.rounds, bench.folder, bench.tell)
    work = "scan a source tree, 1 core"
    off = f"{work}, AVX-512 off in the C library"
    why = "; the engine has no AVX-512 code that could be switched off"
    return [
        _row(f"{work}, beside ripgrep", mine, rg, size, Goal(must=0.9, moonshot=1.3), of),
        _row(f"{work}, beside ripgrep that takes all for text", mine, text, size, None, of),
        _row(f"{work}, beside GNU grep", mine, gnu, size, Goal(must=0.8, moonshot=1.0), of),
        _row(f"{off}, beside ripgrep", plain, rg, size, Goal(must=0.9, moonshot=1.3), of + why),
        _row(f"{off}, beside GNU grep", plain, gnu_plain, size, Goal(must=0.8, moonshot=1.0), of + why),
    ]


def _two_cores(bench: "Bench", folder: Path, size: int, of: str) -> list[Row]:
    mine, rg = ours(folder, 2), ripgrep(folder, 2)
    text = ripgrep(folder, 2, text=True)
    interleave([mine, rg, text], bench.size.rounds, bench.folder, bench.tell)
    work = "scan a source tree, 2 cores"
    made = [_row(f"{work}, beside ripgrep", mine, rg, size, Goal(must=0.8, moonshot=1.0), of)]
    made.append(_row(f"{work}, beside ripgrep that takes all for text", mine, text, size, None, of))
    few = min(3, bench.size.rounds)
    for more in (False, True):
        mine = ours(folder, 2, more=more)
        peers = [
            kingfisher(folder, bench.folder, 2, more=more),
            betterleaks(folder, 2, more=more),
        ]
        interleave([mine, *peers], few, bench.folder, bench.tell)
        goal = None if more else _PEERS
        made += [_row(f"{work}, beside {peer.name}", mine, peer, size, goal, of) for peer in peers]
    return made


def scan_history(bench: "Bench") -> list[Row]:
    """A history with commits and paths named, on two cores."""
    folder = bench.folder / "history.git"
    size = history(folder, bench.size.commits, bench.tell)
    of = f"{bench.size.commits:,} commits, {size / 1e6:,.0f} MB of files and messages, {PLANTED} values"
    made = []
    for more in (False, True):
        mine = ours(folder, 2, git=True, more=more)
        peers = [
            kingfisher(folder, bench.folder, 2, more=more),
            betterleaks(folder, 2, git=True, more=more),
        ]
        interleave([mine, *peers], bench.size.rounds, bench.folder, bench.tell)
        for peer in peers:
            work = f"scan a git history, commits and paths named, 2 cores, beside {peer.name}"
            made.append(_row(work, mine, peer, size, None if more else _HISTORY, of))
    return made


def _row(work: str, mine: Scanner, peer: Scanner, size: int, goal: Goal | None, of: str) -> Row:
    walls = [theirs.wall / own.wall for own, theirs in zip(mine.runs, peer.runs, strict=True)]
    cpu = ratio(mine, peer, lambda run: run.cpu)
    range_ = f"by the clock ({min(walls):.2f} to {max(walls):.2f} in {len(walls)} rounds), {cpu:.2f}x by CPU"
    looked = f"ours looks for {mine.looks_for}; {peer.name} for {_for(peer)}"
    return Row(
        work=work,
        ours=mine.show(size),
        peer=peer.show(size),
        figure=statistics.median(walls),
        goal=goal,
        note=f"{range_}; {looked}; {of}",
    )


def _for(peer: Scanner) -> str:
    return (
        f"the beginnings of our branded values ({PATTERN})" if peer.looks_for == PATTERN else peer.looks_for
    )
