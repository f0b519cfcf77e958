"""Every page and form of the console, called as everybody: answers are what the table of operations says."""

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from console_client import Console, InProcess
from console_things import ABSENT, Things, absent, nowhere, parameters_of, path_of
from databases import SqliteDatabase
from openid_stand_in import Provider
from support import SECOND_US, World
from watchword.app import LazyDocuments
from watchword.domain.operations import OPERATIONS, Right
from watchword.domain.ratelimits import RateLimits
from watchword.services.accounts import create_organization
from watchword.services.authority import Authority
from watchword.services.context import LOCAL
from watchword.services.providers import read_providers
from watchword.web.app import ROUTES, Route
from watchword.web.needs import PERSONAL
from watchword.web.security import HEADERS

GUARDED = (Right.ADMIN, Right.CLUSTER_MAINTAINER, Right.TEAM_MAINTAINER)
IN_ORGANIZATION = [route for route in ROUTES if "{org}" in route.path]
ALONE = [route for route in ROUTES if route.operation == PERSONAL]
POSTS = [route for route in ROUTES if route.method == "POST"]
PROOF = "Confirm that it is you"
# Operations that give something away, end something for good, or change what protects the rest.
GRAVE = {
    *(
        f"{kind}.{verb}"
        for kind in ("agent_token", "unclustered_agent_token")
        for verb in ("create", "revoke", "rotate")
    ),
    "api_token.create",
    "api_token.revoke",
    "api_token.rotate",
    "api_token.remove_organization",
    "organization_settings.update",
    "member.update",
    "member.remove",
    "invitation.create",
    "incident.close",
    "leak.respond",
    "leak.close",
    "leak_policy.update",
}
# Forms of such operations that neither do nor show anything of the kind, each for its reason.
HARMLESS = {
    **{
        f"POST /organizations/{{org}}/{at}/tokens/{{token}}/rotate/extend": "gives holders more time"
        for at in ("clusters/{cluster}", "unclustered")
    },
    "POST /organizations/{org}/settings/preview": "says what settings would do; changes nothing",
}
# What people do with their own without a proof, each for its reason.
LIGHT = {
    "POST /sign-out": "ends one's own session",
    "POST /step-up": "is the proof",
    "POST /user/api-access-tokens/new": "fills a form in",
    "POST /oauth/authorize": "sends whoever has no proof back to its page, which asks for it",
    "POST /user/security/password": "asks for the present password itself",
    "POST /user/security/passkeys/{passkey}/name": "gives a passkey another name",
    "POST /user/security/sessions/{session}/end": "ends one's own session",
    "POST /user/security/sessions/end-others": "ends one's own sessions",
    "POST /user/api-access-tokens/{token}/rotation/extend": "gives a holder more time; neither value changes",
}
# Forms of several things that say "nothing was chosen" before anybody is looked for.
NOTHING_CHOSEN = {"POST /organizations/{org}/members/{user}/tokens"}


# They would end the callers' own sessions.
ENDING = ("/sign-out", "/user/security/sessions/end-others")
# What is no organization's, or is counted for each of its things.
NOBODYS = ("org", "number", "provider", "nonce", "user_code")


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


def right_of(route: Route) -> Right:
    assert route.operation is not None
    return OPERATIONS[route.operation].right


class Company:
    """Callers of every standing, who share one application."""

    def __init__(self, world: World, path: Path) -> None:
        self.world, self.path = world, path
        # Streams end at once: what is asked is who may open them.
        world.authority.following.stop()
        world.authority.windows.stop()
        self.ours = Things(world, world.first)
        other = world.run(
            create_organization(world.context, LOCAL, "other", "Other", "o@example.com", "Olga")
        )
        self.theirs = Things(world, other)
        self.transport = InProcess(world)
        self.stale = self.caller(world.first.admin, fresh=False)  # first: it moves the clock
        self.admin = self.caller(world.first.admin)
        self.maintainer = self.caller(self.ours.maintainer)
        self.member = self.caller(self.ours.member)
        self.stranger = self.caller(other.admin)
        self.nobody = Console(world, transport=self.transport)

    def caller(self, user: Any, *, fresh: bool = True) -> Console:
        made = Console(self.world, transport=self.transport)
        made.sign_in_as(user, fresh=fresh)
        return made


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """One for the file: these tests change nothing, which is one of the things that they hold."""
    database = SqliteDatabase(tmp_path_factory.mktemp("company"))
    world = World(database.path.parent.parent, database)
    provider = Provider(lambda: world.clock.now() / SECOND_US)
    installation = replace(
        world.context.installation,
        single_sign_on=read_providers([provider.table()]),
        rate_limits=RateLimits(oauth_failures=0),
    )
    world.authority = Authority.wire(replace(world.context, installation=installation))
    world.authority.portals.documents = LazyDocuments(world.authority)
    world.run(world.authority.load())
    yield Company(world, database.path)
    world.close()
    provider.close()


