"""Histories of real repositories: what is found, and which commit is blamed for it."""

import os
from pathlib import Path

import pytest

from git_repository import DAY, START, Repository
from watchword.crypto.values import mint
from watchword.domain.errors import Invalid, Unavailable
from watchword.domain.kinds import Kind
from watchword.scan.findings import Commit, Finding
from watchword.scan.history import COMMIT_MESSAGE, TAG_MESSAGE, scan_history
from watchword.scan.looking import Look


class Notes:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.files = self.size = 0
        self.troubles: list[tuple[str, str]] = []

    def read(self, files: int, size: int) -> None:
        self.files += files
        self.size += size

    def trouble(self, name: str, why: str) -> None:
        self.troubles.append((name, why))


def value() -> str:
    return mint(Kind.AGENT).reveal()


def told(found: list[Finding]) -> list[tuple[str, str, int, str | None]]:
    """Values, paths, lines, commits."""
    return [
        (
            one.hit.value.reveal(),
            one.place.path,
            one.place.line,
            one.place.commit.id if one.place.commit else None,
        )
        for one in found
    ]


def scan(repository: Path, **options: object) -> list[Finding]:
    return list(scan_history(str(repository), Look(), **options))  # type: ignore[arg-type]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_value_is_told_with_the_first_commit_that_brought_it(repository: Repository, jobs: int) -> None:
    token = value()
    repository.commit("begin", readme="hello\n")
    brought = repository.commit("leak", config=f"a: 1\ntoken: {token}\n")
    repository.commit("more", config=f"a: 1\nb: 2\ntoken: {token}\n")
    repository.write("config", "a: 1\n")
    repository.commit("gone")
    found = scan(repository.folder, jobs=jobs)
    assert told(found) == [(token, "config", 2, brought)]
    assert found[0].place.commit == Commit(brought, "Ann <ann@example.org>", START + 2 * DAY)
    assert found[0].place.column == len("token: ") + 1


def test_deleted_files_and_other_branches_are_read(repository: Repository) -> None:
    one, two = value(), value()
    repository.commit("begin", readme="hello\n")
    repository.git("checkout", "--quiet", "-b", "side")
    on_side = repository.commit("side", secret=one)
    repository.git("checkout", "--quiet", "main")
    on_main = repository.commit("main", other=two)
    (repository.folder / "other").unlink()
    repository.commit("delete")
    assert sorted(told(scan(repository.folder))) == sorted(
        [(one, "secret", 1, on_side), (two, "other", 1, on_main)]
    )


def test_a_renamed_file_is_told_under_both_names_each_with_its_commit(repository: Repository) -> None:
    token = value()
    first = repository.commit("leak", old=token)
    repository.git("mv", "old", "new")
    second = repository.commit("rename")
    assert told(scan(repository.folder)) == [(token, "old", 1, first), (token, "new", 1, second)]


def test_what_only_a_merge_brought_is_blamed_on_the_merge(repository: Repository) -> None:
    repository.commit("begin", file="a\n")
    repository.git("checkout", "--quiet", "-b", "side")
    repository.commit("side", side="b\n")
    repository.git("checkout", "--quiet", "main")
    repository.commit("main", main="c\n")
    repository.git("merge", "--quiet", "--no-commit", "side")
    token = value()
    merge = repository.commit("evil merge", file=f"a {token}\n")
    assert repository.git("rev-list", "--parents", "-n1", merge).count(" ") == 2
    assert told(scan(repository.folder)) == [(token, "file", 1, merge)]


def test_messages_of_commits_and_tags_are_read(repository: Repository) -> None:
    one, two = value(), value()
    commit = repository.commit(f"leak\n\nthe token is {one}", file="a")
    repository.git("tag", "-a", "v1", "-m", f"release\n{two}")
    tag = repository.git("rev-parse", "v1").strip()
    found = scan(repository.folder)
    assert told(found) == [(one, COMMIT_MESSAGE, 3, commit), (two, TAG_MESSAGE, 2, tag)]
    assert found[1].place.commit == Commit(tag, "Bob <bob@example.org>", START + DAY)


def test_what_no_reference_reaches_is_told_on_request_alone(repository: Repository) -> None:
    amended, pushed_over = value(), value()
    repository.commit("begin", file="a")
    first = repository.commit("leak", file=amended)
    repository.write("file", "clean")
    repository.git("commit", "--quiet", "--all", "--amend", "-m", "clean")
    second = repository.commit("leak again", other=pushed_over)
    repository.git("reset", "--quiet", "--hard", "HEAD~1")
    assert scan(repository.folder) == []
    assert told(scan(repository.folder, unreachable=True)) == [
        (amended, "file", 1, first),
        (pushed_over, "other", 1, second),
    ]


