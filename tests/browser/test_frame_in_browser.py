"""The frame of every page in a real browser: signing in, staying up to date, keys, themes, small screens."""

from playwright.sync_api import expect

from console_client import PASSWORD, PASSWORD_HASH
from journeys import Begin, Journey
from support import LiveServer
from watchword.services.accounts import add_cluster
from watchword.services.context import LOCAL


def _give_password(server: LiveServer) -> None:
    store = server.authority.context.store
    server.run(store.write(lambda tx: tx.people.set_password(server.first.admin.id, PASSWORD_HASH, 1)))


def _add_cluster(server: LiveServer, name: str) -> None:
    context = server.authority.context
    organization = server.first.organization.id
    server.run(context.store.write(lambda tx: add_cluster(context, tx, LOCAL, organization, name)))


def test_signing_in_with_a_password_and_out_again(begin: Begin, server: LiveServer) -> None:
    _give_password(server)
    journey = begin()
    page = journey.page
    journey.go("clusters")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    journey.require_accessible()
    page.get_by_label("Email").fill("admin@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Clusters")).to_be_visible()
    page.get_by_text("Ada Admin").click()
    page.get_by_role("button", name="Sign out").click()
    assert journey.status == "You are signed out."
    journey.require_kept_secret(PASSWORD, shown=0)


def test_a_page_shows_what_others_do_without_a_reload(journey: Journey, server: LiveServer) -> None:
    journey.go("clusters")
    _add_cluster(server, "Build <b>farm</b>")
    expect(journey.page.get_by_role("link", name="Build <b>farm</b>")).to_be_visible()


def test_pages_work_without_scripts(begin: Begin, server: LiveServer) -> None:
    _give_password(server)
    journey = begin(java_script_enabled=False)
    journey.expected.append("404")
    page = journey.page
    journey.go("clusters")
    page.get_by_label("Email").fill("admin@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="New cluster").click()
    page.get_by_label("Name").fill("Without scripts")
    page.get_by_role("button", name="Create the cluster").click()
    journey.go("clusters")
    expect(page.get_by_role("link", name="Without scripts")).to_be_visible()


def test_keys_lead_through_a_list_and_never_while_one_types(journey: Journey, server: LiveServer) -> None:
    _add_cluster(server, "Second")
    page = journey.page
    journey.go("clusters")
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="Second", exact=True)).to_be_focused()
    page.keyboard.press("k")
    expect(page.get_by_role("link", name="Default", exact=True)).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Default", exact=True)).to_be_focused()
    page.keyboard.press("n")
    page.wait_for_url("**/clusters/new")
    page.get_by_label("Name").press_sequentially("njk/?")
    expect(page.get_by_label("Name")).to_have_value("njk/?")


def test_what_is_wrong_with_a_form_is_read_first(journey: Journey) -> None:
    journey.expected.append("422")
    page = journey.page
    journey.go("clusters/new")
    page.get_by_label("Name").fill("x" * 300)
    page.get_by_role("button", name="Create the cluster").click()
    expect(page.get_by_role("alert")).to_be_focused()
    journey.require_accessible()
    page.get_by_role("alert").get_by_role("link").click()
    expect(page.get_by_label("Name")).to_be_focused()


def test_a_small_screen_needs_no_scrolling_to_the_side(begin: Begin, server: LiveServer) -> None:
    journey = begin(viewport={"width": 320, "height": 640})
    journey.sign_in_as(server.first.admin)
    for path in ("clusters", "clusters/new"):
        journey.go(path)
        journey.require_no_overflow()


def test_the_theme_that_is_chosen_stays(journey: Journey) -> None:
    page = journey.page
    journey.go("clusters")
    page.get_by_role("button", name="Switch between light and dark").click()
    assert journey.status == "Dark theme."
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    journey.require_accessible()
