"""What a commit that is about to be made would bring in."""

import os
from pathlib import Path

import pytest

from git_repository import Repository
from watchword.crypto.values import mint
from watchword.domain.errors import Invalid
from watchword.domain.kinds import Kind
from watchword.scan.looking import Look
from watchword.scan.staged import scan_staged


def value() -> str:
    return mint(Kind.API_ACCESS).reveal()


def staged(repository: Repository, where: str | None = None) -> list[tuple[str, str, int]]:
    found = scan_staged(where or str(repository.folder), Look())
    return [(one.hit.value.reveal(), one.place.path, one.place.line) for one in found]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


def test_before_the_first_commit_everything_staged_is_new(repository: Repository) -> None:
    token = value()
    repository.write("a/config", f"one\n{token}\n")
    assert staged(repository) == []
    repository.git("add", "--all")
    assert staged(repository) == [(token, "a/config", 2)]


def test_only_what_is_staged_and_new_is_told(repository: Repository) -> None:
    old, new, later = value(), value(), value()
    repository.commit("old", config=f"{old}\n", other=f"{old}\n")
    repository.write("config", f"first\n{old} moved\n{new}\n")
    repository.git("add", "--all")
    repository.write("config", f"{later}\n")
    assert staged(repository) == [(new, "config", 3)]


def test_a_value_that_comes_to_another_file_is_news(repository: Repository) -> None:
    token = value()
    repository.commit("old", config=token)
    repository.write("copy", f"other words {token}")
    repository.git("add", "--all")
    assert staged(repository) == [(token, "copy", 1)]


def test_a_renamed_file_brings_only_what_is_new_in_it(repository: Repository) -> None:
    old, new = value(), value()
    text = "\n".join(f"line {number}" for number in range(50))
    repository.commit("old", config=f"{text}\n{old}\n")
    repository.git("mv", "config", "moved")
    repository.git("add", "--all")
    assert staged(repository) == []
    repository.write("moved", f"{text}\n{old}\n{new}\n")
    repository.git("add", "--all")
    assert staged(repository) == [(new, "moved", 52)]


def test_deleted_files_and_submodules_bring_nothing(repository: Repository) -> None:
    repository.commit("old", config=value())
    repository.git("rm", "--quiet", "config")
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{repository.head()},module")
    assert staged(repository) == []


def test_odd_names_links_and_binary_files(repository: Repository) -> None:
    token = value()
    names = ['quo"te', "new\nline", "späce ü", os.fsdecode(b"\xff"), ":(top)x"]
    for name in names:
        repository.write(name, f"{token} in {name.encode(errors='surrogateescape')!r}")
    repository.write("binary", b"\0" + token.encode())
    (repository.folder / "link").symlink_to(token)
    repository.git("add", "--all")
    lines = dict.fromkeys(names, 1) | {"binary": 0, "link": 1}
    assert sorted(staged(repository)) == sorted((token, name, line) for name, line in lines.items())


def test_a_merge_brings_no_news_from_the_other_side(repository: Repository) -> None:
    theirs, ours = value(), value()
    repository.commit("begin", file="a\n")
    repository.git("checkout", "--quiet", "-b", "side")
    repository.commit("side", side=theirs)
    repository.git("checkout", "--quiet", "main")
    repository.commit("main", main="x")
    repository.git("merge", "--quiet", "--no-commit", "side")
    repository.write("file", ours)
    repository.git("add", "--all")
    assert staged(repository) == [(ours, "file", 1)]


def test_a_hooks_own_index_counts_for_the_current_folder(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = value()
    repository.commit("begin", file="a\n")
    monkeypatch.setenv("GIT_INDEX_FILE", str(repository.folder / "partial"))
    repository.write("file", token)
    monkeypatch.chdir(repository.folder)
    os.system("git read-tree HEAD && git add file")
    assert staged(repository, ".") == [(token, "file", 1)]
    assert staged(repository) == []


def test_paths_can_be_left_out_and_no_repository_is_refused(repository: Repository, tmp_path: Path) -> None:
    repository.write("config", value())
    repository.git("add", "--all")
    assert not list(scan_staged(str(repository.folder), Look(), skip=lambda path, _: path == "config"))
    with pytest.raises(Invalid) as refusal:
        list(scan_staged(str(tmp_path), Look()))
    assert refusal.value.code == "not_a_repository"
