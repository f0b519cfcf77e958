"""Transport of REST as clients of many makes use it: paths, verbs, bodies, headers, links, errors."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest

from support import LiveServer


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


class Wire:
    """Sends requests just as they are written."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.token = server.first.api_token.value.reveal()

    def __call__(
        self, method: str, path: str, body: bytes | None = None, token: str | None = None, **headers: str
    ) -> Answer:
        connection = http.client.HTTPConnection(urlsplit(self.server.url).netloc)
        value = self.token if token is None else token
        given = {"Authorization": f"Bearer {value}"} if value else {}
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        connection.request(method, path, body=body, headers=given | named)
        response = connection.getresponse()
        answer = Answer(
            response.status, {name.lower(): text for name, text in response.getheaders()}, response.read()
        )
        connection.close()
        return answer


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    folder: Path = tmp_path_factory.mktemp("transport")
    server = LiveServer(folder, limit_rest_user=0)
    yield Wire(server)
    server.close()


@pytest.mark.parametrize(
    "path",
    ["/v2/user", "/v2/user/", "//v2/user", "/v2//user", "//v2//user//", "/v2/user?per_page=100&page=0"],
)
def test_a_path_is_understood_with_more_slashes_and_without_a_redirect(wire: Wire, path: str) -> None:
    answer = wire("GET", path)
    assert (answer.status, answer.json["email"]) == (200, "admin@example.com")


def test_writes_are_understood_with_more_slashes_too(wire: Wire) -> None:
    made = wire("POST", "//v2/organizations/acme/clusters/", b'{"name": "Slashes"}')
    assert made.status == 201
    assert wire("DELETE", f"/v2/organizations/acme//clusters/{made.json['id']}/").status == 204


def test_the_root_greets_whoever_asks(wire: Wire) -> None:
    answer = wire("GET", "/", token="")
    assert answer.status == 200
    assert set(answer.json) == {"message", "timestamp"}
    assert isinstance(answer.json["message"], str)
    assert isinstance(answer.json["timestamp"], int)


def test_updates_take_both_verbs(wire: Wire) -> None:
    made = wire("POST", "/v2/organizations/acme/clusters", b'{"name": "Verbs"}').json
    path = f"/v2/organizations/acme/clusters/{made['id']}"
    for verb in ("PUT", "PATCH"):
        changed = wire(verb, path, json.dumps({"description": verb}).encode())
        assert (changed.status, changed.json["description"], changed.json["name"]) == (200, verb, "Verbs")
    assert wire("DELETE", path).status == 204


def test_a_body_is_json_whatever_its_type_says_and_may_be_empty(wire: Wire) -> None:
    cluster = wire.server.first.cluster.id
    queue = f"/v2/organizations/acme/clusters/{cluster}/queues/{wire.server.first.queue.id}"
    paused = wire("POST", f"{queue}/pause_dispatch", None)
    assert (paused.status, paused.json["dispatch_paused"]) == (200, True)
    resumed = wire("POST", f"{queue}/resume_dispatch", b"", Content_Type="application/x-www-form-urlencoded")
    assert (resumed.status, resumed.json["dispatch_paused"]) == (200, False)
    named = wire("PUT", queue, b'{"description": "d"}', Content_Type="text/plain")
    assert (named.status, named.json["description"]) == (200, "d")
    assert wire("PUT", queue, b" \n").status == 200
    assert wire("PUT", queue, b'{"description": ",}\\",]", }').json["description"] == ',}",]'
    for broken in (b"{", b'{"description": "x",,}', b'{"key": [1,,]}', b'{"description": "x" "y",}', b"\xff"):
        answer = wire("PUT", queue, broken)
        assert (answer.status, answer.json["code"]) == (400, "invalid_json")


