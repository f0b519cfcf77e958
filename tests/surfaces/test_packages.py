"""The package index on a real server: what each credential opens, what an upload may be, what pages say."""

import base64
import hashlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from package_scene import API, Shop, fields_of, wheel
from support import MINUTE_US, FakeClock, LiveServer
from watchword.crypto.packagevalues import mint_package_value
from watchword.domain.accounts import Member, Role, User
from watchword.domain.ids import ResourceId, UserId
from watchword.domain.kinds import Kind
from watchword.services.accounts import create_organization
from watchword.services.context import LOCAL
from watchword.services.issuing import issue_api_token
from watchword.store.base import Transaction

JSON = "application/vnd.pypi.simple.v1+json"
_NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, clock: FakeClock) -> Iterator[LiveServer]:
    made = LiveServer(tmp_path_factory.mktemp("server"), clock, max_package_file_bytes=200_000)
    yield made
    made.close()


@pytest.fixture
def shop(server: LiveServer) -> Iterator[Shop]:
    """A registry of each test's own."""
    made = Shop(server, name=f"Shop {next(_NUMBERS)}")
    yield made
    made.close()


def api_value(server: LiveServer, *scopes: str, email: str = "") -> str:
    """An API access token with these scopes, of the administrator or of a new member."""
    context, first = server.authority.context, server.first

    async def work(tx: Transaction) -> str:
        user = first.admin
        if email:
            user = User(UserId(context.new_id()), email, "Mo", "", context.clock.now())
            await tx.accounts.add_user(user)
            await tx.accounts.add_member(Member(first.organization.id, user.id, Role.MEMBER, 7))
        owner = first.organization.id
        issued = await issue_api_token(context, tx, LOCAL, owner, user.id, "test", scopes, 0)
        return issued.value.reveal()

    return server.run(context.store.write(work))


def test_credentials_open_what_they_are_for_and_nothing_else(server: LiveServer, shop: Shop) -> None:
    registry, reads, writes = shop.token()["token"], shop.temporary("read"), shop.temporary("write")
    api_reads, api_writes = api_value(server, "read_packages"), api_value(server, "write_packages")
    expected = {
        registry: (200, 403),
        reads: (200, 403),
        writes: (403, 200),
        api_reads: (200, 403),
        api_writes: (403, 200),
        api_value(server, "read_registries", "write_registries"): (403, 403),
        server.first.agent_token.value.reveal(): (401, 401),
        "bkpt_nonsense": (401, 401),
        "": (401, 401),
    }
    for value, statuses in expected.items():
        assert (shop.get(value=value).status_code, shop.upload(value).status_code) == statuses, value[:8]
    anybody = shop.get()
    assert anybody.status_code == shop.upload(None).status_code == 401
    assert anybody.headers["www-authenticate"].startswith("Basic ")
    assert anybody.text == "Authentication required: send the token in the Authorization header.\n"
    bearer = shop.http.get(shop.path + "/simple/", headers={"Authorization": f"Bearer {registry}"})
    assert bearer.status_code == 200


def test_a_token_opens_its_own_registry_alone(server: LiveServer, shop: Shop) -> None:
    other = Shop(server, name=f"{shop.slug} other")
    for value in (other.token()["token"], other.temporary("read")):
        there, nowhere = (
            shop.get(value=value),
            shop.http.get("/packages/acme/nothing/pypi/simple/", auth=("x", value)),
        )
        assert there.status_code == nowhere.status_code == 404
        assert there.text == nowhere.text
    other.close()
    context = server.authority.context
    foreign = server.run(create_organization(context, LOCAL, shop.slug[:20], "F", f"{shop.slug}@e.com", "F"))
    stranger = foreign.api_token.value.reveal()
    assert shop.get(value=stranger).status_code == 404
    # Nobody learns which registries there are.
    absent = shop.http.get("/packages/acme/nothing/pypi/simple/")
    nobody = shop.http.get("/packages/nobody/nothing/pypi/simple/")
    assert (absent.status_code, absent.text) == (nobody.status_code, nobody.text) == (401, shop.get().text)


