"""What has no documentation fails: settings, refusal codes, kinds, commands, decisions."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from watchword.crypto.values import Secret
from watchword.domain.jobrights import TITLES
from watchword.domain.kinds import KINDS
from watchword.domain.tokens import Reason
from watchword.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def documented_settings() -> dict[str, str]:
    text = (Settings.__doc__ or "").partition("Attributes:")[2]
    found = re.findall(r"^ {8}(\w+): (.+(?:\n {12}.+)*)", text, re.MULTILINE)
    return {name: " ".join(sentence.split()) for name, sentence in found}


def settings_page() -> str:
    rows = ["| Setting | Variable | Default | What it is |", "|---|---|---|---|"]
    sentences = documented_settings()
    for each in fields(Settings):
        default = getattr(Settings(), each.name)
        shown = ", ".join(default) if isinstance(default, tuple) else default
        shown = shown.reveal() if isinstance(shown, Secret) else shown
        text = "" if shown in (None, "") else f"`{str(shown).lower() if isinstance(shown, bool) else shown}`"
        rows.append(f"| `{each.name}` | `{PREFIX}{each.name.upper()}` | {text} | {sentences[each.name]} |")
    return "\n".join(
        [
            "# Settings",
            "",
            "A flag wins over the environment, the environment over the TOML file of `--config`. Lists are",
            "comma-separated in the environment. `make golden` makes this page of `watchword.settings`.",
            "",
            *rows,
            "",
        ]
    )


def test_every_setting_is_documented(request: pytest.FixtureRequest) -> None:
    assert set(documented_settings()) == {each.name for each in fields(Settings)}
    page = DOCS / "settings.md"
    if request.config.getoption("--write-golden"):
        page.write_text(settings_page())
    assert page.read_text() == settings_page(), "docs/settings.md is behind; run: make golden"


def test_every_refusal_code_is_documented() -> None:
    page = (DOCS / "token-formats.md").read_text()
    assert not [reason for reason in Reason if f"`{reason.value}`" not in page]


def test_every_kind_is_documented() -> None:
    page = (DOCS / "token-formats.md").read_text().lower()
    words = {"ephemeral portal token": "ephemeral", "user-invoked portal token": "user-invoked"}
    titles = [words.get(spec.title, spec.title).lower() for spec in KINDS.values()]
    assert not [title for title in titles if title not in page]


def test_readme_begins_with_the_two_commands() -> None:
    lines = [line.strip() for line in (ROOT / "README.md").read_text().splitlines() if line.strip()]
    assert lines[1].startswith("make up")
    assert lines[2].startswith("make test")


def test_decisions_are_numbered_without_gaps_and_linked_pages_exist() -> None:
    numbers = sorted(int(path.name[:4]) for path in (DOCS / "decisions").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))
    for page in (ROOT / "README.md", *DOCS.glob("*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), (page.name, target)


def test_no_module_is_over_400_lines() -> None:
    long = [
        (path.name, count)
        for path in (ROOT / "src").rglob("*.py")
        if "versions" not in path.parts and (count := len(path.read_text().splitlines())) > 400
    ]
    assert not long


def test_no_path_of_a_machine_is_tracked() -> None:
    pattern = re.compile(r"(?<![\w.])/(?:work|farm|root)/")
    own = Path(__file__)
    found = [
        (path.relative_to(ROOT), line)
        for folder in ("src", "tests", "bench", "docs")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".md", ".json", ".toml", ".txt") and path != own
        for line in path.read_text(errors="replace").splitlines()
        if pattern.search(line)
    ]
    assert not found


def test_every_right_of_job_tokens_is_documented() -> None:
    page = (DOCS / "jobs.md").read_text()
    assert not [right for right, title in TITLES.items() if f"| `{right.value}` | {title} |" not in page]
