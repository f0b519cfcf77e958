"""Structured logs. Every line passes a filter that masks what looks like a token of ours."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, TextIO

import structlog

from watchword.crypto.values import Secret, pattern
from watchword.domain.kinds import SHAPES

_MASK = "[MASKED]"


class Masker:
    """Replaces values of every brand wherever they stand in a text."""

    def __init__(self, brands: Sequence[str]) -> None:
        patterns = {pattern(shape, brand) for shape in SHAPES for brand in brands}
        # A cut-off value is a value too: prefix and twenty characters are enough to mask.
        patterns |= {rf"{re.escape(brand)}(?:ct|ar|aa|aj|ua|pt|pat|ps|tx)_[\w.=-]{{20,}}" for brand in brands}
        self._pattern = re.compile("|".join(sorted(patterns, key=len, reverse=True)))

    def mask(self, text: str) -> str:
        """The text without values."""
        return self._pattern.sub(_MASK, text)

    def __call__(self, _logger: object, _name: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        """Mask every text of a log event."""
        return {key: self._masked(value) for key, value in event.items()}

    def _masked(self, value: object) -> object:
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, Secret):
            return repr(value)
        if isinstance(value, dict):
            return {key: self._masked(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._masked(item) for item in value]
        return value


def configure(level: str, form: str, brands: Sequence[str], stream: TextIO | None = None) -> None:
    """Set logging up.

    Args:
        level: debug, info, warning or error.
        form: `json` for one object a line, `text` for people.
        brands: brands whose values are masked.
        stream: where to; standard error unless given.
    """
    renderer: Any = (
        structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    masker = Masker(brands)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Frames only: a local variable may hold a value.
            structlog.processors.format_exc_info,
            masker,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )
