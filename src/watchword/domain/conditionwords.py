"""Words of a condition: from text to tokens, each with its place."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from watchword.domain.errors import Invalid

MAX_CONDITION = 8192
MAX_DIGITS = 18


class Word(Enum):
    """What a token is."""

    NAME = "a name"
    NUMBER = "a number"
    TEXT = "a text"
    PATTERN = "a regular expression"
    SIGN = "a sign"
    END = "the end"


@dataclass(frozen=True, slots=True)
class Token:
    """One word of a condition.

    Attributes:
        word: what it is.
        value: name, digits, unescaped text, pattern or sign.
        at: its place, counted from 0.
        flags: of a pattern.
    """

    word: Word
    value: str
    at: int
    flags: str = ""

    def __str__(self) -> str:
        return "the end" if self.word is Word.END else f"`{self.value}`"


_BLANK = re.compile(r"(?:[ \t\r\n]+|//[^\n]*)*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_NUMBER = re.compile(r"[0-9]+")
_SIGN = re.compile(r"==|!=|=~|!~|&&|\|\||[!()\[\],?:]")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_SINGLE = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_PATTERN = re.compile(r"/((?:[^/\\]|\\.)*)/([A-Za-z]*)", re.DOTALL)
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|.)", re.DOTALL)
_LETTERS = {
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "s": " ",
    "v": "\v",
    "f": "\f",
    "b": "\b",
    "a": "\a",
    "e": "\x1b",
}


def refuse(problem: str, text: str, at: int) -> Invalid:
    """Make the error that names the place in a condition."""
    near = text[at : at + 20].split("\n", maxsplit=1)[0]
    where = f"at character {at + 1}, near `{near}`" if near else "at its end"
    return Invalid(f"The condition is not valid {where}: {problem}", code="invalid_condition")


def words_of(text: str) -> Iterator[Token]:
    """Part a condition into tokens; the last one is the end.

    Raises:
        Invalid: it is too long, or something in it is no word.
    """
    if len(text) > MAX_CONDITION:
        raise refuse(f"it takes at most {MAX_CONDITION} characters.", text, MAX_CONDITION)
    at = _after_blank(text, 0)
    while at < len(text):
        token, end = _word_at(text, at)
        yield token
        at = _after_blank(text, end)
    yield Token(Word.END, "", at)


def _after_blank(text: str, at: int) -> int:
    """Place behind blanks and comments."""
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _word_at(text: str, at: int) -> tuple[Token, int]:
    """Read one token, and where it ends."""
    if found := _NAME.match(text, at):
        if found[0].endswith(".") or ".." in found[0]:
            raise refuse("a name has words between its dots.", text, at)
        return Token(Word.NAME, found[0], at), found.end()
    if found := _NUMBER.match(text, at):
        if len(found[0]) > MAX_DIGITS:
            raise refuse(f"a number takes at most {MAX_DIGITS} digits.", text, at)
        return Token(Word.NUMBER, found[0], at), found.end()
    if found := _DOUBLE.match(text, at):
        return Token(Word.TEXT, _ESCAPE.sub(_double_escape, found[1]), at), found.end()
    if found := _SINGLE.match(text, at):
        return Token(Word.TEXT, _ESCAPE.sub(_single_escape, found[1]), at), found.end()
    if found := _PATTERN.match(text, at):
        return Token(Word.PATTERN, found[1], at, found[2]), found.end()
    if found := _SIGN.match(text, at):
        return Token(Word.SIGN, found[0], at), found.end()
    raise refuse(_why(text[at]), text, at)


def _why(char: str) -> str:
    """Say what is wrong with a character that begins no word."""
    if char in "\"'/":
        return f"what {char} opens is not closed."
    if char in "=&|":
        return f"{char} alone means nothing; signs are == != =~ !~ && || !."
    if char == "$":
        return 'variables are asked for by name, or by build.env("NAME"); they are not put into the text.'
    return f"{char} means nothing here."


def _double_escape(found: re.Match[str]) -> str:
    """Read an escape between double quotes."""
    letter = found[1]
    if len(letter) > 1:
        return chr(int(letter[1:], 16))
    return _LETTERS.get(letter, letter)


def _single_escape(found: re.Match[str]) -> str:
    """Read an escape between single quotes: only a quote and a backslash can be escaped."""
    return found[1] if found[1] in "'\\" else found[0]
