"""Request bodies (contract rest-graphql §1.7): JSON whatever the content type says, unknown keys ignored."""

import re
from typing import TypeVar

import msgspec

from watchword.domain.errors import Invalid, Malformed
from watchword.domain.texts import refuse_nul_in_json

T = TypeVar("T")

MAX_BODY = 1024 * 1024
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<where>.*)`)?$", re.DOTALL)


class Body(msgspec.Struct, kw_only=True):
    """Base of request bodies."""


def decode(body: bytes, of: type[T]) -> T:
    """Read a body; an empty one counts as an empty object.

    Raises:
        Malformed: it is no JSON.
        Invalid: a key holds what it cannot hold, or a text holds a NUL character.
    """
    refuse_nul_in_json(body)
    try:
        return msgspec.json.decode(body.strip() or b"{}", type=of)
    except msgspec.ValidationError as error:
        found = _PLACE.match(str(error))
        where = found["where"] if found and found["where"] else "the body"
        what = (found["what"] if found else str(error)).replace("`", "")
        raise Invalid(
            f"Validation failed: {where}: {what[:1].lower()}{what[1:]}", code="invalid_body"
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("The body is not valid JSON.", code="invalid_json") from None