def test_every_error_is_a_json_object_with_a_message(wire: Wire) -> None:
    for method, path, status in (
        ("GET", "/v2/nothing", 404),
        ("GET", "/v2", 404),
        ("GET", "/nothing", 404),
        ("POST", "/v2/user", 405),
        ("DELETE", "/v2/organizations", 405),
        ("GET", "/v2/organizations/none", 404),
        ("GET", "/v2/organizations/acme/agents/none", 404),
        ("GET", "/v2/organizations/acme/agents/%ff", 404),
    ):
        answer = wire(method, path)
        assert answer.status == status, (method, path)
        assert answer.headers["content-type"] == "application/json"
        assert isinstance(answer.json["message"], str)
    assert wire("POST", "/v2/user").headers["allow"] == "GET, OPTIONS"
    nobody = wire("GET", "/v2/user", token="")
    assert nobody.status == 401
    assert nobody.json["message"].startswith(
        "Authentication required. Please supply a valid API Access Token"
    )


def test_browsers_of_other_origins_may_read_answers(wire: Wire) -> None:
    for answer in (wire("GET", "/v2/user"), wire("GET", "/v2/user", token=""), wire("GET", "/v2/nothing")):
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["access-control-expose-headers"] == "Link"
    asked = wire("OPTIONS", "/v2/user", token="")
    assert asked.status == 204
    assert "authorization" in asked.headers["access-control-allow-headers"].lower()


def test_a_token_in_the_query_is_not_heard(wire: Wire) -> None:
    for name in ("api_key", "access_token", "token"):
        assert wire("GET", f"/v2/user?{name}={wire.token}", token="").status == 401
    basic = wire("GET", "/v2/user", token="", Authorization=f"Basic {wire.token}")
    assert basic.status == 401


def test_answers_without_a_body_have_no_content_type(wire: Wire) -> None:
    made = wire("POST", "/v2/organizations/acme/clusters", b'{"name": "Gone"}').json
    gone = wire("DELETE", f"/v2/organizations/acme/clusters/{made['id']}")
    assert (gone.status, gone.content) == (204, b"")
    assert "content-type" not in gone.headers


def three_readers(header: str) -> list[dict[str, int]]:
    """Pages by relation, as three clients read the one header (contract rest-graphql §1.6).

    The first reads the query of each address. The second cuts at `, `, `; `, `&` and `=` and takes the
    number as it stands. The third finds relation and address by their marks.
    """
    by_query, by_cutting, by_marks = {}, {}, {}
    for part in header.split(", "):
        address, relation = part.split("; ", 1)
        name = relation.removeprefix('rel="').removesuffix('"')
        by_query[name] = int(parse_qs(urlsplit(address.strip("<>")).query)["page"][0])
        for segment in urlsplit(address).query.split("&"):
            key, value = segment.split("=", 1)
            if key == "page":
                by_cutting[name] = int(value)
    for part in header.split(","):
        address, _, relation = part.partition(">; rel=")
        by_marks[relation.strip('"')] = int(address.split("page=")[1].split("&")[0])
    return [by_query, by_cutting, by_marks]


def test_links_are_read_alike_by_all_clients(wire: Wire) -> None:
    path = f"/v2/organizations/acme/clusters/{wire.server.first.cluster.id}/queues"
    for number in range(5):
        assert wire("POST", path, json.dumps({"key": f"link-{number}"}).encode()).status == 201
    wire("GET", "/v2/organizations/acme/agents?name=a,b&page=1")
    for page, links in (
        (0, {"next": 2}),
        (1, {"next": 2}),
        (2, {"first": 1, "prev": 1, "next": 3}),
        (3, {"first": 1, "prev": 2}),
    ):
        answer = wire("GET", f"{path}?x=a%2Cb&page={page}&per_page=2")
        assert len(answer.json) == 2
        header = answer.headers["link"]
        assert three_readers(header) == [links] * 3
        for part in header.split(", "):
            query = part.partition("?")[2].partition(">")[0]
            assert query.startswith("x=a%2Cb&page=")
            assert query.endswith("&per_page=2")
            assert part.startswith(f"<{wire.server.url}{path}?")
    past = wire("GET", f"{path}?page=9&per_page=2")
    assert (past.status, past.json) == (200, [])
    assert "link" not in wire("GET", path).headers
