"""What the scanners read: a tree of this machine's files, and a history made of them, with values planted."""

import os
import random
import shutil
import string
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

from watchword.crypto.values import mint
from watchword.domain.kinds import Kind

Tell = Callable[[str], None]
_SOURCES = (
    sysconfig.get_path("stdlib"),
    sysconfig.get_path("purelib"),
    "/usr/local/go/src",
    "/usr/lib/go/src",
    "/usr/share",
    "/usr/include",
    "/usr/lib",
    "/usr/local",
)
_LARGEST = 2 << 20  # a source tree has hardly a larger file
_OLD = (("bkct_", 73), ("bkua_", 40), ("bkps_", 64), ("bkar_", 73), ("bkpat_", 54))
_NEW = (Kind.AGENT, Kind.API_ACCESS, Kind.PORTAL_SECRET, Kind.UNCLUSTERED_AGENT, Kind.PORTAL_SERVICE)
PLANTED = 480  # half of them as servers made them before values had checksums: what the peers know


def planted(count: int = PLANTED) -> list[str]:
    """Lines with values, older ones and ours in turn."""
    source = random.Random(6)
    contexts = ("export TOKEN={}", 'token: "{}"', "curl -H 'Authorization: Bearer {}'", '{{"token":"{}"}}')
    lines = []
    for number in range(count):
        if number % 2:
            value = mint(_NEW[number // 2 % len(_NEW)]).reveal()
        else:
            prefix, length = _OLD[number // 2 % len(_OLD)]
            letters = string.hexdigits[:16] if length in (40, 64) else string.ascii_letters + string.digits
            value = prefix + "".join(source.choices(letters, k=length))
        lines.append(contexts[number % len(contexts)].format(value))
    return lines


def files() -> Iterator[tuple[Path, int]]:
    """Regular files of the machine and their sizes, each once, in a stable order."""
    seen: set[tuple[int, int]] = set()
    for top in _SOURCES:
        for folder, folders, names in os.walk(top):
            folders.sort()
            for name in sorted(names):
                path = Path(folder, name)
                try:
                    known = path.lstat()
                except OSError:
                    continue
                readable = os.access(path, os.R_OK) and path.is_file() and not path.is_symlink()
                if readable and known.st_size <= _LARGEST and (known.st_dev, known.st_ino) not in seen:
                    seen.add((known.st_dev, known.st_ino))
                    yield path, known.st_size


def tree(folder: Path, size: int, tell: Tell) -> tuple[int, int]:
    """Make a tree of about that size, by hard links where they can be; how many files and bytes it has."""
    count = total = 0
    for path, length in files():
        # Not under their own names: betterleaks passes over folders such as site-packages, unread.
        target = folder / f"part-{count // 400}" / f"group-{count // 20 % 20}" / path.name
        if target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, target)
        except OSError:
            shutil.copyfile(path, target)
        count += 1
        total += length
        if count % 1000 == 0:
            tell(f"{count:,} files, {total / 1e6:,.0f} MB")
        if total >= size:
            break
    for number, line in enumerate(planted()):
        target = folder / "planted" / str(number % 16) / f"settings-{number}.txt"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(f"# settings\n\nname = {number}\n{line}\n", encoding="utf-8")
    return count + PLANTED, total


def history(folder: Path, commits: int, tell: Tell) -> int:
    """Make a bare repository: files of this machine that are changed a little in each commit, packed by git.

    Values come in with some of the commits and go with the next change of their file.

    Returns:
        Bytes in all files and messages, each version once.
    """
    source = random.Random(7)
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(folder)], check=True)
    texts = list(_texts(1_500))
    lines = planted()
    every = max(1, commits // len(lines))
    tell("history")
    with subprocess.Popen(
        ["git", "-C", str(folder), "fast-import", "--quiet", "--max-pack-size=8g"], stdin=subprocess.PIPE
    ) as git:
        assert git.stdin is not None
        for number in range(commits):
            changed = range(len(texts)) if number == 0 else source.sample(range(len(texts)), 3)
            git.stdin.write(_commit(number, source, texts, changed, lines if number % every == 0 else []))
            if number % 500 == 0:
                tell(f"{number:,} commits")
        git.stdin.write(b"done\n")
    tell("packing the history")
    packing = ["git", "-C", str(folder), "repack", "-a", "-d", "-f", "-q", "--window=10", "--depth=50"]
    subprocess.run(packing, check=True)
    listing = ["git", "-C", str(folder), "cat-file", "--batch-all-objects"]
    listed = subprocess.run(
        [*listing, "--batch-check=%(objecttype) %(objectsize)"], check=True, capture_output=True, text=True
    )
    pairs = [line.split() for line in listed.stdout.splitlines()]
    return sum(int(size) for kind, size in pairs if kind != "tree")


def _commit(
    number: int, source: random.Random, texts: list[list[bytes]], changed: range | list[int], lines: list[str]
) -> bytes:
    message = f"Change {number}\n".encode()
    parts = [
        b"commit refs/heads/main\n",
        f"author Ann <ann{number % 20}@example.org> {1_600_000_000 + number * 600} +0000\n".encode(),
        f"committer Ann <ann@example.org> {1_600_000_000 + number * 600} +0000\n".encode(),
        b"data %d\n%s\n" % (len(message), message),
    ]
    for which, one in enumerate(changed):
        text = texts[one]
        if number:
            for _ in range(source.randrange(1, 5)):
                _change(source, text, texts)
        content = list(text)
        if lines and which == 0:
            content.insert(source.randrange(len(text)), lines.pop().encode())
        body = b"\n".join(content)
        path = f"folder-{one % 30}/file-{one}.txt".encode()
        parts.append(b"M 100644 inline %s\ndata %d\n%s\n" % (path, len(body), body))
    return b"".join(parts)


def _change(source: random.Random, text: list[bytes], texts: list[list[bytes]]) -> None:
    """Put some lines of another file in the place of some lines."""
    other = source.choice(texts)
    at, taken = source.randrange(len(text)), source.randrange(len(other))
    text[at : at + source.randrange(12)] = other[taken : taken + source.randrange(1, 14)]


def _texts(count: int) -> Iterator[list[bytes]]:
    for path, size in files():
        if 4_000 < size < 60_000 and path.suffix in {
            ".py",
            ".go",
            ".md",
            ".txt",
            ".html",
            ".c",
            ".h",
            ".json",
        }:
            yield path.read_bytes().split(b"\n")
            count -= 1
        if not count:
            return
