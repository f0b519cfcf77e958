"""An agent that joins with its platform's identity token, read anew at each registration."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from agent.agent_scene import Scene
from watchword.agent.errors import ConfigError
from watchword.agent.identitysource import TOKEN_VARIABLE, URL_VARIABLE
from watchword.agent.tokensource import find_source


def test_the_file_is_read_at_each_registration_and_a_newer_token_moves_nobody(tmp_path: Path) -> None:
    scene, file = Scene(tmp_path / "builds", **{"token-refresh": "0.05"}), tmp_path / "identity"
    file.write_text("ey.first\n")
    scene.source = find_source({"identity-token-file": str(file)}, {}, {})
    values = iter(["ey.second", "ey.third"])

    def projected() -> None:
        file.write_text(next(values))

    async def story(scene: Scene) -> None:
        await scene.server.until(lambda: len(scene.server.calls("GET ping")) > 0)
        projected()
        before = len(scene.server.calls("GET ping"))
        await scene.server.until(lambda: len(scene.server.calls("GET ping")) > before + 5)
        scene.stop.ask()

    reading = scene.source.read
    assert reading().reveal() == "ey.first"
    projected()
    assert scene.play(story) == 0
    assert [request.token for request in scene.server.calls("POST register")] == ["ey.second"]
    assert "ey." not in scene.printed


def test_an_identity_token_stands_for_an_agent_token(tmp_path: Path) -> None:
    file = tmp_path / "identity"
    file.write_text("ey.value")
    environ = {"WATCHWORD_AGENT_IDENTITY_TOKEN_FILE": str(file)}
    assert find_source({}, environ, {"token": "bkct_x"}).read().reveal() == "ey.value"
    assert find_source({}, {}, {"identity-token-file": str(file)}).passing
    assert not find_source({"token": "bkct_x"}, environ, {}).passing
    with pytest.raises(ConfigError, match="give one of them"):
        find_source({"token": "bkct_x", "identity-token-file": str(file)}, {}, {})


@pytest.fixture
def github() -> Iterator[tuple[str, list[str]]]:
    """What GitHub puts into a job's environment, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            audience = parse_qs(urlsplit(self.path).query)["audience"][0]
            asked.append(f"{self.headers['authorization']} {audience}")
            body = b'{"value": "ey.github"}' if audience != "refused" else b"{}"
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/token?api-version=2.0", asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_github_is_asked_for_a_token_of_the_audience(github: tuple[str, list[str]]) -> None:
    url, asked = github
    environ = {URL_VARIABLE: url, TOKEN_VARIABLE: "secret"}
    source = find_source({"identity-token-audience": "https://ci.example.com/a?b"}, environ, {})
    assert source.read().reveal() == "ey.github"
    assert asked == ["Bearer secret https://ci.example.com/a?b"]
    with pytest.raises(ConfigError, match="gave no identity token"):
        find_source({"identity-token-audience": "refused"}, environ, {}).read()
    with pytest.raises(ConfigError, match="id-token: write"):
        find_source({"identity-token-audience": "x"}, {}, {}).read()
