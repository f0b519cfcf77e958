"""Forward authentication: what proxies are told of a caller's credential, and nginx by our example."""

import base64
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
import yaml

from client.client_scene import Authority
from support import free_port
from watchword.services.accounts import create_organization
from watchword.services.context import LOCAL

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
NEEDS = "/oauth/forward-auth/acme/api_access:read_builds"


def ask(
    authority: Authority, value: str, needs: str = NEEDS, method: str = "GET", **headers: str
) -> httpx.Response:
    shown = {"Authorization": f"Bearer {value}"} if value else {}
    return httpx.request(method, authority.url + needs, headers={**shown, **headers})


def test_a_live_token_passes_and_is_named(authority: Authority) -> None:
    issued = authority.token("read_builds", "read_user")
    answer = ask(authority, issued.value.reveal())
    assert answer.status_code == 200
    said = {name: value for name, value in answer.headers.items() if name.startswith("x-watchword-")}
    first = authority.server.first
    assert said == {
        "x-watchword-kind": "api_access",
        "x-watchword-token": issued.token.id,
        "x-watchword-organization": "acme",
        "x-watchword-organization-id": first.organization.id,
        "x-watchword-scope": "read_builds read_user",
        "x-watchword-user": first.admin.id,
        # Empty ones too: they take the place of what a caller may have sent itself.
        "x-watchword-agent": "",
        "x-watchword-job": "",
        "x-watchword-cluster": "",
    }


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_envoys_way_of_asking_is_answered_alike(authority: Authority, method: str) -> None:
    value = authority.token("read_builds").value.reveal()
    target = f"{NEEDS}/deep/../path%2F..?scope=none"
    assert ask(authority, value, target, method).status_code == 200
    assert ask(authority, "", target, method).status_code == 401


def test_package_managers_send_it_as_a_password(authority: Authority) -> None:
    value = authority.token("read_builds").value.reveal()
    for pair in (f"buildkite:{value}", f"{value}:"):
        basic = base64.b64encode(pair.encode()).decode()
        assert ask(authority, "", Authorization=f"Basic {basic}").status_code == 200
    assert ask(authority, "", Authorization="Basic %%%").status_code == 401


def test_who_does_not_pass_is_told_why(authority: Authority) -> None:
    revoked = authority.token("read_builds")
    authority.revoke(revoked)
    narrow = authority.token("read_user").value.reveal()
    agent = authority.server.first.agent_token.value.reveal()
    rows = {
        "": (401, "token_missing"),
        "nonsense": (401, "token_malformed"),
        revoked.value.reveal(): (401, "token_revoked"),
        agent: (401, "token_wrong_kind"),
        narrow: (403, "token_scope_missing"),
    }
    for value, (status, code) in rows.items():
        answer = ask(authority, value)
        assert (answer.status_code, answer.json()["error"]) == (status, code)
        word = "insufficient_scope" if status == 403 else "invalid_token"
        assert f'error="{word}"' in answer.headers["www-authenticate"]
        assert not value or value not in answer.text


def test_another_organizations_token_is_not_known(authority: Authority) -> None:
    server = authority.server
    context = server.authority.context
    server.run(create_organization(context, LOCAL, "other", "Other", "o@example.com", "Olga"))
    value = authority.token("read_builds").value.reveal()
    for slug in ("other", "nowhere"):
        answer = ask(authority, value, f"/oauth/forward-auth/{slug}/api_access")
        assert (answer.status_code, answer.json()["error"]) == (401, "token_unknown")


@pytest.mark.parametrize("needs", ["nothing", "api_access:no_such_scope", "api_access,", "%20"])
def test_a_proxy_that_asks_for_what_does_not_exist_lets_nobody_pass(authority: Authority, needs: str) -> None:
    value = authority.token("read_builds").value.reveal()
    assert ask(authority, value, f"/oauth/forward-auth/acme/{needs}").status_code == 404


class Toy(BaseHTTPRequestHandler):
    """What stands behind the proxy; says which headers reach it."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        names = ("Authorization", "X-Watchword-Kind", "X-Watchword-Token")
        self.wfile.write("|".join(self.headers.get(name, "-") for name in names).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


@pytest.fixture
def toy() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Toy)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def nginx(tmp_path: Path, toy: str, authority: Authority) -> Iterator[str]:
    """nginx with our example, its addresses replaced."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    here = f"127.0.0.1:{free_port()}"
    example = (EXAMPLES / "nginx.conf").read_text()
    for placeholder, real in {
        "127.0.0.1:8081": here,
        "127.0.0.1:9000": toy,
        "127.0.0.1:8080": authority.url.removeprefix("http://"),
    }.items():
        assert placeholder in example
        example = example.replace(placeholder, real)
    paths = "".join(
        f"{name}_temp_path {tmp_path}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    head = f"daemon off; pid {tmp_path}/pid; error_log stderr;\nevents {{}}\n"
    whole = f"{head}http {{ access_log off;\n{paths}{example}}}\n"
    (tmp_path / "nginx.conf").write_text(whole)
    with subprocess.Popen([program, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]) as process:
        wait_for(f"http://{here}")
        yield f"http://{here}"
        process.terminate()


def wait_for(url: str) -> None:
    ends = time.monotonic() + 10
    while True:
        try:
            httpx.get(url)
        except httpx.TransportError:
            assert time.monotonic() < ends
            time.sleep(0.02)
            continue
        return


def test_nginx_lets_a_live_token_pass_and_refuses_it_once_it_is_revoked(
    nginx: str, authority: Authority
) -> None:
    issued = authority.token("read_builds")
    shown = {"Authorization": f"Bearer {issued.value.reveal()}", "X-Watchword-Kind": "agent"}
    answer = httpx.get(f"{nginx}/builds", headers=shown)
    assert (answer.status_code, answer.text) == (200, f"-|api_access|{issued.token.id}")
    authority.revoke(issued)
    # The revocation is acknowledged: the very next request is refused, and the reason reaches the caller.
    answer = httpx.get(f"{nginx}/builds", headers=shown)
    assert answer.status_code == 401
    assert "This token was revoked." in answer.headers["www-authenticate"]
    assert httpx.get(f"{nginx}/builds").status_code == 401
    assert httpx.get(f"{nginx}/_watchword", headers=shown).status_code == 404


def test_the_examples_for_traefik_and_envoy_ask_where_answers_are(authority: Authority) -> None:
    traefik = yaml.safe_load((EXAMPLES / "traefik.yml").read_text())
    address = traefik["http"]["middlewares"]["watchword"]["forwardAuth"]["address"]
    envoy = yaml.safe_load((EXAMPLES / "envoy.yaml").read_text())
    chain = envoy["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    service = chain["http_filters"][0]["typed_config"]["http_service"]
    value = authority.token("read_builds").value.reveal()
    for asked in (address.removeprefix("http://127.0.0.1:8080"), service["path_prefix"] + "/builds?page=2"):
        assert ask(authority, value, asked).status_code == 200
        assert ask(authority, "", asked).status_code == 401
