"""Unblocking: the form of a block or input step, and what was filled in."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from litestar import get, post

from watchword.domain.buildsteps import GATES, BuildStep
from watchword.domain.errors import NotFound, WatchwordError
from watchword.services.queries import Access, Unit, find_step
from watchword.services.scheduling import Moved
from watchword.web import states
from watchword.web.forms import Form
from watchword.web.needs import page
from watchword.web.places import BUILD, BuildPlace, find_build_place
from watchword.web.visit import Page, Visit, WebRequest

STEP = BUILD + "/steps/{step:str}"
# Names of a pipeline's fields must not meet those of the console's forms.
_PREFIX = "field-"
_TEMPLATE = "builds/unblock.html"


@dataclass(frozen=True, slots=True)
class Question:
    """One field of the form.

    Attributes:
        options: value and label of each choice; none for a field of text.
        several: whether more than one may be chosen.
        values: what is filled in.
    """

    key: str
    label: str
    hint: str
    required: bool
    options: tuple[tuple[str, str], ...]
    several: bool
    values: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its name in the form."""
        return _PREFIX + self.key


def _question(field: Mapping[str, Any], form: Form | None) -> Question:
    """A field of the step as it is shown: with what was sent, else with its default."""
    key = str(field["key"])
    default = field.get("default")
    given = default if isinstance(default, list) else [default]
    values = tuple(form.texts(_PREFIX + key)) if form else tuple(str(one) for one in given if one is not None)
    options = [(str(one["value"]), str(one["label"])) for one in field.get("options", ())]
    return Question(
        key=key,
        label=str(field.get("text") or field.get("select") or key),
        hint=str(field.get("hint") or ""),
        required=field.get("required", True) is not False,
        options=tuple(options),
        several=bool(field.get("multiple")),
        values=values,
    )


def questions(row: BuildStep, form: Form | None = None) -> list[Question]:
    """The fields of a step."""
    return [
        _question(field, form) for field in row.step.fields if isinstance(field, Mapping) and field.get("key")
    ]


async def _find(visit: Visit, tx: Unit, access: Access) -> tuple[BuildPlace, BuildStep]:
    """The block or input step of the path.

    Raises:
        NotFound: there is none in this build.
    """
    place = await find_build_place(visit, tx, access)
    row = await find_step(tx, access.id, visit.path("step"))
    if row is None or row.build_id != place.build.id or row.step.type not in GATES:
        raise NotFound("No step found")
    return place, row


def _show(
    visit: Visit, place: BuildPlace, row: BuildStep, asked: list[Question], *errors: WatchwordError
) -> Page:
    show = partial(visit.show_again, _TEMPLATE, *errors) if errors else partial(visit.show, _TEMPLATE)
    return show(place=place, row=row, questions=asked, states=states)


@get(STEP, opt=page("job.unblock"))
async def ask(request: WebRequest) -> Page:
    """The form of the step."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> tuple[BuildPlace, BuildStep]:
        return await _find(visit, tx, access)

    place, row = await visit.read(work)
    return _show(visit, place, row, questions(row))


@post(STEP, opt=page("job.unblock"), status_code=200)
async def unblock(request: WebRequest) -> Page:
    """Let the build go on behind the step; what is filled in becomes meta-data of the build."""
    visit = Visit.of(request)
    form = visit.form

    async def work(tx: Unit, access: Access) -> tuple[BuildPlace, Moved]:
        place, row = await _find(visit, tx, access)
        given = {one.key: "\n".join(form.texts(one.name)) for one in questions(row)}
        attempts = visit.authority.attempts
        _, moved = await attempts.unblock_in(tx, access.caller, row, given, access.user.id)
        return place, moved

    async def find(tx: Unit, access: Access) -> tuple[BuildPlace, BuildStep]:
        return await _find(visit, tx, access)

    try:
        place, moved = await visit.write(work)
    except WatchwordError as error:
        place, row = await visit.read(find)
        return _show(visit, place, row, questions(row, form), error)
    visit.authority.attempts.scheduler.settle(moved)
    return visit.go(place.of_build(), done="step-unblocked")


HANDLERS = (ask, unblock)
