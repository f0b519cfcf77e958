"""The installation under the lifecycle machine: two organizations, copied for each example."""

import asyncio
import re
import shutil
import tempfile
from base64 import b64encode
from collections import Counter
from collections.abc import Coroutine
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from databases import Database, PostgresDatabase, PostgresServer, SqliteDatabase
from properties.lifecycle_model import AgentToken, ApiToken, House, Model
from support import FakeClock
from watchword.crypto.keys import KeyRing
from watchword.domain.events import Action, Event
from watchword.domain.ids import OrganizationId
from watchword.domain.kinds import Kind
from watchword.feed.local import LocalFeed
from watchword.services.accounts import FirstThings, add_cluster, add_queue, create_organization
from watchword.services.authority import Authority
from watchword.services.builds import create_pipeline
from watchword.services.context import LOCAL, Context, Installation
from watchword.store.base import Transaction

T = TypeVar("T")

_MARKS = (b"bkct_", b"bkar_", b"bkaa_", b"bkaj_", b"bkua_")
_PLAIN = re.compile(rb"bk(?:ct|ar|aa|ua)_[A-Za-z0-9_-]{2,4}\.[0-9A-Za-z]{20}|bkaj_eyJ")
_HEX = re.compile(b"|".join(mark.hex().encode() for mark in _MARKS), re.IGNORECASE)


def _in_base64(mark: bytes) -> list[bytes]:
    """The characters that a mark of five bytes gives for certain, at each of the three alignments."""
    shifts = ((0, 0, 6), (1, 2, 8), (2, 3, 9))
    return [b64encode(b"\0" * shift + mark)[start:end] for shift, start, end in shifts]


_BASE64 = re.compile(b"|".join(text for mark in _MARKS for text in _in_base64(mark)))


def leaks(content: bytes) -> list[bytes]:
    """What looks like a value, plain, in hex or in base64, in the bytes of a database and its log."""
    return [*_PLAIN.findall(content), *_HEX.findall(content), *_BASE64.findall(content)]


@dataclass
class Template:
    """A database with two organizations, and what the model knows of it."""

    database: Database
    keys: KeyRing
    model: Model


class Running:
    """One process after another on one database."""

    def __init__(self, database: Database, keys: KeyRing, clock: FakeClock, runner: asyncio.Runner) -> None:
        self.database, self.keys, self.clock, self.runner = database, keys, clock, runner
        self.open()

    def open(self) -> None:
        feed = LocalFeed()
        self.store = self.database.open(feed.publish)
        self.context = Context(self.store, feed, self.clock, self.keys, Installation())
        self.authority = Authority.wire(self.context)
        self.run(self.authority.load())

    def restart(self, *, flush: bool) -> None:
        """Stop, flushing or as after a crash, and start again."""
        if flush:
            self.run(self.authority.flush())
        self.run(self.store.close())
        self.open()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.get_loop().run_until_complete(work)

    def events(self, organization_id: OrganizationId) -> list[Event]:
        """The whole audit trail of an organization."""

        async def work(tx: Transaction) -> list[Event]:
            return list(await tx.audit.events(organization_id, 0, 1_000_000))

        return self.run(self.store.read(work))

    def close(self) -> None:
        self.run(self.store.close())


async def _furnish(running: Running, name: str) -> tuple[House, FirstThings]:
    """An organization with two clusters, their queues, and a pipeline for each and for none."""
    context = running.context
    first = await create_organization(context, LOCAL, name, name.title(), f"{name}@example.com", name)

    async def work(tx: Transaction) -> House:
        await add_queue(context, tx, LOCAL, first.cluster, "gpu")
        extra = await add_cluster(context, tx, LOCAL, first.organization.id, "Extra")
        await add_queue(context, tx, LOCAL, extra, "default")
        house = House(first.organization.id, first.admin.id, {"main": first.cluster, "extra": extra}, {})
        for key in ("main", "extra", "none"):
            cluster = house.clusters.get(key)
            house.pipelines[key] = await create_pipeline(
                context, tx, LOCAL, house.id, key, cluster_id=cluster.id if cluster else None
            )
        return house

    return await context.store.write(work), first


def make_template(database: Database) -> Template:
    """Build what every example starts from."""
    keys = KeyRing.generate()
    with asyncio.Runner() as runner:
        running = Running(database, keys, FakeClock(), runner)
        model = Model([])
        for name in ("acme", "umbrella"):
            house, first = running.run(_furnish(running, name))
            model.houses.append(house)
            issued = first.agent_token
            model.tokens.append(
                AgentToken(
                    issued.value.reveal(), issued.token, Kind.AGENT, house, cluster_id=first.cluster.id
                )
            )
            api = first.api_token
            scopes = frozenset(api.token.scopes.split())
            model.api_tokens.append(
                ApiToken(api.value.reveal(), api.token, Kind.API_ACCESS, house, scopes=scopes)
            )
        for house in model.houses:
            house.events = Counter[Action](event.action for event in running.events(house.id))
        running.close()
    return Template(database, keys, model)


class Site:
    """Makes installations from one template: SQLite in one folder that goes away with it, or PostgreSQL."""

    def __init__(self, server: PostgresServer | None = None) -> None:
        self._server = server
        self._folder = tempfile.TemporaryDirectory(prefix="lifecycle-")
        self._template = make_template(server.database() if server is not None else self._in_folder())
        self._runner = asyncio.Runner()

    def _in_folder(self) -> SqliteDatabase:
        return SqliteDatabase(Path(tempfile.mkdtemp(dir=self._folder.name)))

    def start(self) -> tuple[Running, Model]:
        """A fresh installation and what the model knows of it."""
        running = Running(self._copy(), self._template.keys, FakeClock(), self._runner)
        return running, deepcopy(self._template.model)

    def _copy(self) -> Database:
        template = self._template.database
        if isinstance(template, SqliteDatabase):
            made = self._in_folder()
            made.path.parent.mkdir()
            shutil.copyfile(template.path, made.path)
            return made
        assert self._server is not None
        assert isinstance(template, PostgresDatabase)
        return self._server.copy(template)

    def discard(self, running: Running) -> None:
        """Stop an installation and delete its database."""
        running.close()
        running.database.remove()
        if isinstance(running.database, SqliteDatabase):
            shutil.rmtree(running.database.path.parents[1])

    def close(self) -> None:
        self._runner.close()
        self._template.database.remove()
        self._folder.cleanup()
