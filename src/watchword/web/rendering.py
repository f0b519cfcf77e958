"""Templates: one environment, escaping always on, and the few filters that pages need."""

import unicodedata
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context as TemplateContext

from watchword.domain.fleet import activity_of
from watchword.domain.formats import instant
from watchword.web.browsers import browser
from watchword.web.statics import address

_SECOND = 1_000_000
# Unicode's category of signs that are neither letters nor controls.
_SIGN = "So"
_DAY_MS = 86_400_000
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def span(microseconds: int) -> str:
    """A length of time in its one largest unit: `3 h`; `moments` below a minute."""
    seconds = abs(microseconds) // _SECOND
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return "moments"


@pass_context
def relative(context: TemplateContext, microseconds: int) -> str:
    """A time as seen from now: `3 h ago`, `in 6 d`."""
    now: int = context["now"]
    text = span(microseconds - now)
    return f"in {text}" if microseconds > now else f"{text} ago"


def absolute(microseconds: int) -> str:
    """A time for reading, in UTC, to the second."""
    return f"{datetime.fromtimestamp(microseconds // _SECOND, UTC):%Y-%m-%d %H:%M:%S} UTC"


def duration(microseconds: int) -> str:
    """A length of time in its two largest units: `1 h 5 min`, `12 s`."""
    seconds = max(0, microseconds // _SECOND)
    parts = [(seconds // 3600, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    shown = [f"{count} {unit}" for count, unit in parts if count]
    return " ".join(shown[:2]) or "0 s"


def clock(milliseconds: int) -> str:
    """A time of the day in UTC, as the lines of a log have it."""
    minutes, seconds = divmod(milliseconds % _DAY_MS // 1000, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"


def number(value: int) -> str:
    """A number with thin groups of three."""
    return f"{value:,}".replace(",", "\u202f")


def plural(count: int, one: str, many: str = "") -> str:
    """A count with its noun: `1 agent`, `3 agents`."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def capital(text: str) -> str:
    """A text with its first letter made large; the others stay as they are."""
    return text[:1].upper() + text[1:]


def segment(text: object) -> str:
    """One part of a path."""
    return quote(str(text), safe="")


def emoji(text: str) -> str:
    """The sign that a name between colons stands for, as Unicode names it; else the text as it is."""
    name = text.strip(":").replace("_", " ").replace("-", " ")
    try:
        found = unicodedata.lookup(name) if text.startswith(":") else text
    except KeyError:
        return text
    return found if text == found or unicodedata.category(found[0]) == _SIGN else text


@cache
def environment() -> Environment:
    """The templates of the package."""
    made = Environment(
        loader=PackageLoader("watchword.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "browser": browser,
        "relative": relative,
        "absolute": absolute,
        "capital": capital,
        "clock": clock,
        "duration": duration,
        "activity": activity_of,
        "emoji": emoji,
        "instant": instant,
        "number": number,
        "plural": plural,
        "segment": segment,
        "span": span,
    }
    made.globals["static"] = address
    return made


def render(template: str, values: dict[str, Any]) -> str:
    """A page of a template."""
    return environment().get_template(template).render(values)
