"""Spreads tasks over this process and forked ones; results come in the order of the tasks."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from watchword.scan.crew import Crew, can_fork

Work = Callable[[Any], Any]


class Spread:
    """Processes that share tasks; the others are forked with this object.

    Args:
        work: turns a task into a result, as for a `Crew`.
        jobs: processes in all; with threads running in this one, it does all by itself.
        ahead: tasks that a process has at a time: one where they are large, more where they are small.
    """

    def __init__(self, work: Work, jobs: int, ahead: int = 1) -> None:
        self._work = work
        self._crew = Crew(work, jobs - 1, ahead) if jobs > 1 and can_fork() else None

    @property
    def shares(self) -> bool:
        """Whether there are other processes."""
        return self._crew is not None

    def results(self, tasks: Iterable[Any]) -> Iterator[Any]:
        """The results; this process takes tasks itself while the others have enough to do."""
        if self._crew is None:
            yield from map(self._work, tasks)
            return
        try:
            yield from self._shared(self._crew, tasks)
        finally:
            self._crew.close()

    def _shared(self, crew: Crew, tasks: Iterable[Any]) -> Iterator[Any]:
        done: dict[int, Any] = {}
        at = 0
        for number, task in enumerate(tasks):
            done.update(crew.results(wait=False))
            if not crew.offer(number, task):
                done[number] = self._work(task)
            while at in done:
                yield done.pop(at)
                at += 1
        while crew.working:
            done.update(crew.results(wait=True))
            while at in done:
                yield done.pop(at)
                at += 1
