"""Letters about leaks: one message a person, sorted, a few lines for each case, never a value."""

from collections.abc import Sequence
from dataclasses import dataclass

from watchword.domain.kinds import KINDS, Kind
from watchword.domain.leaks import Outcome, Sighting, Visibility
from watchword.services.context import Context
from watchword.services.leakaudience import Case, Listener, Part
from watchword.services.leakwords import WORKING, done, sees_case, to_do, when

# So many cases are told in full, so many more in a line each; the console has all of them.
_IN_FULL = 25
_IN_A_LINE = 200
_PLACES = 3
_DRILL = "DRILL: "

Told = tuple[Case, Listener]

_SEEN = {
    Visibility.PUBLIC: "in a public place",
    Visibility.PRIVATE: "in a private place",
    Visibility.INTERNAL: "inside the organization",
}
_SHORT = {
    Outcome.HELD: "held for a decision",
    Outcome.QUARANTINED: "quarantined",
    Outcome.RELEASED: "released",
    Outcome.ROTATING: "being rotated",
    Outcome.REVOKED: "revoked",
    Outcome.DEAD: "had ended before",
    Outcome.WOULD: "nothing was done (dry run)",
    Outcome.FAILED: "could not be stopped",
}


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to one person."""

    subject: str
    text: str


def compose(context: Context, told: Sequence[Told], *, drill: bool) -> Letter:
    """One message of cases to one person, sorted by organization, urgency, kind and description.

    Args:
        context: the ground.
        told: the cases, and as what the person is told of each.
        drill: whether all of them are an exercise.
    """
    ordered = sorted(told, key=_order)
    lines = [*_opening(ordered, drill=drill)]
    said = ""
    for number, (case, listener) in enumerate(ordered[: _IN_FULL + _IN_A_LINE], 1):
        if listener.organization.name != said:
            said = listener.organization.name
            lines += ["", said, "-" * len(said)]
        if number <= _IN_FULL:
            lines += ["", *_in_full(context, number, case, listener)]
        else:
            lines.append(f"{number}. {_title(case)}: {_short(case)}")
    if len(ordered) > _IN_FULL + _IN_A_LINE:
        lines += ["", f"And {len(ordered) - _IN_FULL - _IN_A_LINE} more; the console lists all of them."]
    lines += ["", f"Watchword at {context.installation.url}", ""]
    masked = context.recogniser().masked
    return Letter(masked(_subject(ordered, drill=drill)), masked("\n".join(lines)))


def _order(told: Told) -> tuple[str, int, str, str, str]:
    case, listener = told
    kind = KINDS[case.leak.kind].title
    return listener.organization.name, _urgency(case), kind, case.name, case.leak.id


def _urgency(case: Case) -> int:
    """0 where somebody must act now, because everybody can read a value that works; 3 where nothing works."""
    if not case.live or case.leak.outcome in (Outcome.REVOKED, Outcome.DEAD):
        return 3
    if case.leak.outcome not in WORKING:
        return 2
    return 0 if case.leak.visibility is Visibility.PUBLIC else 1


def _subject(told: Sequence[Told], *, drill: bool) -> str:
    before = _DRILL if drill else ""
    if len(told) == 1:
        case, listener = told[0]
        return f"{before}{_title(case)} of {listener.organization.name} leaked: {_short(case)}"
    names = sorted({listener.organization.name for _, listener in told})
    open_ = sum(_urgency(case) < 2 for case, _ in told)  # noqa: PLR2004 - what still works and is not held back
    asked = f", {open_} still work{'s' if open_ == 1 else ''}" if open_ else ""
    return f"{before}{len(told)} tokens leaked{asked}: {', '.join(names)}"


def _opening(told: Sequence[Told], *, drill: bool) -> list[str]:
    lines = []
    if drill:
        lines += [
            "This is a drill: the token was made for it, nothing of yours leaked, nothing is to be done.",
            "",
        ]
    if len(told) == 1:
        return [*lines, "A token was seen where it must not be."]
    return [*lines, f"{len(told)} tokens were seen where they must not be, the most urgent first."]


def _title(case: Case) -> str:
    title = KINDS[case.leak.kind].title
    name = f" {' '.join(case.name.split())!r}" if case.name else ""
    return f"{title[:1].upper()}{title[1:]}{name}"


def _short(case: Case) -> str:
    if not case.live and case.leak.outcome in WORKING:
        return "has ended"
    return _SHORT.get(case.leak.outcome, "it still works")


def _in_full(context: Context, number: int, case: Case, listener: Listener) -> list[str]:
    leak = case.leak
    own = " (yours)" if listener.own else ""
    fields = [("Found", each) for each in _found(case, listener)]
    fields += [
        ("Since", f"{when(leak.exposed_at)}; reported {when(leak.first_at)} by {_reporter(leak.reporter)}"),
        ("Done", done(case)),
        ("To do", to_do(case, listener)),
        *_link(context, case, listener),
    ]
    if listener.part is not Part.REACHED:
        fields.insert(0, ("Token", leak.token_id))
    return [f"{number}. {_title(case)}{own}", *(f"   {name + ':':<7}{text}" for name, text in fields)]


def _found(case: Case, listener: Listener) -> list[str]:
    """Where it was seen; a place that is not public is none of another organization's business."""
    shown = [one for one in case.places if _may_see(one, listener)]
    lines = [_place(one) for one in shown[:_PLACES]] or [_SEEN[case.leak.visibility]]
    further = len(case.places) - len(shown[:_PLACES]) if shown else 0
    return [*lines, f"and in {further} more places"] if further > 0 else lines


def _may_see(place: Sighting, listener: Listener) -> bool:
    return listener.part is not Part.REACHED or place.visibility is Visibility.PUBLIC


def _place(place: Sighting) -> str:
    part = f" ({place.place})" if place.place else ""
    return f"{_SEEN[place.visibility]}{part}{': ' + place.url if place.url else ''}"


def _reporter(name: str) -> str:
    words = {"possession": "somebody who has the value", "person": "a person", "drill": "the drill"}
    return words.get(name, name)


def _link(context: Context, case: Case, listener: Listener) -> list[tuple[str, str]]:
    """A page that the person may open: the case for administrators, the token itself for others."""
    url, slug, leak = context.installation.url, listener.organization.slug, case.leak
    at = f"{url}/organizations/{slug}"
    if sees_case(case, listener):
        return [("Case", f"{at}/leaks/{leak.id}")]
    if listener.part is Part.REACHED:
        return [("Token", f"{at}/tokens/api/{leak.token_id}")]
    if listener.part is Part.MAINTAINER:
        return [("Page", f"{at}/clusters/{case.cluster_id}/agents")]
    if leak.kind is Kind.API_ACCESS and listener.organization.id == case.home.id:
        return [("Case", f"{url}/user/leaks/{leak.id}")]
    if leak.kind is Kind.API_ACCESS:
        return [("Page", f"{url}/user/api-access-tokens/{leak.token_id}")]
    return []