def test_staged_content_is_no_history_but_an_unreachable_object(repository: Repository) -> None:
    token = value()
    repository.commit("begin", file="a")
    repository.write("file", token)
    repository.git("add", "file")
    name = repository.git("rev-parse", ":file").strip()
    assert scan(repository.folder) == []
    assert told(scan(repository.folder, unreachable=True)) == [(token, name, 1, None)]


def test_a_tag_on_a_file_is_reached(repository: Repository) -> None:
    repository.commit("begin", file="a")
    token = value()
    repository.write("key", token)
    name = repository.git("hash-object", "-w", "key").strip()
    repository.git("tag", "key", name)
    assert told(scan(repository.folder)) == [(token, name, 1, None)]


def test_odd_names_and_binary_files(repository: Repository) -> None:
    tokens = [value() for _ in range(4)]
    names = ['quo"te', "new\nline", "späce ü", "-option"]
    for name, token in zip(names, tokens, strict=True):
        repository.write(f"folder/{name}", token)
    repository.write(os.fsdecode(b"\xff\xfe"), b"\0\1" + tokens[0].encode())
    commit = repository.commit("odd")
    found = told(scan(repository.folder))
    expected = [(token, f"folder/{name}", 1, commit) for name, token in zip(names, tokens, strict=True)]
    expected.append((tokens[0], os.fsdecode(b"\xff\xfe"), 0, commit))
    assert sorted(found) == sorted(expected)


def test_since_looks_at_what_head_has_and_the_revision_has_not(repository: Repository) -> None:
    before, after, elsewhere = value(), value(), value()
    repository.commit("old", old=before)
    repository.git("tag", "start")
    repository.git("checkout", "--quiet", "-b", "side")
    repository.commit("side", side=elsewhere)
    repository.git("checkout", "--quiet", "main")
    commit = repository.commit(f"new {after}", new=after)
    assert told(scan(repository.folder, since="start")) == [
        (after, COMMIT_MESSAGE, 1, commit),
        (after, "new", 1, commit),
    ]
    for bad in ("nowhere", "--all", "start:old", ""):
        with pytest.raises(Invalid) as refusal:
            scan(repository.folder, since=bad)
        assert refusal.value.code == "unknown_revision"


def test_packed_bare_and_linked_repositories_say_the_same(repository: Repository, tmp_path: Path) -> None:
    tokens = [value() for _ in range(3)]
    for number, token in enumerate(tokens):
        repository.commit("leak", file=f"{'x' * 100 * number}\n{token}\n")
    plain = told(scan(repository.folder))
    assert len(plain) == 3
    repository.git("worktree", "add", "--quiet", str(tmp_path / "linked"), "-b", "linked")
    repository.git("gc", "--quiet", "--aggressive", "--prune=now")
    repository.git("pack-refs", "--all")
    repository.git("clone", "--quiet", "--bare", ".", str(tmp_path / "bare"))
    assert not list((repository.folder / ".git/refs/heads").iterdir())
    for folder in (repository.folder, tmp_path / "bare", tmp_path / "linked", repository.folder / ".git"):
        assert told(scan(folder)) == plain


def test_a_shallow_clone_is_read_and_named(repository: Repository, tmp_path: Path) -> None:
    one, two = value(), value()
    repository.commit("one", file=one)
    repository.commit("two", file="clean", other=two)
    last = repository.commit("three", third="3")
    repository.git("clone", "--quiet", "--depth=1", f"file://{repository.folder}", str(tmp_path / "shallow"))
    notes = Notes()
    assert told(scan(tmp_path / "shallow", watcher=notes)) == [(two, "other", 1, last)]
    assert [why for _, why in notes.troubles if "shallow" in why]


