"""The log on its way: cut, compressed, in parallel, tried again, counted when lost."""

import asyncio
import gzip
import io

from agent.agent_server import quick_policy
from watchword.agent.errors import ApiError
from watchword.agent.logs import make_log
from watchword.agent.redaction import Redactor
from watchword.agent.retry import Attempts
from watchword.agent.streamer import PARALLEL, WAITING, Limits, LogStreamer, Upload

QUIET = make_log(io.StringIO(), form="json", color=False)


class Receiver:
    def __init__(self, failures: dict[int, list[ApiError]] | None = None) -> None:
        self.chunks: dict[int, tuple[int, int, bytes]] = {}
        self.attempts: list[int] = []
        self.failures = failures or {}
        self.running = 0
        self.most = 0
        self.received = asyncio.Event()

    async def upload(self, sequence: int, offset: int, size: int, zipped: bytes) -> None:
        self.attempts.append(sequence)
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0.001)
        self.running -= 1
        if waiting := self.failures.get(sequence):
            raise waiting.pop(0)
        self.chunks[sequence] = (offset, size, gzip.decompress(zipped))
        self.received.set()


def streamer(upload: Upload, *secrets: str, chunk: int = 10, interval: float = 1000.0) -> LogStreamer:
    limits = Limits(chunk=chunk, interval=interval, total=10**6)
    return LogStreamer(upload, Redactor(secrets), limits, quick_policy(chunk=Attempts(3, (1.0,))), QUIET)


def failure(status: int) -> ApiError:
    return ApiError("POST chunks", "no", status=status, retryable=status == 0 or status >= 500)


def test_chunks_are_numbered_from_one_with_offsets_and_sizes() -> None:
    async def scene() -> Receiver:
        receiver = Receiver()
        async with streamer(receiver.upload) as log:
            await log.write(b"0123456789abcdefghij")
            await log.write(b"KLM")
        return receiver

    receiver = asyncio.run(scene())
    assert receiver.chunks == {1: (0, 10, b"0123456789"), 2: (10, 10, b"abcdefghij"), 3: (20, 3, b"KLM")}


def test_output_leaves_at_the_interval_without_being_asked() -> None:
    async def scene() -> None:
        receiver = Receiver()
        async with streamer(receiver.upload, interval=1.0) as log:
            await log.write(b"now")
            async with asyncio.timeout(5):
                await receiver.received.wait()
            await log.write(b"then")
        assert [data for _, _, data in receiver.chunks.values()] == [b"now", b"then"]

    asyncio.run(scene())


def test_at_most_three_at_a_time() -> None:
    async def scene() -> Receiver:
        receiver = Receiver()
        async with streamer(receiver.upload) as log:
            await log.write(b"x" * 200)
        return receiver

    receiver = asyncio.run(scene())
    assert len(receiver.chunks) == 20
    assert receiver.most == PARALLEL


def test_a_passing_failure_is_tried_again_and_nothing_is_lost() -> None:
    async def scene() -> tuple[Receiver, int]:
        receiver = Receiver({1: [failure(503), failure(0)]})
        async with streamer(receiver.upload) as log:
            await log.write(b"x" * 15)
        return receiver, log.failed

    receiver, failed = asyncio.run(scene())
    assert failed == 0
    assert receiver.attempts.count(1) == 3
    assert set(receiver.chunks) == {1, 2}


def test_lost_chunks_are_counted_and_the_log_goes_on() -> None:
    async def scene() -> tuple[Receiver, int]:
        receiver = Receiver({1: [failure(404)], 2: [failure(503) for _ in range(3)]})
        async with streamer(receiver.upload) as log:
            await log.write(b"x" * 30)
        return receiver, log.failed

    receiver, failed = asyncio.run(scene())
    assert failed == 2
    assert receiver.attempts.count(1) == 1
    assert receiver.attempts.count(2) == 3
    assert receiver.chunks == {3: (20, 10, b"x" * 10)}


def test_a_secret_across_reads_and_chunks_never_leaves() -> None:
    async def scene() -> bytes:
        receiver = Receiver()
        async with streamer(receiver.upload, "s3cret-value-that-is-long", chunk=7, interval=1.0) as log:
            for piece in (b"a s3cret-", b"value-that", b"-is-long b"):
                await log.write(piece)
                await asyncio.sleep(0.005)
        return b"".join(data for _, (_, _, data) in sorted(receiver.chunks.items()))

    assert asyncio.run(scene()) == b"a [REDACTED] b"


def test_a_slow_server_slows_the_job_down() -> None:
    async def scene() -> None:
        gate = asyncio.Event()

        async def upload(_sequence: int, _offset: int, _size: int, _zipped: bytes) -> None:
            await gate.wait()

        async with streamer(upload) as log:
            await log.write(b"x" * 10 * WAITING)
            writing = asyncio.create_task(log.write(b"x" * 10 * WAITING))
            await asyncio.sleep(0.01)
            assert not writing.done()
            gate.set()
            await writing
        assert log.failed == 0

    asyncio.run(scene())
