"""Texts that would act, in every name and description: every page shows them, and nothing of them acts."""

import csv
import io
from collections.abc import Iterator

import httpx
import pytest

from console_client import Console, InProcess
from console_things import Things, pages_of
from databases import SqliteDatabase
from rest_client import InProcess as RestInProcess
from stored_scripts import PAYLOADS, Findings, Texts, fields_in, problems_of
from support import World
from watchword.services.accounts import create_organization
from watchword.services.context import LOCAL

SETS = 2
FORMULAS = ("=1+1", "+1", "-1", "@SUM(1)")
STEP = 5
# Fields that no page shows; whichever shows one later is held to the same.
UNSEEN = {
    "artifact url",
    "author",
    "author address",
    "build variable",
    "context of the build",
    "context of the job",
    "incident note",
    "meta-data",
    "meta-data of a job",
    "pipeline tag",
    "pipeline variable",
    "tag",
}


class Household:
    """Organizations full of such texts, and all their pages.

    Attributes:
        pages: body by place, route and address.
    """

    def __init__(self, world: World) -> None:
        self.texts: list[Texts] = []
        self.pages: dict[tuple[int, str], str] = {}
        self.others: dict[tuple[int, str], httpx.Response] = {}
        console_app, rest_app = InProcess(world), RestInProcess(world)
        for place in range(SETS):
            texts = Texts(place, STEP, marked=place == 0)
            name = texts("organization")[:255]
            person = texts("administrator")[:255]
            first = world.run(
                create_organization(
                    world.context, LOCAL, f"place-{place}", name, f"admin{place}@example.com", person
                )
            )
            things = Things(world, first, say=texts, transport=rest_app)
            for formula in FORMULAS:
                things.api_token(first.admin, formula)
            console = Console(world, first.organization.slug, transport=console_app)
            console.sign_in_as(first.admin)
            self.texts.append(texts)
            for route, path in pages_of(things).items():
                answer = console.get(path)
                if answer.status_code == 200 and answer.headers["content-type"].startswith("text/html"):
                    self.pages[place, route] = answer.text
                else:
                    self.others[place, route] = answer


@pytest.fixture(scope="module")
def household(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Household]:
    database = SqliteDatabase(tmp_path_factory.mktemp("household"))
    world = World(database.path.parent.parent, database)
    yield Household(world)
    world.close()


def test_no_text_acts_on_any_page(household: Household) -> None:
    found = [
        f"{route}: {problem}" for (_, route), page in household.pages.items() for problem in problems_of(page)
    ]
    assert not found, "\n".join(found)
    assert len(household.pages) > 100


def test_what_is_no_page_is_not_shown_as_one(household: Household) -> None:
    for (_, route), answer in household.others.items():
        if answer.status_code == 200:
            assert answer.headers["x-content-type-options"] == "nosniff", route
            kept = answer.headers.get("content-disposition", "").startswith("attachment")
            assert kept or answer.headers["content-type"] == "application/json", route
        else:
            assert 300 <= answer.status_code < 400, (route, answer.status_code)
            assert answer.headers["location"].startswith("/"), (route, answer.headers["location"])


def test_no_cell_of_a_table_for_programs_is_a_formula(household: Household) -> None:
    read = 0
    for (_, route), answer in household.others.items():
        if not answer.headers.get("content-type", "").startswith("text/csv"):
            continue
        for row in csv.reader(io.StringIO(answer.text)):
            for cell in row:
                assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")), (route, cell)
                read += cell.endswith(FORMULAS)
    assert read >= SETS * len(FORMULAS)


def test_every_text_is_seen_somewhere(household: Household) -> None:
    """Else the tests above would hold of what nobody looks at."""
    for place, texts in enumerate(household.texts):
        if not texts.marked:
            continue
        shown = {
            number
            for (where, _), page in household.pages.items()
            if where == place
            for number in fields_in(page)
        }
        missing = {field for number, field in enumerate(texts.fields) if number not in shown}
        assert missing <= UNSEEN


def test_texts_are_shown_as_they_were_given(household: Household) -> None:
    told = {text for page in household.pages.values() for text in Findings(page).shown}
    whole = "\n".join(told)
    for payload in PAYLOADS:
        if payload.isprintable():
            assert payload in whole, payload


@pytest.mark.parametrize(
    "page",
    [
        "<p onclick=x>",
        "<p style=x>",
        "<script>x</script>",
        "<script src=//evil.example/x></script>",
        "<a href='java\tscript:x'>x</a>",
        "<form action=//evil.example/>",
        "<img src=https://evil.example/>",
        "<iframe>",
        "<p id=a><p id=a>",
        "<p>9359935991</p>",
    ],
)
def test_what_acts_is_found(page: str) -> None:
    assert list(problems_of(page))
