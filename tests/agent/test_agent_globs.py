"""Patterns of files: what they name, and what they leave alone."""

from pathlib import Path

import pytest

from watchword.agent.inside.globs import expand, find


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a.txt", ".hidden", "x/b.txt", "x/y/c.txt", "x/y/d.log", "z/[odd].txt", "sp ace/e.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "link").symlink_to(tmp_path / "x")
    (tmp_path / "dead").symlink_to(tmp_path / "nothing")
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*", [".hidden", "a.txt"]),
        ("*.txt", ["a.txt"]),
        ("**/*.txt", ["a.txt", "sp ace/e.txt", "x/b.txt", "x/y/c.txt", "z/[odd].txt"]),
        ("x/**", ["x/b.txt", "x/y/c.txt", "x/y/d.log"]),
        ("x/**/y/*", ["x/y/c.txt", "x/y/d.log"]),
        ("x/{b,y/c}.txt", ["x/b.txt", "x/y/c.txt"]),
        ("?.txt", ["a.txt"]),
        ("[!a].txt", []),
        ("./x/b.txt", ["x/b.txt"]),
        ("link/*.txt", ["link/b.txt"]),
        ("x", []),
        ("dead", []),
        ("../{0}/a.txt", ["a.txt"]),
    ],
)
def test_what_a_pattern_names(tree: Path, pattern: str, names: list[str]) -> None:
    found = find(pattern.replace("{0}", tree.name), tree)
    assert (
        sorted(
            str(path.resolve().relative_to(tree)) if ".." in pattern else str(path.relative_to(tree))
            for path in found
        )
        == names
    )


def test_links_to_folders_are_followed_on_request(tree: Path) -> None:
    assert tree / "link/y/c.txt" not in set(find("**/c.txt", tree))
    assert tree / "link/y/c.txt" in set(find("**/c.txt", tree, follow=True))


def test_an_absolute_pattern(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert list(find(f"{tree}/x/*.txt", tmp_path_factory.mktemp("elsewhere"))) == [tree / "x/b.txt"]


def test_braces_within_braces() -> None:
    assert expand("a{b,{c,d}e}f") == ["abf", "acef", "adef"]
    assert expand("a{b}c") == ["a{b}c"]
    with pytest.raises(ValueError, match="too many"):
        expand("{a,b}" * 20)