def call(console: Console, route: Route, path: str, **fields: Any) -> httpx.Response:
    return console.get(path) if route.method == "GET" else console.post(path, {"once": "x", **fields})


def leads_to_the_door(answer: httpx.Response) -> bool:
    return answer.status_code == 303 and answer.headers["location"].startswith("/sign-in")


def rows_of(company: Company, organization_id: str) -> dict[str, list[str]]:
    """Everything that the database has of an organization."""
    found = {}
    with sqlite3.connect(company.path) as database:
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            names = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            if "organization_id" in names:
                query = f"SELECT * FROM {table} WHERE organization_id = ?"
                found[table] = sorted(map(repr, database.execute(query, (organization_id,))))
    return found


# -- who ---------------------------------------------------------------------------------------------


def test_nobody_sees_more_than_the_door(company: Company) -> None:
    for route in ROUTES:
        answer = call(company.nobody, route, path_of(route, company.ours))
        assert leads_to_the_door(answer) is (route.operation is not None), (route, answer.status_code)
        assert answer.status_code < 500, route


def test_strangers_learn_nothing_of_an_organization(company: Company) -> None:
    for route in IN_ORGANIZATION:
        answers = set()
        for slug in ("acme", "nowhere"):
            path = path_of(route, company.ours, org=slug)
            answer = call(company.stranger, route, path)
            answers.add((answer.status_code, answer.text.replace(slug, "ORG")))
        ((status, _),) = answers
        # A proof is asked before anything is looked up: it says nothing of what is there.
        assert status == 404, (route, status)


def test_members_are_refused_wherever_the_policy_says_so_and_nowhere_else(company: Company) -> None:
    refused = 0
    for route in IN_ORGANIZATION:
        if right_of(route) in GUARDED:
            status = call(company.member, route, path_of(route, company.ours)).status_code
            assert status == 403, (route, status)
            refused += 1
        elif route.method == "GET":
            own = {"token": company.ours.theirs.token.id} if "/tokens/api/" in route.path else {}
            if "/dagster/tokens/user/" in route.path:
                own = {"token": company.ours.dagster_theirs.token.id}
            status = company.member.get(path_of(route, company.ours, **own)).status_code
            assert status < 400, (route, status)
        else:
            status = call(company.member, route, nowhere(route, company.ours)).status_code
            assert status not in (401, 403), (route, status)
    assert refused > 20


def test_administrators_open_every_page_and_are_refused_no_form(company: Company) -> None:
    for route in ROUTES:
        if route.operation is None:
            continue
        if route.method == "GET":
            status = company.admin.get(path_of(route, company.ours)).status_code
            assert status < 400, (route, status)
        elif route.path not in ENDING:
            status = call(company.admin, route, nowhere(route, company.ours)).status_code
            # Forms without a place in their path are the person's own: a wrong proof is refused there.
            assert status not in (401, 403) or not parameters_of(route), (route, status)
            assert status < 500, (route, status)


def test_maintainers_may_in_their_cluster_and_in_no_other(company: Company) -> None:
    tried = 0
    for route in IN_ORGANIZATION:
        if right_of(route) is Right.CLUSTER_MAINTAINER and "{cluster}" in route.path:
            for cluster in (company.ours.other_cluster.id, ABSENT):
                path = path_of(route, company.ours, cluster=cluster)
                assert call(company.maintainer, route, path).status_code == 403, route
            if route.method == "GET":
                path = path_of(route, company.ours)
                assert company.maintainer.get(path).status_code < 400, route
            tried += 1
        elif right_of(route) is Right.ADMIN:
            path = path_of(route, company.ours)
            assert call(company.maintainer, route, path).status_code == 403, route
    assert tried > 5