def test_altered_values_are_refused_without_a_look_into_the_database(server: LiveServer, shop: Shop) -> None:
    value = shop.token()["token"]
    body, _, mac = value.removeprefix("bkpt_").rpartition("--")
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert claims["key"] == 1

    def encoded(**changes: object) -> str:
        text = json.dumps(claims | changes, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(text).decode().rstrip("=")

    altered = [
        f"bkpt_{encoded(exp=99999999999)}--{mac}",
        f"bkpt_{encoded(key=2)}--{mac}",
        f"bkpt_{encoded(key=10**9)}--{mac}",
        f"bkpt_{body}--{'0' * 40}",
        f"bkpt_{body}=--{mac}",
        f"bkpt_eyJ{'A' * 400}--{mac}",
    ]
    reads = 0
    store = server.authority.context.store
    look = type(server.authority.verifier)._load

    async def counted(self: object, key: bytes) -> object:
        nonlocal reads
        reads += 1
        return await look(self, key)  # type: ignore[arg-type]

    type(server.authority.verifier)._load = counted  # type: ignore[method-assign,assignment]
    try:
        assert [shop.get(value=one).status_code for one in altered] == [401] * len(altered)
        assert reads == 0
        # One that carries our MAC and was never issued is looked for, and not found.
        keys, owner = server.authority.context.keys, server.first.organization.id
        made = mint_package_value(keys, owner, ResourceId(shop.registry["id"]))
        assert shop.get(value=made).status_code == 401
        assert reads == 1
    finally:
        type(server.authority.verifier)._load = look  # type: ignore[method-assign]
    assert store is server.authority.context.store


def test_temporary_tokens_end_with_their_five_minutes_their_person_and_their_registry(
    server: LiveServer, shop: Shop, clock: FakeClock
) -> None:
    value = api_value(server, "read_packages", "write_packages", email=f"{shop.slug}@example.com")
    asked = shop.http.post(
        f"{API}/{shop.slug}/temporary-tokens",
        json={"access": "write"},
        headers={"Authorization": f"Bearer {value}"},
    )
    assert asked.status_code == 201
    writes, reads = asked.json()["token"], shop.temporary("read")
    assert shop.upload(writes).status_code == 200
    context = server.authority.context

    async def leave(tx: Transaction) -> None:
        token = await tx.tokens.by_digest(hashlib.sha256(writes.encode()).digest())
        assert token is not None
        assert token.user_id is not None
        await tx.members.remove(token.organization_id, token.user_id)

    server.run(context.store.write(leave))
    assert shop.upload(writes).status_code == 404
    clock.forward(5 * MINUTE_US - 1)
    assert shop.get(value=reads).status_code == 200
    clock.forward(1)
    ended = shop.get(value=reads)
    assert (ended.status_code, ended.text) == (401, "This token has expired.\n")
    left = [shop.token()["token"], shop.temporary("read")]
    assert shop.admin.delete(f"{API}/{shop.slug}").status_code == 204
    assert [shop.get(value=one).text for one in left] == ["This token was revoked.\n"] * 2


def test_network_limits_hold_and_go_over_to_temporary_tokens(server: LiveServer, shop: Shop) -> None:
    blocked = shop.token(allowed_ip_addresses="192.0.2.0/24")
    assert blocked["allowed_ip_addresses"] == "192.0.2.0/24"
    assert shop.get(value=blocked["token"]).status_code == 403
    assert shop.get(value=shop.token(allowed_ip_addresses="127.0.0.0/8")["token"]).status_code == 200
    assert server.authority is not None


def test_the_index_is_there_as_html_and_as_json(shop: Shop) -> None:
    value = shop.token()["token"]
    name, content = wheel("Tiny_Thing")
    assert shop.upload(
        shop.temporary("write"), "Tiny_Thing", file=(name, content), requires_python=">=3.8,<4"
    ).is_success
    html = shop.get(value=value)
    assert html.headers["content-type"] == "text/html; charset=utf-8"
    assert '<a href="tiny-thing/">tiny-thing</a>' in html.text
    page = shop.get("/simple/tiny-thing/", value=value)
    digest = hashlib.sha256(content).hexdigest()
    assert f'#sha256={digest}" data-requires-python="&gt;=3.8,&lt;4">{name}</a>' in page.text
    listed = shop.get(value=value, Accept=JSON).json()
    assert listed == {"meta": {"api-version": "1.1"}, "projects": [{"name": "tiny-thing"}]}
    accept = f"{JSON}, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"
    project = shop.get("/simple/Tiny.Thing/", value=value, Accept=accept)
    assert project.headers["content-type"] == JSON
    (file,) = project.json()["files"]
    assert file["hashes"] == {"sha256": digest}
    assert (file["requires-python"], file["size"], file["filename"]) == (">=3.8,<4", len(content), name)
    assert project.json()["versions"] == ["1.0"]
    address = str(httpx.URL(str(project.url)).join(file["url"]))
    whole = shop.http.get(address, auth=("x", value))
    assert whole.content == content
    part = shop.http.get(address, auth=("x", value), headers={"Range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, content[5:10])
    assert shop.http.get(address).status_code == 401
    assert shop.get(value=value, Accept="image/png").status_code == 406
    moved = shop.get("/simple", value=value)
    assert (moved.status_code, moved.headers["location"]) == (301, "simple/")
    assert shop.get("/simple/absent/", value=value).status_code == 404


def test_a_public_registry_is_read_by_anybody_and_written_by_none_of_them(shop: Shop) -> None:
    assert shop.upload(shop.temporary("write")).status_code == 200
    shop.admin.patch(f"{API}/{shop.slug}", json={"public": True}).raise_for_status()
    assert shop.get("/simple/tiny/").status_code == 200
    assert shop.upload(None).status_code == 401
    # What is shown has to be live, also where nothing need be.
    assert shop.get(value="bkpt_nonsense").status_code == 401
    shop.admin.patch(f"{API}/{shop.slug}", json={"public": False}).raise_for_status()
    assert shop.get("/simple/tiny/").status_code == 401


MISFITS: list[tuple[dict[str, str], str | None]] = [
    ({":action": "submit"}, None),
    ({"name": "../../etc"}, None),
    ({"name": ""}, None),
    ({"version": "not a version"}, None),
    ({"version": "2.0"}, None),
    ({"sha256_digest": "0" * 64}, None),
    ({"blake2_256_digest": "0" * 64}, None),
    ({"sha256_digest": "zz"}, None),
    ({"requires_python": "<script>"}, None),
    ({}, "../tiny-1.0-py3-none-any.whl"),
    ({}, "tiny-1.0-py3-none-../../any.whl"),
    ({}, "tiny-1.0-py3-none-any.exe"),
    ({}, "other-1.0-py3-none-any.whl"),
    ({}, "tiny-1.0-py3-none-any.whl\0"),
    ({}, 'tiny-1.0-py3-none-a"ny.whl'),
    ({}, "tïny-1.0-py3-none-any.whl"),
    ({}, f"tiny-1.0-py3-none-{'a' * 300}.whl"),
    ({}, ""),
]


def test_what_does_not_fit_is_refused_and_nothing_is_kept(shop: Shop, server: LiveServer) -> None:
    name, content = wheel()
    writes = shop.temporary("write")
    for changes, filename in MISFITS:
        file = (name if filename is None else filename, content)
        answer = shop.upload(writes, file=file, **changes)
        assert answer.status_code == 400, (changes, filename, answer.text)
        assert answer.headers["content-type"].startswith("text/plain")
    assert shop.get(value=shop.token()["token"], Accept=JSON).json()["projects"] == []
    kept = server.settings.data / "objects" / "packages" / server.first.organization.id / shop.registry["id"]
    assert not [one for one in kept.rglob("*") if one.is_file()]


def test_a_name_is_given_to_one_file_for_good(shop: Shop, server: LiveServer) -> None:
    writes = shop.temporary("write")
    assert shop.upload(writes).text == "tiny-1.0-py3-none-any.whl: uploaded\n"
    assert shop.upload(writes).text == "tiny-1.0-py3-none-any.whl: there already\n"
    other = wheel(text="ANSWER = 43\n")
    taken = shop.upload(writes, file=other)
    assert (taken.status_code, "File already exists" in taken.text) == (409, True)
    (listed,) = shop.admin.get(f"{API}/{shop.slug}/packages").raise_for_status().json()["items"]
    assert (listed["name"], listed["version"]) == ("tiny", "1.0")
    whole = shop.admin.get(listed["url"]).json()
    assert [one["filename"] for one in whole["files"]] == ["tiny-1.0-py3-none-any.whl"]
    assert shop.admin.delete(listed["url"]).status_code == 204
    assert shop.admin.get(listed["url"]).status_code == 404
    deleted = shop.upload(writes)
    assert (deleted.status_code, "was deleted" in deleted.text) == (409, True)
    server.run(server.authority.sweep(LOCAL))
    folder = server.settings.data / "objects" / "packages" / server.first.organization.id
    assert not [one for one in (folder / shop.registry["id"]).rglob("*") if one.is_file()]
    assert shop.upload(writes, version="1.1").status_code == 200


def test_too_much_is_refused(shop: Shop) -> None:
    writes = shop.temporary("write")
    heavy = wheel(text="#" * 250_000)
    assert shop.upload(writes, file=heavy).status_code == 413
    assert shop.upload("bkpt_nonsense", file=wheel(text="#" * 5_000_000)).status_code == 401
    address, auth = f"{shop.path}/", ("x", writes)
    boundary = "b" * 30
    kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{"n" * 100_000}"\r\n\r\nx\r\n'
    many = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="f{one}"\r\n\r\nx\r\n' for one in range(2000)
    )
    for body in (head, many, "", "nonsense", f"--{boundary}--\r\n"):
        answer = shop.http.post(address, content=body.encode(), headers=kind, auth=auth)
        assert answer.status_code == 400, body[:40]
    assert shop.http.post(address, content=b"{}", auth=auth).status_code == 400
    long_name = shop.upload(writes, name="n" * 5000)
    assert long_name.status_code == 400


def test_a_bomb_is_kept_as_it_came(shop: Shop) -> None:
    """A file that would unpack to far more than its size is bytes like any other: nothing is unpacked."""
    name, content = wheel(text="0" * 100_000)
    broken = content[:50] + b"\0" * 50 + content[100:]
    assert shop.upload(shop.temporary("write"), file=(name, broken)).status_code == 200


def test_registries_of_other_ecosystems_hold_tokens_alone(server: LiveServer) -> None:
    ruby = Shop(server, name="Gems", ecosystem="ruby")
    answer = ruby.get(value=ruby.token()["token"])
    assert (answer.status_code, "ecosystem ruby" in answer.text) == (404, True)
    ruby.close()


def test_a_full_registry_takes_no_more(tmp_path: Path) -> None:
    server = LiveServer(tmp_path, max_registry_bytes=1500)
    shop = Shop(server)
    writes = shop.temporary("write")
    assert shop.upload(writes).status_code == 200
    full = shop.upload(writes, version="1.1")
    assert (full.status_code, "takes at most 1500 bytes" in full.text) == (403, True)
    (first,) = shop.admin.get(f"{API}/{shop.slug}/packages").json()["items"]
    shop.admin.delete(first["url"]).raise_for_status()
    server.run(server.authority.sweep(LOCAL))
    assert shop.upload(writes, version="1.1").status_code == 200
    shop.close()
    server.close()


_TEXT = st.text(max_size=40)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fields=st.dictionaries(
        st.sampled_from(sorted(fields_of("tiny", "1.0", b"x"))) | _TEXT, _TEXT, max_size=6
    ),
    filename=_TEXT,
    content=st.binary(max_size=200),
)
def test_whatever_is_sent_is_answered_in_shape(
    shop: Shop, fields: dict[str, str], filename: str, content: bytes
) -> None:
    form = fields_of("tiny", "1.0", content) | fields
    value = _VALUES.setdefault(shop.slug, shop.temporary("write"))
    answer = shop.http.post(
        shop.path + "/", data=form, files={"content": (filename, content)}, auth=("x", value)
    )
    assert answer.status_code in (200, 400, 409), answer.text
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert value not in answer.text


_VALUES: dict[str, str] = {}


def test_use_is_counted_and_kinds_are_told_apart(server: LiveServer, shop: Shop) -> None:
    token = shop.token()
    assert shop.get(value=token["token"]).status_code == 200
    shown = shop.admin.get(f"{API}/{shop.slug}/tokens/{token['id']}").json()
    assert shown["last_used_from"] == "127.0.0.1"
    assert "token" not in shown
    radius = shop.admin.get(f"{API}/{shop.slug}/tokens/{token['id']}/blast-radius").json()
    assert (radius["callers_count"], radius["callers"][0]["address"]) == (1, "127.0.0.1")
    asked = shop.http.post(
        "/oauth/introspect",
        data={"token": token["token"]},
        headers={"Authorization": f"Bearer {server.first.api_token.value.reveal()}"},
    ).json()
    assert asked["active"]
    assert asked["token_type"] == Kind.REGISTRY.value
    assert asked["sub"] == shop.registry["id"]
