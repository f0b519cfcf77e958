"""Time marks in a job's log: `ESC _ bk;t=<Unix milliseconds> BEL` (contract section 2.4)."""

import re
from collections.abc import Callable

_SILENCE = 1.0
_BREAK = re.compile(rb"\n|\x1b\[[012]?K")
_BREAK_AT_END = re.compile(rb"(?:\n|\x1b\[[012]?K)\Z")
_OPEN_CODE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|[\]_P^X][^\x07\x1b]*\x1b?)?\Z")
_LONGEST_CODE = 1024


class TimeMarks:
    """Puts a mark at the start of each line, and inside one where it goes on after a second's silence.

    A sequence that erases a line begins it anew. No mark is put into an escape sequence that the end
    of a piece has cut.

    Args:
        now: Unix time in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._fresh = True
        self._inside = False
        self._last = 0.0

    def feed(self, data: bytes) -> bytes:
        """The next piece of the log, marked."""
        if not data:
            return data
        now = self._now()
        mark = b"\x1b_bk;t=%d\x07" % int(now * 1000)
        begins = self._fresh or (not self._inside and now - self._last > _SILENCE)
        end = _BREAK_AT_END.search(data, max(0, len(data) - 4))
        body = data[: end.start()] if end else data
        marked = _BREAK.sub(rb"\g<0>" + mark, body) + (end[0] if end else b"")
        if begins or len(marked) > len(data):
            self._last = now
        self._fresh = end is not None
        self._inside = _OPEN_CODE.search(data, max(0, len(data) - _LONGEST_CODE)) is not None
        return mark + marked if begins else marked
