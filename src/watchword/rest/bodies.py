"""Request bodies (contract rest-graphql §1.7): JSON whatever the content type says, unknown keys ignored."""

import re
from typing import TypeVar

import msgspec

from watchword.domain.errors import Invalid, Malformed
from watchword.domain.texts import refuse_nul_in_json

T = TypeVar("T")

MAX_BODY = 1024 * 1024
# A text, which is kept, or a comma that nothing follows. A text without its end is one too, so that no
# byte is looked at twice.
_STRAY = re.compile(rb'("(?:[^"\\]|\\.)*"?)|,(?=\s*[}\]])', re.DOTALL)
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<where>.*)`)?$", re.DOTALL)


class Body(msgspec.Struct, kw_only=True):
    """Base of request bodies."""


def decode(body: bytes, of: type[T]) -> T:
    """Read a body; an empty one counts as an empty object.

    A comma before a closing bracket is passed over: an example of the vendor's pages has one (decision 0036).

    Raises:
        Malformed: it is no JSON.
        Invalid: a key holds what it cannot hold, or a text holds a NUL character.
    """
    refuse_nul_in_json(body)
    try:
        return _read(body.strip() or b"{}", of)
    except msgspec.ValidationError as error:
        found = _PLACE.match(str(error))
        where = found["where"] if found and found["where"] else "the body"
        what = (found["what"] if found else str(error)).replace("`", "")
        raise Invalid(
            f"Validation failed: {where}: {what[:1].lower()}{what[1:]}", code="invalid_body"
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("The body is not valid JSON.", code="invalid_json") from None


def _read(body: bytes, of: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=of)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        plain = _STRAY.sub(lambda found: found[1] or b"", body)
        if plain == body:
            raise
        return msgspec.json.decode(plain, type=of)
