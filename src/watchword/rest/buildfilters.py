"""Filters of lists of builds (contract rest-graphql §2.17)."""

import re
from collections.abc import Callable

from watchword.domain.errors import Malformed
from watchword.domain.pipelines import Build, BuildState, branch_fits
from watchword.rest.call import Call
from watchword.rest.formats import read_time
from watchword.services.queries import MAX_SIFTED, Access, Unit

# As the description names them; `meta_data[KEY]` is one for each key.
FILTERS = (
    "branch",
    "commit",
    "state",
    "creator",
    "created_from",
    "created_to",
    "finished_from",
)
_FINISHED = tuple(state.value for state in BuildState if state.ended or state is BuildState.BLOCKED)
_META_DATA = re.compile(r"meta_data\[(.+)\]")

Fits = Callable[[Build], bool]


def require_near(call: Call) -> None:
    """Require that the page is not so far back that reading on would cost too much.

    Raises:
        Malformed: it is.
    """
    if call.page.window.offset >= MAX_SIFTED:
        raise Malformed(
            f"Only the first {MAX_SIFTED} builds can be paged through; narrow the list, as with created_to.",
            code="too_deep",
        )


async def build_filter(call: Call, tx: Unit, access: Access) -> Fits | None:
    """What the query asks of builds; None where it asks nothing.

    Raises:
        Invalid: a time cannot be read.
    """
    checks = [*_names(call), *_times(call)]
    for name, value in call.request.query_params.multi_items():
        key = _META_DATA.fullmatch(name)
        if key is not None:
            found = frozenset(await tx.pipelines.builds_with(access.id, key[1], value))
            checks.append(lambda build, found=found: build.id in found)  # type: ignore[misc]
    return (lambda build: all(check(build) for check in checks)) if checks else None


def _names(call: Call) -> list[Fits]:
    """Checks of branch, commit, state and creator."""
    branches, commits, states, creators = (call.query(name) for name in FILTERS[:4])
    checks: list[Fits] = []
    if branches:
        checks.append(lambda build: any(branch_fits(one, build.branch) for one in branches))
    if commits:
        checks.append(lambda build: build.commit in commits)
    if states:
        wanted = {one for state in states for one in (_FINISHED if state == "finished" else (state,))}
        checks.append(lambda build: build.state.value in wanted or build.blocked_state in wanted)
    if creators:
        checks.append(lambda build: (build.created_by or "") in [one.lower() for one in creators])
    return checks


def _times(call: Call) -> list[Fits]:
    """Checks of the times; `created_to` is the first moment that is too late."""
    created_from, created_to, finished_from = (
        read_time(name, next(iter(call.query(name)), None)) for name in FILTERS[4:]
    )
    checks: list[Fits] = []
    if created_from:
        checks.append(lambda build: build.created_at >= created_from)
    if created_to:
        checks.append(lambda build: build.created_at < created_to)
    if finished_from:
        checks.append(lambda build: build.finished_at >= finished_from)
    return checks
