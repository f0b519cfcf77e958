"""Who may open which page of the organization's settings: administrators, members, people of elsewhere."""

import pytest

from console_client import Console, new_person
from support import World
from watchword.domain.operations import OPERATIONS, Right
from watchword.services.accounts import create_organization
from watchword.services.context import LOCAL
from watchword.web.app import ROUTES, Route

OURS = [route for route in ROUTES if route.path.startswith("/organizations/{org}/settings")]
# Operations that the golden matrix gives to every member.
_OPEN = (Right.HOLDER, Right.MEMBER)
NOBODY = "0190c0de-0000-7000-8000-000000000000"


def ask(console: Console, route: Route, named: str = NOBODY) -> int:
    path = route.path.replace("{org}", "acme")
    for part in ("user", "team", "invitation", "service", "delivery", "event"):
        path = path.replace(f"{{{part}}}", named)
    answer = console.get(path) if route.method == "GET" else console.post(path, {"once": named})
    return answer.status_code


@pytest.fixture
def stranger(world: World) -> Console:
    """The administrator of another organization, signed in a moment ago."""
    context = world.context
    first = world.run(create_organization(context, LOCAL, "other", "Other", "eve@example.com", "Eve"))
    made = Console(world)
    made.sign_in_as(first.admin)
    return made


def test_people_of_another_organization_find_nothing(stranger: Console) -> None:
    assert OURS
    assert {ask(stranger, route) for route in OURS} == {404}


def test_members_open_what_their_rights_open_and_nothing_else(world: World) -> None:
    member = Console(world)
    member.sign_in_as(new_person(world, "member@example.com"))
    for route in OURS:
        is_open = route.operation is not None and OPERATIONS[route.operation].right in _OPEN
        assert (ask(member, route) == 403) is not is_open, route


@pytest.mark.usefixtures("stranger")
def test_ids_that_are_not_there_and_those_of_elsewhere_answer_alike(admin: Console, world: World) -> None:
    elsewhere = world.run(world.context.store.read(lambda tx: tx.accounts.organization_by_slug("other")))
    assert elsewhere is not None
    user = world.run(world.context.store.read(lambda tx: tx.people.members(elsewhere.id)))[0].user_id
    for route in OURS:
        if "{" in route.path.replace("{org}", ""):
            for named in (NOBODY, user, "nonsense"):
                assert ask(admin, route, named) == 404, (route, named)


def test_nobody_changes_anything_without_the_forms_token(admin: Console) -> None:
    for route in OURS:
        if route.method == "POST":
            path = route.path.replace("{org}", "acme")
            assert admin.post(path, {"csrf": "nonsense"}).status_code == 403
