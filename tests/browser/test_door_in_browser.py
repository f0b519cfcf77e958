"""The door in a real browser: passkeys, codes, single sign-on, links; and a person's own security."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from console_client import PASSWORD, PASSWORD_HASH
from journeys import Begin, Journey, Witness
from openid_stand_in import Provider
from support import LiveServer, free_port
from watchword.crypto.sealing import unseal
from watchword.store.base import EVERYTHING

EMAIL = "admin@example.com"
FRESH = "a wholly new phrase"
SECURITY = "/user/security"


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.close()


@pytest.fixture
def server(tmp_path: Path, witness: Witness, provider: Provider) -> Iterator[LiveServer]:
    """A server that has a name, as passkeys need it, and a provider."""
    port = free_port()
    made = LiveServer(
        tmp_path,
        listen=f"127.0.0.1:{port}",
        url=f"http://localhost:{port}",
        single_sign_on=[provider.table()],
        watch=witness.around,
    )
    store = made.authority.context.store
    made.run(store.write(lambda tx: tx.people.set_password(made.first.admin.id, PASSWORD_HASH, 1)))
    yield made
    made.close()


def letter(server: LiveServer) -> str:
    """The link in the latest mail."""
    context = server.authority.context
    server.run(server.authority.resets.work_off())
    (row, *_) = server.run(context.store.read(lambda tx: tx.mails.list(EVERYTHING)))
    opened = unseal(context.keys, row.body, f"mail:{row.id}")
    assert opened is not None
    found = re.search(r"http\S+#\S+", opened.decode())
    assert found is not None
    return found[0]


def type_password(page: Page, password: str = PASSWORD) -> None:
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def give_authenticator(journey: Journey) -> None:
    """A virtual authenticator that verifies its user without asking."""
    session = journey.context.new_cdp_session(journey.page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def require_inside(page: Page) -> None:
    expect(page.get_by_text("Ada Admin: your account")).to_be_visible()


def test_a_passkey_is_registered_and_opens_the_door_alone(journey: Journey) -> None:
    page = journey.page
    give_authenticator(journey)
    journey.go(SECURITY)
    journey.require_accessible()
    page.get_by_role("link", name="Register a passkey").click()
    journey.require_accessible()
    page.get_by_label("Name").fill("Laptop")
    page.get_by_role("button", name="Register the passkey").click()
    codes = page.get_by_label("Recovery codes").input_value()
    assert len(codes.split()) == 10
    journey.require_accessible()
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_role("row", name="Laptop")).to_be_visible()
    journey.require_kept_secret(codes.split()[0])
    page.get_by_text("Ada Admin: your account").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.get_by_role("button", name="Sign in with a passkey").click()
    require_inside(page)


def test_a_passkey_follows_the_password_and_confirms(journey: Journey, server: LiveServer) -> None:
    page = journey.page
    give_authenticator(journey)
    journey.go(SECURITY + "/passkeys/new")
    page.get_by_label("Name").fill("Laptop")
    page.get_by_role("button", name="Register the passkey").click()
    page.get_by_role("link", name="I have kept them").click()
    page.get_by_text("Ada Admin: your account").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    journey.go(SECURITY)
    type_password(page)
    journey.require_accessible()
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Passkeys")).to_be_visible()
    store = server.authority.context.store
    (session,) = server.run(server.authority.signing_in.sessions(server.first.admin.id))[:1]
    server.run(store.write(lambda tx: tx.sessions.escalate(session.id, 1)))
    page.get_by_role("button", name="Remove the passkey Laptop").click()
    journey.require_accessible()
    page.get_by_role("button", name="Confirm with a passkey").click()
    assert journey.status.startswith("The passkey is removed")


def test_an_app_is_set_up_and_its_code_asked_for(journey: Journey) -> None:
    page = journey.page
    journey.expected.append("422")
    journey.go(SECURITY)
    page.get_by_role("button", name="Set up an app").click()
    app = pyotp.TOTP(page.get_by_label("Secret").input_value())
    journey.require_accessible()
    page.get_by_label("Code", exact=True).fill("000000")
    page.get_by_role("button", name="Turn the app on").click()
    page.get_by_label("Code", exact=True).fill(app.now())
    page.get_by_role("button", name="Turn the app on").click()
    codes = page.get_by_label("Recovery codes").input_value().split()
    page.get_by_role("link", name="I have kept them").click()
    page.get_by_text("Ada Admin: your account").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    journey.go(SECURITY)
    type_password(page)
    journey.require_accessible()
    page.get_by_label("Code", exact=True).fill(codes[0])
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("9 codes left")).to_be_visible()
    journey.require_kept_secret(codes[1])


def test_the_way_to_a_provider_and_back(begin: Begin, provider: Provider) -> None:
    journey = begin()
    journey.outside.append(provider.issuer)
    page = journey.page
    journey.go(SECURITY)
    journey.require_accessible()
    page.get_by_role("link", name="Sign in with Corp").click()
    page.get_by_role("link", name="Go on as Ada").click()
    expect(page.get_by_role("heading", name="Sessions")).to_be_visible()
    expect(page.get_by_text("single sign-on: corp")).to_be_visible()


def test_a_forgotten_password_is_set_by_the_link_in_the_mail(begin: Begin, server: LiveServer) -> None:
    journey = begin()
    page = journey.page
    journey.go("/sign-in")
    page.get_by_role("link", name="Forgot your password?").click()
    journey.require_accessible()
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_role("button", name="Send the link").click()
    journey.require_accessible()
    link = letter(server)
    journey.go(link.removeprefix(server.url))
    expect(page.get_by_label("Link")).to_be_hidden()
    assert "#" not in page.url
    journey.require_accessible()
    page.get_by_label("New password").fill(FRESH)
    page.get_by_role("button", name="Set the password").click()
    assert journey.status.startswith("Your password is set")
    type_password(page, FRESH)
    require_inside(page)
    value = link.partition("#")[2]
    for text in (*journey.witness.addresses, *(path for path, _ in journey.witness.bodies), page.url):
        assert value not in text


def test_without_scripts_the_link_is_pasted(begin: Begin, server: LiveServer) -> None:
    journey = begin(java_script_enabled=False)
    page = journey.page
    journey.go("/forgot-password")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_role("button", name="Send the link").click()
    link = letter(server)
    journey.go(link.removeprefix(server.url))
    page.get_by_label("Link").fill(link)
    page.get_by_label("New password").fill(FRESH)
    page.get_by_role("button", name="Set the password").click()
    assert journey.status.startswith("Your password is set")
    expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_hidden()
    type_password(page, FRESH)
    require_inside(page)


def test_the_first_administrators_link_of_a_real_server_opens_the_console(
    tmp_path: Path, browser: Browser
) -> None:
    command = [sys.executable, "-m", "watchword", "up", "--no-agent", "--listen", "127.0.0.1:0"]
    output = tmp_path / "output"
    with output.open("w") as file:
        process = subprocess.Popen(
            [*command, "--data", str(tmp_path / "data")], stdout=file, stderr=file, cwd=tmp_path
        )
    try:
        link = _printed(output)
        context = browser.new_context()
        page = context.new_page()
        page.goto(link)
        page.get_by_label("New password").fill(FRESH)
        page.get_by_role("button", name="Set the password and sign in").click()
        page.wait_for_url(lambda url: urlsplit(url).path == "/organizations/acme")
        context.close()
    finally:
        process.terminate()
        assert process.wait(20) == 0


def _printed(output: Path) -> str:
    """The link, as soon as the server has printed it."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        found = re.search(r"http\S+/welcome#\S+", output.read_text())
        if found is not None:
            return found[0]
        time.sleep(0.05)
    raise AssertionError(output.read_text())