def test_another_organizations_things_are_like_absent_ones(company: Company) -> None:
    before = rows_of(company, company.theirs.first.organization.id)
    assert len([table for table, rows in before.items() if rows]) > 10
    tried = 0
    for route in ROUTES:
        if route.operation is None:
            continue
        theirs = company.theirs.named(route.path)
        for name in parameters_of(route):
            if name in NOBODYS:
                continue
            answers = []
            for value in (theirs[name], absent(name)):
                answer = call(company.admin, route, path_of(route, company.ours, **{name: value}))
                text = re.sub(r'name="once" value="[^"]*"', "", answer.text.replace(value, "ID"))
                where = answer.headers.get("location", "").replace(value, "ID")
                answers.append((answer.status_code, where, text))
            assert answers[0] == answers[1], (route, name)
            assert name_of(route) in NOTHING_CHOSEN or 400 <= answers[0][0] < 500, (
                route,
                name,
                answers[0][:2],
            )
            tried += 1
    assert tried > 30
    assert rows_of(company, company.theirs.first.organization.id) == before


# -- how ---------------------------------------------------------------------------------------------


def require_headers(answer: httpx.Response, route: Route) -> None:
    for name, value in HEADERS:
        assert answer.headers.get_list(name) == [value], (route, name)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    if route.path.startswith("/static/") and answer.status_code == 200:
        return
    assert answer.headers.get_list("cache-control") == ["no-store"], route
    assert answer.headers["strict-transport-security"], route


def test_every_answer_has_the_headers_that_hold_browsers_back(company: Company) -> None:
    for route in ROUTES:
        for console in (company.nobody, company.member, company.admin):
            if route.path in ENDING:
                continue
            answer = call(console, route, nowhere(route, company.ours))
            require_headers(answer, route)
            if route.method == "GET" and console is company.admin:
                require_headers(console.get(path_of(route, company.ours)), route)
            if answer.status_code >= 400:
                assert answer.headers["content-type"].startswith("text/html"), route


def test_every_form_is_refused_without_its_token_and_from_other_sites(company: Company) -> None:
    before = rows_of(company, company.ours.first.organization.id)
    for route in POSTS:
        path = path_of(route, company.ours)
        for fields, site in (
            ({"csrf": ""}, "same-origin"),
            ({"csrf": "0" * 64}, "same-origin"),
            ({"csrf": company.member.csrf()}, "same-origin"),
            ({}, "cross-site"),
            ({}, "same-site"),
        ):
            answer = company.admin.post(path, {"once": "x", **fields}, sec_fetch_site=site)
            assert answer.status_code == 403, (route, fields, site)
            assert re.search(r"form_out_of_date|cross_site", answer.text), route
    assert rows_of(company, company.ours.first.organization.id) == before


def test_what_needs_a_fresh_proof_asks_for_it_and_nothing_else_does(company: Company) -> None:
    stale = company.stale
    before = rows_of(company, company.ours.first.organization.id)
    asked = 0
    for route in ROUTES:
        if route.fresh:
            answer = call(stale, route, path_of(route, company.ours), kept="<word>")
            assert answer.status_code == 200, (route, answer.status_code)
            assert PROOF in answer.text, route
            assert ("&lt;word&gt;" in answer.text) is (route.method == "POST"), route
            asked += 1
        elif route.method == "GET" and route.operation is not None:
            assert PROOF not in stale.get(path_of(route, company.ours)).text, route
    assert asked > 10
    assert rows_of(company, company.ours.first.organization.id) == before


def test_what_mints_reveals_or_revokes_is_among_it() -> None:
    for route in POSTS:
        if name_of(route) in HARMLESS or name_of(route) in LIGHT:
            assert not route.fresh, f"{name_of(route)} asks for a proof: take it off the list"
        elif route.operation == PERSONAL:
            assert route.fresh, f"{name_of(route)} asks for no proof: let it, or say why it need not"
        elif route.operation in GRAVE:
            assert route.fresh, f"{name_of(route)} performs {route.operation} without a proof"
    known = {name_of(route) for route in POSTS}
    assert {*HARMLESS, *LIGHT} <= known


def test_every_page_is_for_somebody(company: Company) -> None:
    """A page that opens for nobody, whoever they are, would hide what the other tests hold."""
    for route in ROUTES:
        if route.method == "GET" and route.operation is None and "static" not in route.path:
            answer = company.nobody.get(path_of(route, company.ours))
            assert answer.status_code < 500, route
