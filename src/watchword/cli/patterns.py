"""`token patterns`: regular expressions of all value shapes, as scanners of other makes read them."""

from collections.abc import Callable
from typing import Literal

from watchword.crypto.values import pattern, prefix
from watchword.domain.errors import Invalid
from watchword.domain.kinds import DEFAULT_BRAND, SHAPES, Shape

Format = Literal["plain", "gitleaks", "trufflehog", "pre-commit", "github"]

_MAX_BRAND = 8


def patterns(
    *, format: Format = "plain", brand: str = DEFAULT_BRAND  # noqa: A002 - the flag's name
) -> None:  # fmt: skip
    """Print one regular expression per kind of value, for a scanner; needs no server.

    Args:
        format: How the scanner reads it.
        brand: The installation's brand.
    """
    if not (brand.isascii() and brand.isalnum() and brand.islower() and len(brand) <= _MAX_BRAND):
        raise Invalid("a brand is 1 to 8 lower-case letters and digits", code="invalid_brand")
    print(FORMATS[format](brand), end="")


def _title(shape: Shape) -> str:
    return f"Watchword {shape.name.replace('-', ' ')}"


def _plain(brand: str) -> str:
    return "".join(f"{shape.name}\t{pattern(shape, brand)}\n" for shape in SHAPES)


def _gitleaks(brand: str) -> str:
    """Rules of `.gitleaks.toml`."""
    rules = [
        f'[[rules]]\nid = "watchword-{shape.name}"\ndescription = "{_title(shape)}"\n'
        f"regex = '''{pattern(shape, brand)}'''\nkeywords = [\"{prefix(shape, brand)}\"]\n"
        for shape in SHAPES
    ]
    return "[extend]\nuseDefault = true\n\n" + "\n".join(rules)


def _trufflehog(brand: str) -> str:
    """Custom detectors of `trufflehog --config`."""
    detectors = [
        f"  - name: watchword-{shape.name}\n    keywords:\n      - '{prefix(shape, brand)}'\n"
        f"    regex:\n      value: '{pattern(shape, brand)}'\n"
        for shape in SHAPES
    ]
    return "detectors:\n" + "".join(detectors)


def _pre_commit(brand: str) -> str:
    """A hook of `.pre-commit-config.yaml` that needs nothing installed."""
    expression = "|".join(pattern(shape, brand) for shape in SHAPES)
    return (
        "repos:\n  - repo: local\n    hooks:\n      - id: watchword-values\n"
        "        name: no Watchword token values\n        language: pygrep\n        types: [text]\n"
        f"        entry: '{expression}'\n"
    )


def _github(brand: str) -> str:
    """Custom patterns, to be entered under Settings, Advanced Security, Custom patterns."""
    return "\n".join(
        f"Pattern name:  {_title(shape)}\nSecret format: {pattern(shape, brand)}\n" for shape in SHAPES
    )


FORMATS: dict[str, Callable[[str], str]] = {
    "plain": _plain,
    "gitleaks": _gitleaks,
    "trufflehog": _trufflehog,
    "pre-commit": _pre_commit,
    "github": _github,
}
