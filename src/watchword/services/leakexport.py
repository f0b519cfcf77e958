"""A case to be filed elsewhere: CSV and Markdown made of its document, the same for every surface."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from watchword.services.leakdocument import Document

COLUMNS = ("What", "When", "Detail", "Who or where", "Count")
# A program for tables takes a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_Row = tuple[str, str, str, str, str]
# Of the document's head, what a reader wants first.
_HEAD = (
    ("Case", "id"),
    ("State", "state"),
    ("Outcome", "outcome"),
    ("Kind", "kind"),
    ("Token", "token_id"),
    ("Description", "token_description"),
    ("Token is now", "token_state"),
    ("Visibility", "visibility"),
    ("Evidence", "evidence"),
    ("First reported by", "reporter"),
    ("Seen", "count"),
    ("Readable since", "exposed_at"),
    ("First seen", "first_seen_at"),
    ("Last seen", "last_seen_at"),
    ("Answered", "acted_at"),
    ("Closed", "closed_at"),
    ("Note", "note"),
)


def file_name(document: Document, ending: str) -> str:
    """Name of the file that an export is saved as."""
    return f"leak-{document['id']}.{ending}"


def leak_csv(document: Document) -> str:
    """A head and a line for each thing that happened; cells that would be run get a quote in front."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows([_plain(cell) for cell in row] for row in _rows(document))
    return out.getvalue()


def _plain(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _rows(document: Document) -> Iterator[_Row]:
    for each in document["found"]:
        where = " ".join(filter(None, (each["place"], each["url"])))
        yield "found", each["first_seen_at"], where, each["reporter"], str(each["count"])
    for each in document["used_since"]:
        said = "new since the leak" if each["new_since_the_leak"] else "known from before"
        who = " ".join(filter(None, (each["address"], each["client"])))
        yield "used", each["last_at"], said, who, str(each["count"])
    for each in document["agents_since"]:
        yield "agent joined", each["registered_at"], each["name"], each["address"], "1"
    for name, what in (("calls_since", "done with it"), ("done", "done about it")):
        for each in document[name]:
            yield what, each["at"], each["action"], each["actor"], "1"


def leak_markdown(document: Document) -> str:
    """A page to read or to paste into a ticket."""
    parts = [f"# Leak of {_article(document['kind'])}", _table(("What", ""), _head(document))]
    parts += _section(
        "Where it was found",
        ("When", "Where", "Visibility", "Reporter"),
        (
            (
                each["first_seen_at"],
                f"{each['place']} {each['url']}".strip(),
                each["visibility"],
                each["reporter"],
            )
            for each in document["found"]
        ),
    )
    parts += _section("What it could reach", ("What", ""), _reached(document["reach"]))
    parts += _section(
        "Who used it since",
        ("Last", "Address", "Client", "Times", "New since the leak"),
        (
            (
                each["last_at"],
                each["address"],
                each["client"],
                each["count"],
                "yes" if each["new_since_the_leak"] else "no",
            )
            for each in document["used_since"]
        ),
    )
    parts += _section(
        "Agents that registered with it since",
        ("When", "Name", "Host", "Address"),
        (
            (each["registered_at"], each["name"], each["hostname"], each["address"])
            for each in document["agents_since"]
        ),
    )
    for title, name in (("Done with it since", "calls_since"), ("Done about it", "done")):
        rows = ((each["at"], each["action"], each["actor"], each["address"]) for each in document[name])
        parts += _section(title, ("When", "What", "Who", "From"), rows)
    parts.append("## What to do now")
    parts.append("\n".join(f"- {each['text']}" for each in document["advice"]))
    return "\n\n".join(parts) + "\n"


def _article(kind: str) -> str:
    word = kind.replace("_", " ")
    return f"an {word} token" if word[0] in "aeiou" else f"a {word} token"


def _head(document: Document) -> Iterator[tuple[str, Any]]:
    for title, name in _HEAD:
        if document[name] not in (None, ""):
            yield title, document[name]


def _reached(reach: Document) -> Iterator[tuple[str, Any]]:
    for name, value in reach.items():
        if value not in (None, [], 0, ""):
            text = ", ".join(map(str, value)) if isinstance(value, list) else value
            yield name.replace("_", " ").capitalize(), text


def _section(title: str, head: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> list[str]:
    every = list(rows)
    return [f"## {title}", _table(head, every) if every else "Nothing that is known."]


def _table(head: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(value: object) -> str:
    r"""A cell that cannot leave its table, nor become a link, an image or markup."""
    text = " ".join(str("" if value is None else value).split())
    for character in "\\`*_[]<>|#!":
        text = text.replace(character, f"\\{character}")
    return text.replace("://", ":\\//")
