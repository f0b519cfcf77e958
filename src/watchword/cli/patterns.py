"""`token patterns`: regular expressions of all value shapes, as scanners of other makes read them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from watchword.crypto.values import pattern, prefix
from watchword.domain.errors import Invalid
from watchword.domain.kinds import DEFAULT_BRAND, SHAPES, Shape
from watchword.scan.patterns import older_pattern

Format = Literal["plain", "gitleaks", "trufflehog", "pre-commit", "github"]

_MAX_BRAND = 8


@dataclass(frozen=True, slots=True)
class Row:
    """A shape as other scanners want it: a name, a title for people, its expression, how it begins."""

    name: str
    title: str
    regex: str
    keyword: str


def patterns(
    *,
    format: Format = "plain",  # noqa: A002 - the flag's name
    brand: str = DEFAULT_BRAND,
    older: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Print one regular expression per kind of value, for a scanner; needs no server.

    Args:
        format: How the scanner reads it.
        brand: The installation's brand.
        older: Print those of older forms too, which were issued elsewhere and name no installation.
    """
    if not (brand.isascii() and brand.isalnum() and brand.islower() and len(brand) <= _MAX_BRAND):
        raise Invalid("a brand is 1 to 8 lower-case letters and digits", code="invalid_brand")
    print(FORMATS[format](rows(brand, older=older)), end="")


def rows(brand: str, *, older: bool = False) -> list[Row]:
    """The shapes of a brand; behind them, where they are asked for, the older forms."""
    found = [_row(shape, shape.name, pattern(shape, brand), brand) for shape in SHAPES]
    for shape in SHAPES if older else ():
        expression = older_pattern(shape, brand)
        if expression is not None:
            found.append(_row(shape, f"{shape.name}-older", expression, brand))
    return found


def _row(shape: Shape, name: str, expression: str, brand: str) -> Row:
    return Row(f"watchword-{name}", f"Watchword {name.replace('-', ' ')}", expression, prefix(shape, brand))


def _plain(known: Sequence[Row]) -> str:
    return "".join(f"{row.name.removeprefix('watchword-')}\t{row.regex}\n" for row in known)


def _gitleaks(known: Sequence[Row]) -> str:
    """Rules of `.gitleaks.toml`."""
    rules = [
        f'[[rules]]\nid = "{row.name}"\ndescription = "{row.title}"\n'
        f"regex = '''{row.regex}'''\nkeywords = [\"{row.keyword}\"]\n"
        for row in known
    ]
    return "[extend]\nuseDefault = true\n\n" + "\n".join(rules)


def _trufflehog(known: Sequence[Row]) -> str:
    """Custom detectors of `trufflehog --config`."""
    detectors = [
        f"  - name: {row.name}\n    keywords:\n      - '{row.keyword}'\n"
        f"    regex:\n      value: '{row.regex}'\n"
        for row in known
    ]
    return "detectors:\n" + "".join(detectors)


def _pre_commit(known: Sequence[Row]) -> str:
    """A hook of `.pre-commit-config.yaml` that needs nothing installed."""
    expression = "|".join(row.regex for row in known)
    return (
        "repos:\n  - repo: local\n    hooks:\n      - id: watchword-values\n"
        "        name: no Watchword token values\n        language: pygrep\n        types: [text]\n"
        f"        entry: '{expression}'\n"
    )


def _github(known: Sequence[Row]) -> str:
    """Custom patterns, to be entered under Settings, Advanced Security, Custom patterns."""
    return "\n".join(f"Pattern name:  {row.title}\nSecret format: {row.regex}\n" for row in known)


FORMATS: dict[str, Callable[[Sequence[Row]], str]] = {
    "plain": _plain,
    "gitleaks": _gitleaks,
    "trufflehog": _trufflehog,
    "pre-commit": _pre_commit,
    "github": _github,
}
