"""What holds for every page: who may open it, what stands around it, and where forms may come from."""

import asyncio

import pytest

from console_client import PASSWORD, Console, new_person, set_password
from support import World
from watchword.services.accounts import add_cluster
from watchword.services.context import LOCAL
from watchword.services.people import disable_person
from watchword.web.security import SESSION_COOKIE, is_loopback
from watchword.web.visit import is_local


def test_whoever_is_not_signed_in_is_led_to_the_door_and_comes_back(visitor: Console, world: World) -> None:
    set_password(world, world.first.admin)
    assert visitor.get("clusters?page=2").headers["location"] == (
        "/sign-in?to=%2Forganizations%2Facme%2Fclusters%3Fpage%3D2"
    )
    fields = {"email": "admin@example.com", "password": PASSWORD, "to": "/organizations/acme/clusters?page=2"}
    visitor.get("/sign-in")
    answer = visitor.post("/sign-in", fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/organizations/acme/clusters?page=2")
    assert visitor.get("clusters").status_code == 200
    visitor.post("/sign-out")
    assert visitor.get("clusters").headers["location"].startswith("/sign-in?")


def test_a_wrong_password_says_nothing_of_who_exists_and_keeps_the_address(visitor: Console) -> None:
    visitor.get("/sign-in")
    answer = visitor.post("/sign-in", {"email": "eve@example.com", "password": "wrong"})
    assert answer.status_code == 401
    assert "Email, password or code is wrong. sign_in_refused" in visitor.text()
    assert 'value="eve@example.com"' in answer.text
    assert "wrong" not in answer.text.replace("is wrong", "")


@pytest.mark.parametrize("target", ["//evil.example", "/\\evil.example", "https://evil.example", "/a\nb"])
def test_the_way_back_stays_on_this_server(visitor: Console, world: World, target: str) -> None:
    set_password(world, world.first.admin)
    visitor.get("/sign-in")
    fields = {"email": "admin@example.com", "password": PASSWORD, "to": target}
    assert visitor.post("/sign-in", fields).headers["location"] == "/"
    assert not is_local(target)


def test_forms_of_other_sites_are_refused_however_good_their_token_is(admin: Console) -> None:
    for site in ("cross-site", "same-site", "none"):
        assert admin.post("clusters", {"name": "x"}, sec_fetch_site=site).status_code == 403
        assert "cross_site" in admin.text()
    data = {"csrf": admin.csrf(), "name": "x"}
    foreign = admin.http.post(
        "/organizations/acme/clusters", data=data, headers={"origin": "https://evil.example"}
    )
    assert foreign.status_code == 403
    own = {"origin": "https://watchword.example"}
    assert admin.http.post("/organizations/acme/clusters", data=data, headers=own).status_code == 303


@pytest.mark.parametrize("token", ["", "0" * 64, "é"])
def test_a_form_without_the_visitors_own_token_is_refused(admin: Console, token: str) -> None:
    assert admin.post("clusters", {"name": "x", "csrf": token}).status_code == 403
    assert "form_out_of_date" in admin.text()


def test_a_token_of_another_session_is_worth_nothing(admin: Console, world: World) -> None:
    other = Console(world)
    other.sign_in_as(world.first.admin)
    assert admin.post("clusters", {"name": "x", "csrf": other.csrf()}).status_code == 403


def test_every_page_keeps_out_of_caches_and_frames_and_runs_no_foreign_script(
    admin: Console, visitor: Console
) -> None:
    answers = [admin.get("clusters"), admin.get("nothing"), visitor.get("/sign-in"), visitor.get("clusters")]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "require-trusted-types-for 'script'" in policy
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["strict-transport-security"]
    assert "style=" not in answers[0].text
    cookie = visitor.http.get("/sign-in").headers
    assert all("Secure; HttpOnly; SameSite=Lax" in one for one in cookie.get_list("set-cookie"))


def test_files_have_an_address_of_their_content_and_are_kept_for_ever(visitor: Console) -> None:
    visitor.get("/sign-in")
    found = [link for link in visitor.links() if link.startswith("/static/")]
    assert found
    for link in found:
        answer = visitor.get(link)
        assert (answer.status_code, answer.headers["cache-control"]) == (
            200,
            "public, max-age=31536000, immutable",
        )
        assert visitor.get(link.replace(link.split("/")[2], "0" * 16)).status_code == 404
    assert visitor.get("/static/x/..%2f__init__.py").status_code == 404


def test_what_is_absent_and_what_is_foreign_look_alike(world: World) -> None:
    stranger = Console(world)
    person = new_person(world, "member@example.com")
    stranger.sign_in_as(person)
    absent = stranger.get("/organizations/nowhere/clusters")
    world.run(world.context.store.write(lambda tx: tx.members.remove(world.first.organization.id, person.id)))
    foreign = stranger.get("clusters")
    assert absent.status_code == foreign.status_code == 404
    assert absent.text == foreign.text


def test_an_error_shows_its_code_and_the_requests_id_to_copy(admin: Console) -> None:
    answer = admin.get("nothing/here")
    assert answer.status_code == 404
    assert "no_such_path" in admin.text()
    assert 'id="f-request-id"' in answer.text
    assert 'value="r-1"' in answer.text


def test_a_form_that_does_not_fit_comes_again_with_what_was_typed(admin: Console) -> None:
    answer = admin.post("clusters", {"name": "", "description": "for <b>them</b>"})
    assert answer.status_code == 422
    assert "invalid_name" in admin.text()
    assert "for &lt;b&gt;them&lt;/b&gt;" in answer.text
    assert 'aria-describedby="h-name e-name" aria-invalid="true"' in answer.text


def test_members_see_clusters_and_may_not_make_any(world: World) -> None:
    member = Console(world)
    member.sign_in_as(new_person(world, "member@example.com"))
    assert "New cluster" not in member.get("clusters").text
    assert member.get("clusters/new").status_code == 403
    assert member.post("clusters", {"name": "x"}).status_code == 403


def test_pages_of_a_disabled_persons_session_lead_to_the_door(admin: Console, world: World) -> None:
    world.run(disable_person(world.context, LOCAL, world.first.admin.email))
    assert admin.get("clusters").headers["location"].startswith("/sign-in")


def test_over_plain_http_from_elsewhere_nobody_can_sign_in(visitor: Console) -> None:
    visitor.transport.encrypted = False
    page = visitor.get("/sign-in", host="watchword.internal:8080")
    assert 'type="password"' not in page.text
    assert "Nobody can sign in here" in visitor.text()
    assert "--tls-cert" in visitor.text()
    answer = visitor.post("/sign-in", {"email": "admin@example.com", "password": PASSWORD})
    assert answer.status_code == 403
    assert SESSION_COOKIE not in visitor.http.cookies


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost:8080", True),
        ("127.0.0.1", True),
        ("[::1]:80", True),
        ("build.localhost", True),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("10.0.0.1", False),
        ("[", False),
        ("", False),
    ],
)
def test_what_counts_as_this_very_machine(host: str, *, local: bool) -> None:
    assert is_loopback(host) is local


def test_an_open_page_hears_what_changed(world: World) -> None:
    world.authority.following.pause = 0.001
    organization = world.first.organization.id

    async def hear() -> list[frozenset[str]]:
        position = await world.context.store.read(lambda tx: tx.trail.last(organization))
        stream = world.authority.following.changes(organization, position)
        first = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        await world.context.store.write(
            lambda tx: add_cluster(world.context, tx, LOCAL, organization, "another")
        )
        heard: list[frozenset[str]] = []
        while not heard:
            _, kinds = await first
            heard += [kinds] if kinds else []
            first = asyncio.ensure_future(anext(stream))
        world.authority.following.stop()
        with pytest.raises(StopAsyncIteration):
            await first
        late = world.authority.following.changes(organization, 0)
        assert (await anext(late))[1] == {"*"}
        return heard

    assert world.run(hear()) == [frozenset({"cluster"})]
