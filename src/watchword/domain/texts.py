"""Texts from outside: what cannot be kept is refused where a request comes in, once for each surface."""

import re

from watchword.domain.errors import Invalid

_ESCAPED_NUL = b"\\u0000"
# An even number of backslashes before it stands for backslashes and not for the escape's own.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def refuse_nul_in_json(body: bytes) -> None:
    r"""Refuse JSON with a NUL character in any of its texts: PostgreSQL keeps none.

    In JSON that character can only stand escaped, as `\u0000`.

    Raises:
        Invalid: there is one.
    """
    if _ESCAPED_NUL in body and _NUL.search(body):
        raise Invalid(
            r"The body holds a NUL character (\u0000), which no text may have.", code="nul_character"
        )


def refuse_nul(text: str) -> None:
    """Refuse a field of a form with a NUL character.

    Raises:
        Invalid: there is one.
    """
    if "\0" in text:
        raise Invalid("The form holds a NUL character, which no text may have.", code="nul_character")


def refuse_nul_in_url(path: bytes, query: bytes) -> None:
    """Refuse a path or query with a NUL character.

    Raises:
        Invalid: there is one.
    """
    if b"%00" in path or b"%00" in query or b"\0" in path:
        raise Invalid("The URL holds a NUL character (%00), which no text may have.", code="nul_character")