def test_a_partial_clone_is_read_without_fetching(repository: Repository, tmp_path: Path) -> None:
    old, new = value(), value()
    repository.git("config", "uploadpack.allowFilter", "true")
    repository.commit("one", file=old)
    commit = repository.commit("two", file=new)
    partial = tmp_path / "partial"
    repository.git("clone", "--quiet", "--filter=blob:none", f"file://{repository.folder}", str(partial))
    listed = repository.git("cat-file", "--batch-all-objects", "--batch-check", folder=partial)
    notes = Notes()
    assert told(scan(partial, watcher=notes)) == [(new, "file", 1, commit)]
    assert [why for _, why in notes.troubles if "partial" in why]
    assert told(scan(partial, since="HEAD~1", watcher=notes)) == [(new, "file", 1, commit)]
    assert repository.git("cat-file", "--batch-all-objects", "--batch-check", folder=partial) == listed


def test_missing_and_broken_objects_are_told_and_the_others_read(repository: Repository) -> None:
    good, lost, broken = value(), value(), value()
    repository.commit("one", good=good)
    second = repository.commit("two", lost=lost, broken=broken)
    repository.commit("three", late="late\n")
    names = {path: repository.git("rev-parse", f"{second}:{path}").strip() for path in ("lost", "broken")}
    tree = repository.git("rev-parse", f"{second}^{{tree}}").strip()

    def file_of(name: str) -> Path:
        return repository.folder / ".git/objects" / name[:2] / name[2:]

    file_of(names["lost"]).unlink()
    file_of(names["broken"]).chmod(0o600)
    file_of(names["broken"]).write_bytes(file_of(names["broken"]).read_bytes()[:-12] + b"nonsense____")
    file_of(tree).unlink()
    notes = Notes()
    found = told(scan(repository.folder, watcher=notes))
    assert [one[0] for one in found] == [good]
    assert names["broken"] in [name for name, _ in notes.troubles]
    assert [name for name, why in notes.troubles if "compare" in why]


def test_replaced_objects_are_read_as_they_were(repository: Repository) -> None:
    token = value()
    leak = repository.commit("leak", file=token)
    repository.write("file", "clean")
    repository.git("replace", f"{leak}:file", repository.git("hash-object", "-w", "file").strip())
    assert told(scan(repository.folder)) == [(token, "file", 1, leak)]


def test_nothing_of_the_repository_is_run(repository: Repository, tmp_path: Path) -> None:
    repository.commit("leak", file=value())
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n", encoding="utf-8")
    trap.chmod(0o755)
    for name in ("core.fsmonitor", "core.pager", "core.sshCommand", "diff.external", "diff.x.textconv"):
        repository.git("config", name, str(trap))
    repository.write(".gitattributes", "* diff=x\n")
    repository.commit("attributes")
    (tmp_path / "sprung").unlink(missing_ok=True)
    assert len(scan(repository.folder)) == 1
    assert not (tmp_path / "sprung").exists()


def test_paths_can_be_left_out(repository: Repository) -> None:
    token = value()
    repository.commit("leak", kept=token, left=token)
    found = scan(repository.folder, skip=lambda path, _: path == "left")
    assert [one.place.path for one in found] == ["kept"]


def test_an_empty_repository_holds_nothing(repository: Repository) -> None:
    assert scan(repository.folder) == []


def test_all_values_of_a_file_are_told_and_large_ones_are_read_in_parts(repository: Repository) -> None:
    tokens = [value() for _ in range(3)]
    filler = ("line\n" * 200_000).encode()
    content = b"".join(filler + token.encode() + b"\n" for token in tokens)
    repository.commit("leak", big=content)
    assert [(one[0], one[2]) for one in told(scan(repository.folder))] == [
        (token, 200_000 * number + number) for number, token in enumerate(tokens, start=1)
    ]


def test_no_repository_no_trust_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(Invalid) as refusal:
            scan(folder)
        assert refusal.value.code == "not_a_repository"
    Repository(tmp_path / "repository")
    with monkeypatch.context() as patch:
        patch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
        with pytest.raises(Invalid, match=r"safe\.directory") as refusal:
            scan(tmp_path / "repository")
        assert refusal.value.code == "git_not_trusted"
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable) as missing:
        scan(tmp_path / "repository")
    assert missing.value.code == "git_missing"


def test_a_hooks_environment_names_the_repository_for_the_current_folder_alone(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = value(), value()
    repository.commit("leak", file=one)
    other = Repository(tmp_path / "other")
    other.commit("leak", file=two)
    monkeypatch.setenv("GIT_DIR", str(other.folder / ".git"))
    assert [found[0] for found in told(scan(repository.folder))] == [one]
    monkeypatch.chdir(repository.folder)
    assert [found[0] for found in told(list(scan_history(".", Look())))] == [two]
