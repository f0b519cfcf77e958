"""Scalars: how each is written, and read where it is an input."""

from ariadne import ScalarType

from watchword.domain.formats import instant

date_time = ScalarType("DateTime")
json_value = ScalarType("JSON")
js_int = ScalarType("JSInt")

SCALARS = (date_time, json_value, js_int)

_MAX_SAFE = 2**53 - 1


@date_time.serializer
def write_time(value: object) -> str:
    """Microseconds as RFC 3339 in UTC; a text that a resolver already wrote stays as it is."""
    return instant(value) if isinstance(value, int) else str(value)


@date_time.value_parser
def read_time_value(value: object) -> str:
    """A time as it was sent; the use case that takes it says whether it is one.

    Raises:
        ValueError: it is no text.
    """
    if not isinstance(value, str):
        raise ValueError("a DateTime is a text such as 2030-01-31T12:00:00Z")  # noqa: TRY004 - read by GraphQL
    return value


@js_int.value_parser
def read_js_int(value: object) -> int:
    """A whole number of up to 53 bits.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _MAX_SAFE:
        raise ValueError("a JSInt is a whole number of up to 53 bits")
    return value
