"""Patterns of artifact searches against a regular expression; parts against the whole."""

import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from contracts import store_records as make
from watchword.domain.artifacts import MAX_SIZE, PART_SIZE, matches, newest_by_path, parts_of
from watchword.domain.ids import ArtifactId

FEW = st.text("ab/.*?[\\", max_size=12)


def oracle(pattern: str, path: str) -> bool:
    words = (re.escape(word) for word in pattern.replace("\\", "/").split("*"))
    return re.fullmatch(".*".join(words), path.replace("\\", "/"), re.DOTALL) is not None


@given(FEW, st.text("ab/.?[\n\\", max_size=12))
def test_a_star_stands_for_anything_and_nothing_else_is_special(pattern: str, path: str) -> None:
    assert matches(pattern, path) == oracle(pattern, path)


@given(st.lists(st.text("ab/", max_size=3), min_size=1, max_size=4), st.text("ab/", max_size=3))
def test_a_path_made_from_a_pattern_fits_it(words: list[str], filling: str) -> None:
    assert matches("*".join(words), filling.join(words))


def test_many_stars_take_no_time() -> None:
    assert not matches("a*" * 2000 + "b", "a" * 4000)


@given(st.integers(0, MAX_SIZE))
def test_parts_make_up_the_whole_as_agents_cut_it(size: int) -> None:
    artifact = make.artifact(size=size, parts=parts_of(size))
    sizes = artifact.part_sizes
    assert sum(sizes) == size
    assert len(sizes) == artifact.parts >= 1
    assert max(sizes) - min(sizes) <= 1
    assert list(sizes) == sorted(sizes, reverse=True)
    assert max(sizes) < 2 * PART_SIZE


@given(
    st.lists(st.tuples(st.integers(0, 99), st.sampled_from(["a", "b\\c", "b/c"])), unique_by=lambda p: p[0])
)
def test_the_newest_of_each_path_is_left(pairs: list[tuple[int, str]]) -> None:
    rows = [replace(make.artifact(), id=ArtifactId(f"{number:02}"), path=path) for number, path in pairs]
    found = [(int(row.id), row.path.replace("\\", "/")) for row in newest_by_path(rows)]
    paths = {path.replace("\\", "/") for _, path in pairs}
    same = {path: [n for n, other in pairs if other.replace("\\", "/") == path] for path in paths}
    assert found == sorted((max(numbers), path) for path, numbers in same.items())
