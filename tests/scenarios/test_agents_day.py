"""An agent's day with our own agent: what the usual one does in the same chapters."""

from collections.abc import Iterator

import pytest

from databases import MAKES, PostgresDatabase, PostgresServer
from scenarios.agent_story import CHAPTERS, WATCHWORD, Story


@pytest.fixture(scope="module", params=MAKES)
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """One server on each database for all chapters; each starts agents of its own and stops them."""
    environment = {"WATCHWORD_PING_INTERVAL": "1", "WATCHWORD_JOB_STATUS_INTERVAL": "1"}
    database: PostgresDatabase | None = None
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgresql")
        database = server.database()
        environment["WATCHWORD_DATABASE"] = database.url
    told = Story(tmp_path_factory.mktemp("story"), [*WATCHWORD, "agent", "start"], environment)
    yield told
    told.close()
    if database is not None:
        database.remove()


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_our_agent_does_what_the_usual_one_does(story: Story, chapter: str) -> None:
    try:
        CHAPTERS[chapter](story)
    finally:
        story.clear()
    _require_no_token_on_disk(story)


def _require_no_token_on_disk(story: Story) -> None:
    """After each chapter: neither the agent token nor a session stands in builds, hooks or logs.

    The operator's own files aside. Chapters may run in several workers, each with a folder of its own.
    """
    value = str(story.known()["agent_token"]).encode()
    for path in story.folder.rglob("*"):
        if (
            path.is_file()
            and path != story.credentials
            and "data" not in path.relative_to(story.folder).parts
        ):
            content = path.read_bytes()
            assert value not in content, path
            assert b"bkaa_" not in content, path
