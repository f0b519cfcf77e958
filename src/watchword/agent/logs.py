"""The agent's own log: one line an event, for people or as JSON."""

import logging
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger


def make_log(stream: TextIO, *, form: str, color: bool, level: str = "info") -> FilteringBoundLogger:
    """A log that writes to a stream and changes nothing global.

    Args:
        stream: where lines go.
        form: `text` or `json`.
        color: whether text may have colours.
        level: `debug`, `info`, `warning` or `error`: what is less than that is not written.
    """
    renderer = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(
            colors=color, exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
        )
    )
    log = structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            _printable,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        context_class=dict,
    )
    return cast("FilteringBoundLogger", log)


def _printable(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Texts of the server's must not move the cursor or fake lines."""
    return {
        name: "".join(c if c.isprintable() else " " for c in value) if isinstance(value, str) else value
        for name, value in event.items()
    }
