"""Globs of claims and tags: `*` is anything but a slash, `**` anything, `?` one character but a slash."""

from collections.abc import Iterator

MAX_PATTERN = 512
MAX_TEXT = 2048
_ANY, _DEEP, _ONE = "*", "**", "?"


def glob_matches(pattern: str, text: str) -> bool:
    """Whether a text matches as a whole; takes pattern times text steps at most, whatever they are."""
    if len(pattern) > MAX_PATTERN or len(text) > MAX_TEXT:
        return False
    pieces = list(_pieces(pattern))
    places = _through(pieces, {0})
    for character in text:
        places = _through(pieces, set(_after(pieces, places, character)))
        if not places:
            return False
    return len(pieces) in places


def literal_start(pattern: str) -> str:
    """What every text that matches begins with."""
    ends = [at for at in (pattern.find("*"), pattern.find("?")) if at >= 0]
    return pattern[: min(ends)] if ends else pattern


def _pieces(pattern: str) -> Iterator[str]:
    at = 0
    while at < len(pattern):
        if pattern[at] != "*":
            yield pattern[at]
            at += 1
            continue
        end = at
        while end < len(pattern) and pattern[end] == "*":
            end += 1
        yield _DEEP if end - at > 1 else _ANY
        at = end


def _through(pieces: list[str], places: set[int]) -> set[int]:
    """Places, and those behind stars that stand for nothing."""
    found = set(places)
    for place in places:
        step = place
        while step < len(pieces) and pieces[step] in (_ANY, _DEEP):
            step += 1
            found.add(step)
    return found


def _after(pieces: list[str], places: set[int], character: str) -> Iterator[int]:
    for place in places:
        if place == len(pieces):
            continue
        piece = pieces[place]
        if piece == _DEEP or (piece == _ANY and character != "/"):
            yield place
        elif piece == character or (piece == _ONE and character != "/"):
            yield place + 1
