"""Logs: chunks in any order, doubled and overlapping, give the original bytes."""

import asyncio
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from properties.property_profiles import examples
from support import World
from watchword.domain.errors import Malformed, TooLarge
from watchword.domain.pipelines import Job
from watchword.services.builds import BuildRequest, CommandStep, create_pipeline
from watchword.services.context import LOCAL, Context
from watchword.services.exchanging import Registration, register
from watchword.services.logs import MAX_CHUNK_BYTES, add_chunk, inflate, read_log
from watchword.services.tailing import read_tail
from watchword.store.base import Transaction


async def _add(context: Context, job: Job, number: int, start: int, piece: bytes) -> None:
    """A chunk as agents send it, or, every third one, as it is; a long run of one byte packs well."""
    if number % 3:
        packed = gzip.compress(piece)
        await add_chunk(context, job, number, start, packed, packed=True, size=len(piece))
    else:
        await add_chunk(context, job, number, start, piece)


@dataclass
class Shop:
    """One world for all examples: a held job each."""

    world: World
    numbers: Iterator[int]

    def held_job(self) -> Job:
        return self.world.run(self._held_job())

    async def _held_job(self) -> Job:
        authority, first = self.world.authority, self.world.first
        name = f"log {next(self.numbers)}"

        async def work(tx: Transaction) -> Job:
            pipeline = await create_pipeline(
                authority.context, tx, LOCAL, first.organization.id, name, cluster_id=first.cluster.id
            )
            _, jobs = await authority.builder.create_in(
                tx, LOCAL, pipeline, (CommandStep(command="true"),), BuildRequest(), first.admin.id
            )
            return jobs[0]

        job = await authority.context.store.write(work)
        authority.builder.announce([job])
        presented = await authority.verifier.verify(
            first.agent_token.value.reveal(), (first.agent_token.token.kind,), address=None
        )
        joined = await register(
            authority.context, authority.fleet, LOCAL, presented, Registration(name=name, version="3.100.0")
        )
        await authority.fleet.connect(LOCAL, job.organization_id, joined.agent.id)
        accepted = await authority.dispatcher.accept(LOCAL, joined.agent.id, job.id)
        await authority.finisher.start(LOCAL, accepted.job)
        return accepted.job


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    world = World(tmp_path_factory.mktemp("logs"))
    yield Shop(world, iter(range(1_000_000)))
    world.close()


@st.composite
def cuts(draw: st.DrawFn) -> tuple[bytes, list[tuple[int, int]]]:
    """A log, and pieces that cover it: some overlap, in an order of their own, some doubled."""
    log = draw(st.binary(min_size=1, max_size=60))
    marks = sorted({0, len(log), *draw(st.lists(st.integers(0, len(log)), max_size=6))})
    pieces = [
        (max(0, start - draw(st.integers(0, 4))), min(len(log), end + draw(st.integers(0, 4))))
        for start, end in pairwise(marks)
    ]
    return log, draw(st.permutations(pieces))


@examples(60)
@given(cuts(), st.data())
def test_pieces_in_any_order_give_the_log(
    shop: Shop, made: tuple[bytes, list[tuple[int, int]]], data: st.DataObject
) -> None:
    log, pieces = made
    doubled = data.draw(st.lists(st.sampled_from(range(len(pieces))), max_size=3))
    job = shop.held_job()

    async def scenario() -> tuple[bytes, int]:
        context = shop.world.context
        seen = b""
        for number in [*range(len(pieces)), *doubled]:
            start, end = pieces[number]
            await _add(context, job, number, start, log[start:end])
            tail = await read_tail(context, job, len(seen))
            seen += tail
            assert log.startswith(seen)
        assert seen == log
        stored = await context.store.read(lambda tx: tx.builds.job(job.organization_id, job.id))
        assert stored is not None
        return await read_log(context, job), stored.log_size

    whole, size = shop.world.run(scenario())
    assert whole == log
    assert size == sum(end - start for start, end in pieces)


@examples(40)
@given(cuts(), st.data())
def test_a_hole_is_left_out(
    shop: Shop, made: tuple[bytes, list[tuple[int, int]]], data: st.DataObject
) -> None:
    log, pieces = made
    kept = pieces[: data.draw(st.integers(0, len(pieces)))]
    job = shop.held_job()

    async def scenario() -> bytes:
        for number, (start, end) in enumerate(kept):
            await _add(shop.world.context, job, number, start, log[start:end])
        return await read_log(shop.world.context, job)

    covered = sorted({place for start, end in kept for place in range(start, end)})
    assert shop.world.run(scenario()) == bytes(log[place] for place in covered)


@examples(100)
@given(st.binary(max_size=2000), st.integers(1, 9))
def test_a_packed_chunk_is_unpacked(plain: bytes, level: int) -> None:
    assert inflate(gzip.compress(plain, level)) == plain


@examples(200)
@given(st.binary(min_size=1, max_size=300), st.data())
def test_a_cut_packed_chunk_is_refused(plain: bytes, data: st.DataObject) -> None:
    packed = gzip.compress(plain)
    with pytest.raises(Malformed):
        inflate(packed[: data.draw(st.integers(0, len(packed) - 1))])


@examples(200)
@given(st.binary(max_size=200))
def test_noise_is_no_packed_chunk(noise: bytes) -> None:
    with pytest.raises(Malformed):
        inflate(noise)


def test_a_chunk_that_unpacks_to_too_much_is_refused_early() -> None:
    bomb = gzip.compress(bytes(64 * 1024 * 1024))
    with pytest.raises(TooLarge):
        inflate(bomb)
    assert inflate(gzip.compress(bytes(MAX_CHUNK_BYTES))) == bytes(MAX_CHUNK_BYTES)
    with pytest.raises(Malformed):
        inflate(zlib.compress(b"no gzip"))


def test_the_loop_is_free_between_chunks(shop: Shop) -> None:
    job = shop.held_job()

    async def scenario() -> None:
        pieces = [(number, number * 3, b"abc") for number in range(50)]
        await asyncio.gather(*(add_chunk(shop.world.context, job, *piece) for piece in reversed(pieces)))

    shop.world.run(scenario())
    assert shop.world.run(read_log(shop.world.context, job)) == b"abc" * 50


def test_a_chunk_is_kept_as_sent_where_that_is_shorter(shop: Shop) -> None:
    job, context = shop.held_job(), shop.world.context
    long, short = b"the same words " * 1000, b"x"
    sent = gzip.compress(long)
    shop.world.run(add_chunk(context, job, 1, 0, sent, packed=True, size=len(long)))
    shop.world.run(add_chunk(context, job, 2, len(long), gzip.compress(short), packed=True))

    async def work(tx: Transaction) -> list[bytes]:
        return [chunk.data for chunk in await tx.logs.chunks(job.organization_id, job.id)]

    assert shop.world.run(context.store.read(work)) == [sent, short]
    assert shop.world.run(read_log(context, job)) == long + short
