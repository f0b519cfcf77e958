"""Fixtures of journeys. Playwright keeps a loop in its thread: it ends before other folders' tests begin."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from journeys import Begin, Journey, Witness, chromium
from support import LiveServer


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One Chromium for the folder."""
    with chromium() as opened:
        yield opened


@pytest.fixture
def witness() -> Witness:
    return Witness()


@pytest.fixture
def server(tmp_path: Path, witness: Witness) -> Iterator[LiveServer]:
    """A server of its own for each journey: what one leaves behind is not in another's way."""
    made = LiveServer(tmp_path, watch=witness.around)
    made.authority.following.pause = 0.05
    yield made
    made.close()


@pytest.fixture
def begin(server: LiveServer, witness: Witness, browser: Browser) -> Iterator[Begin]:
    """Begins journeys, and ends them with the test."""
    begun: list[Journey] = []

    def make(**options: object) -> Journey:
        begun.append(Journey.begin(server, witness, browser, **options))
        return begun[-1]

    yield make
    for journey in begun:
        journey.end()


@pytest.fixture
def journey(begin: Begin, server: LiveServer) -> Journey:
    """The first administrator's way, signed in."""
    made = begin()
    made.sign_in_as(server.first.admin)
    return made
