"""Forked processes that share a scan's work: tasks out, results back, in whatever order they are done."""

import marshal
import os
import select
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_SIZE = 4
# Tasks that a process has at a time. Those that wait must fit into a pipe (64 KiB), or sender and process
# could wait for each other.
AHEAD = 3
TASK_BYTES = 16 << 10


def can_fork() -> bool:
    """Whether a fork is safe: the system has it and no thread runs beside this one."""
    if not hasattr(os, "fork"):
        return False
    try:
        return len(os.listdir("/proc/self/task")) == 1
    except OSError:
        threading = sys.modules.get("threading")
        return threading is None or threading.active_count() == 1


class Crew:
    """Processes that do one kind of work.

    Args:
        work: turns a task into a result; both are what `marshal` can write, a task at most `TASK_BYTES` long.
        count: how many processes are forked, now.
        ahead: tasks that a process has at a time, at most `AHEAD`.
    """

    def __init__(self, work: Callable[[Any], Any], count: int, ahead: int = AHEAD) -> None:
        self._ahead = ahead
        self._out: dict[int, int] = {}  # a process's results -> where its tasks go
        self._busy: dict[int, int] = {}  # a process's results -> tasks that it has
        self._processes: list[int] = []
        for _ in range(count):
            self._fork(work)

    def _fork(self, work: Callable[[Any], Any]) -> None:
        tasks, give = os.pipe()
        results, told = os.pipe()
        process = os.fork()
        if process == 0:
            # The others' ends must not live on here, or they would never see theirs close.
            for one in (give, results, *self._out, *self._out.values()):
                os.close(one)
            _serve(work, tasks, told)
        os.close(tasks)
        os.close(told)
        self._processes.append(process)
        self._out[results] = give
        self._busy[results] = 0

    @property
    def working(self) -> bool:
        """Whether results are still to come."""
        return any(self._busy.values())

    def offer(self, number: int, task: Any) -> bool:  # noqa: ANN401 - whatever marshal can write
        """Give a numbered task to the process that has least to do; False where all have enough."""
        results = min(self._busy, key=self._busy.__getitem__)
        if self._busy[results] >= self._ahead:
            return False
        self._busy[results] += 1
        _write(self._out[results], (number, task))
        return True

    def results(self, *, wait: bool) -> list[tuple[int, Any]]:
        """Results that are there, with the numbers of their tasks; with `wait`, at least one.

        Raises:
            RuntimeError: a process ended before its work was done.
        """
        waiting = [one for one, busy in self._busy.items() if busy]
        ready, _, _ = select.select(waiting, [], [], None if wait else 0)
        return [self._result(one) for one in ready]

    def _result(self, results: int) -> tuple[int, Any]:
        found = _read(results)
        if found is None:
            raise RuntimeError(
                "A process of the scan ended before its work was done; is there enough memory?"
            )
        self._busy[results] -= 1
        number, result = found
        return number, result

    def close(self) -> None:
        """End the processes; what they do now is dropped."""
        for results, give in self._out.items():
            os.close(give)
            os.close(results)
        self._out.clear()
        for process in self._processes:
            with suppress(ChildProcessError):
                os.waitpid(process, 0)
        self._processes.clear()


def _serve(work: Callable[[Any], Any], tasks: int, told: int) -> None:
    status = 1
    try:
        while (given := _read(tasks)) is not None:
            number, task = given
            _write(told, (number, work(task)))
        status = 0
    except (KeyboardInterrupt, BrokenPipeError):
        status = 0
    except BaseException:  # noqa: BLE001 - whatever it is: told here, and seen by the parent as an early end
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


def _write(pipe: int, what: tuple[int, Any]) -> None:
    body = marshal.dumps(what)
    rest = memoryview(len(body).to_bytes(_SIZE, "little") + body)
    while rest:
        rest = rest[os.write(pipe, rest) :]


def _read(pipe: int) -> tuple[int, Any] | None:
    """A number and what belongs to it; None where the other side is gone."""
    size = _exactly(pipe, _SIZE)
    body = _exactly(pipe, int.from_bytes(size, "little")) if size else b""
    return marshal.loads(body) if body else None  # noqa: S302 - our own process wrote it


def _exactly(pipe: int, size: int) -> bytes:
    got = bytearray()
    while len(got) < size:
        more = os.read(pipe, size - len(got))
        if not more:
            return b""
        got += more
    return bytes(got)
