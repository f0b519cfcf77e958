"""Partners' reports over HTTP: GitHub's protocol to the letter, GitLab's, generic ones, and their keys."""

import asyncio
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from leaks_client import ADDRESS, GITLAB_SECRET, Door, ed25519_key, make_key, match
from properties.test_leak_signatures import GITHUB_BODY, GITHUB_KEY, GITHUB_KEY_ID, GITHUB_SIGNATURE
from support import World
from watchword.cli.partnerstand import PATH
from watchword.crypto.reports import KEY_ID_HEADER, SIGNATURE_HEADER, github_headers
from watchword.crypto.values import Secret, mint
from watchword.domain.errors import Invalid
from watchword.domain.events import Action
from watchword.domain.kinds import Kind
from watchword.domain.leaks import Outcome, Visibility
from watchword.leaks_api.wire import MAX_BODY, MAX_ITEMS
from watchword.services.leakreporters import read_reporters
from watchword.services.partnerkeys import Fetched, Unreachable

API = (Kind.API_ACCESS,)
DAY = 24 * 3600


@pytest.fixture
def door(world: World) -> Iterator[Door]:
    made = Door(world)
    yield made
    made.close()


def hashed(value: Secret | str) -> str:
    text = value.reveal() if isinstance(value, Secret) else value
    return hashlib.sha256(text.encode()).hexdigest()


# -- GitHub's protocol ---------------------------------------------------------------------------------


def test_every_item_is_labelled_in_order_and_a_live_public_token_is_refused_at_once(door: Door) -> None:
    live, agent = door.api_token(), door.token()
    strange = mint(Kind.API_ACCESS)
    answer = door.github([match(strange, type="a"), match(live.value, type="B"), match(agent.value)])
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == [
        {"token_hash": hashed(strange), "token_type": "a", "label": "false_positive"},
        {"token_hash": hashed(live.value), "token_type": "B", "label": "true_positive"},
        {"token_hash": hashed(agent.value), "token_type": "Watchword_token", "label": "true_positive"},
    ]
    assert live.value.reveal() not in answer.text
    assert door.reason(live.value.reveal(), API) == "token_revoked"
    assert door.the_leak(live.token).reporter == "github"
    (event,) = [one for one in door.events(Action.TOKEN_REVOKED) if one.subject_id == live.token.id]
    assert (event.actor_id, event.actor_name) == ("reporter", "github")


def test_the_sample_request_of_githubs_documentation_is_answered(door: Door) -> None:
    listed = {"key_identifier": GITHUB_KEY_ID, "key": GITHUB_KEY, "is_current": True}
    body = json.dumps({"public_keys": [listed]}).encode()
    reporter = door.authority.leak_gate.reporter("github")
    assert reporter is not None

    async def fetch(_url: str, _etag: str) -> Fetched:
        return Fetched(200, "", body)

    door.authority.leak_gate.keys(reporter).fetch = fetch
    headers = {KEY_ID_HEADER: GITHUB_KEY_ID, SIGNATURE_HEADER: GITHUB_SIGNATURE, "Accept": "*/*"}
    answer = door.call("POST", "/leaks/partners/github", GITHUB_BODY, headers)
    assert answer.status_code == 200
    assert answer.json() == [
        {"token_hash": hashed("some_token"), "token_type": "some_type", "label": "false_positive"}
    ]
    altered = GITHUB_BODY.replace(b"some_token", b"some_t0ken")
    assert door.call("POST", "/leaks/partners/github", altered, headers).status_code == 401


@pytest.mark.parametrize("source", ["Content", "content", "Pull_request_title", "pull_request_title", "npm"])
def test_both_spellings_of_a_source_are_the_same_place(door: Door, source: str) -> None:
    issued = door.token()
    assert door.github([match(issued.value, source=source)]).status_code == 200
    (sighting,) = door.sightings(issued.token)
    assert sighting.place == source.lower()
    assert sighting.visibility is Visibility.PUBLIC


def test_what_an_item_lacks_or_has_besides_does_not_matter(door: Door) -> None:
    issued = door.token()
    odd = [
        {"token": issued.value.reveal()},
        {"token": issued.value.reveal(), "type": None, "url": "", "source": 7, "commit": {"a": [1]}},
        {"token": ""},
        {"token": "x" * 5000},
    ]
    answer = door.github(odd)
    assert [one["label"] for one in answer.json()] == ["true_positive"] * 2 + ["false_positive"] * 2
    assert answer.json()[1]["token_type"] == ""
    assert door.github([]).json() == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "bad_json"),
        (b"nonsense", 400, "bad_json"),
        (b'[{"token": "a"}', 400, "bad_json"),
        (b"[" * 100_000, 422, "invalid_body"),
        (b'[{"a": ' + b"[" * 100_000, 400, "bad_json"),
        (b'[{"url": ' + b"[" * 100_000, 400, "bad_json"),
        (b'{"token": "a"}', 422, "invalid_body"),
        (b'[{"token": 5}]', 422, "invalid_body"),
        (b'[{"type": "a"}]', 422, "invalid_body"),
        (b'[{"token": "a\\u0000"}]', 422, "nul_character"),
        (b"[" + b",".join([b'{"token":""}'] * (MAX_ITEMS + 1)) + b"]", 413, "too_many_items"),
        (b" " * (MAX_BODY + 1), 413, "body_too_large"),
    ],
)
def test_a_signed_body_that_cannot_be_read_is_said_to_be_that(
    door: Door, body: bytes, status: int, code: str
) -> None:
    before = door.written()
    answer = door.github(body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert door.written() == before


def test_a_replayed_batch_changes_nothing_and_keeps_its_labels(door: Door) -> None:
    values = [door.api_token().value, mint(Kind.API_ACCESS), door.token().value, door.api_token().value]
    body = json.dumps([match(value) for value in values]).encode()
    first = door.github(body)
    before = door.written()
    door.forward(3600)
    assert door.github(body).json() == first.json()
    assert door.written() == before
    # The same under another name of the same partner is no new news either: everything is answered.
    again = door.github(body + b" ")
    assert again.json() == first.json()
    assert len(door.events(Action.TOKEN_REVOKED)) == 2


def test_labels_stay_true_whatever_became_of_the_token(door: Door) -> None:
    live, expired, revoked = door.api_token(), door.token(expires_in=700), door.token()
    job_token = door.accept(door.agent(), door.one_job()).value
    assert job_token is not None
    door.revoke(revoked.token)
    door.forward(3600)
    others = [door.superseded().value, door.imported("an old value of another make").value, job_token]
    values = [live.value, expired.value, revoked.value, *others, mint(Kind.AGENT)]
    for _ in range(3):
        url = f"https://example.com/{door.everything()}"
        answer = door.github([match(value, url=url) for value in values])
        assert [one["label"] for one in answer.json()] == ["true_positive"] * 6 + ["false_positive"]
    assert door.the_leak(expired.token).outcome is Outcome.DEAD
    assert door.the_leak(revoked.token).outcome is Outcome.DEAD


# -- keys ----------------------------------------------------------------------------------------------


def test_the_key_list_is_kept_for_half_an_hour_and_asked_for_with_its_etag(door: Door) -> None:
    for _ in range(3):
        assert door.github([]).status_code == 200
    assert door.stand.asked == [""]
    door.forward(30 * 60)
    assert door.github([]).status_code == 200
    assert [bool(etag) for etag in door.stand.asked] == [False, True]
    door.forward(29 * 60)  # 304 made it fresh again
    assert door.github([]).status_code == 200
    assert len(door.stand.asked) == 2


def test_an_unknown_key_has_the_list_fetched_once_more_and_not_again_for_five_minutes(door: Door) -> None:
    assert door.github([]).status_code == 200
    fresh = make_key("next")
    door.stand.keys = [(door.key, False), (fresh, True)]
    door.forward(5 * 60)
    assert door.github([], key=fresh).status_code == 200
    assert len(door.stand.asked) == 2
    for number in range(20):
        assert door.github([], key=make_key(f"forged {number % 3}")).status_code == 401
    assert len(door.stand.asked) == 2
    # Keys that are no longer current pass no more.
    assert door.github([], key=door.key).status_code == 401
    assert door.github([], key=door.former).status_code == 401


def test_without_its_keys_a_partner_is_asked_to_try_again(door: Door) -> None:
    door.stand.status = 500
    for _ in range(3):
        answer = door.github([match(door.api_token().value)])
        assert (answer.status_code, answer.json()["code"]) == (503, "reporter_keys_unavailable")
        assert int(answer.headers["retry-after"]) == 60
    assert len(door.stand.asked) == 1
    door.stand.status = 200
    door.forward(60)
    assert door.github([]).status_code == 200


def test_the_last_good_list_goes_on_for_a_day(door: Door) -> None:
    assert door.github([]).status_code == 200
    for wrong in (500, 403, 301):
        door.stand.status = wrong
        door.forward(31 * 60)
        assert door.github([]).status_code == 200
    door.stand.status = 200
    door.stand.keys = [(door.key, False)]  # a list without any key is no list
    door.forward(31 * 60)
    assert door.github([]).status_code == 200
    door.forward(DAY)
    assert door.github([]).status_code == 503


def test_many_at_once_fetch_the_list_once(door: Door) -> None:
    body = b"[]"
    headers = github_headers(door.key, body)

    async def storm() -> list[int]:
        calls = [
            door._call("POST", "/leaks/partners/github", body, headers, f"203.0.113.{number}")
            for number in range(20)
        ]
        return [answer.status_code for answer in await asyncio.gather(*calls)]

    assert set(door.run(storm())) == {200}
    assert door.stand.asked == [""]


def test_the_same_report_twice_at_once_opens_each_case_once(door: Door) -> None:
    issued = [door.api_token() for _ in range(25)]
    body = json.dumps([match(each.value) for each in issued]).encode()
    headers = github_headers(door.key, body)

    async def twice() -> list[httpx.Response]:
        calls = [door._call("POST", "/leaks/partners/github", body, headers, ADDRESS) for _ in range(2)]
        return list(await asyncio.gather(*calls))

    first, second = door.run(twice())
    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()
    assert len(door.events(Action.LEAK_OPENED)) == len(door.events(Action.TOKEN_REVOKED)) == 25


@pytest.mark.parametrize("wrong", ["too_long", "no_list", "unreachable"])
def test_a_list_that_is_none_is_not_taken(door: Door, wrong: str) -> None:
    async def fetch(_url: str, _etag: str) -> Fetched:
        if wrong == "unreachable":
            raise Unreachable("ConnectError")
        return Fetched(200, "", b"x" * 10_000_000 if wrong == "too_long" else b"{}")

    reporter = door.authority.leak_gate.reporter("github")
    assert reporter is not None
    door.authority.leak_gate.keys(reporter).fetch = fetch
    assert door.github([]).status_code == 503


# -- others --------------------------------------------------------------------------------------------


def test_gitlab_shows_its_secret_and_hears_that_everything_was_taken(door: Door) -> None:
    issued = door.api_token()
    where = "https://gl.example.com/a"
    item = {"type": "gitleaks_rule_id_x", "token": issued.value.reveal(), "location": where}
    for secret in ("", "wrong", "Bearer wrong"):
        assert door.gitlab([item], secret).status_code == 401
    assert door.leak(issued.token) is None
    answer = door.gitlab([item])
    assert (answer.status_code, answer.content) == (204, b"")
    leak = door.the_leak(issued.token)
    assert (leak.visibility, leak.outcome) == (Visibility.PRIVATE, Outcome.NOTIFIED)
    assert door.gitlab([item], f"Bearer {GITLAB_SECRET}").status_code == 204
    assert door.gitlab({"token": "a"}).status_code == 400  # GitLab does not try again then
    listed = door.call("GET", "/leaks/partners/gitlab/types", headers={"Authorization": GITLAB_SECRET})
    assert "gitleaks_rule_id_watchword-agent-token" in listed.json()["types"]
    for name in ("gitlab", "github", "nobody"):
        assert door.call("GET", f"/leaks/partners/{name}/types").status_code == 401


def test_a_generic_report_names_values_digests_and_ids(door: Door) -> None:
    shown, hidden, named = door.api_token(), door.api_token(), door.api_token()
    items = [
        {"token": shown.value.reveal(), "type": "t", "url": "https://example.com/p", "visibility": "public"},
        {"digest": hashed(hidden.value).upper(), "visibility": "public", "place": "Chat"},
        {"organization": "acme", "token_id": named.token.id, "visibility": "public"},
        {"organization": "acme", "token_id": "no id", "exposed_at": "2026-01-02T03:04:05Z"},
    ]
    answer = door.signed(items)
    assert answer.json() == [
        {"token_hash": hashed(shown.value), "token_type": "t", "label": "true_positive"},
        {"token_hash": hashed(hidden.value), "token_type": "", "label": "true_positive"},
        {"organization": "acme", "token_id": named.token.id, "token_type": "", "label": "true_positive"},
        {"organization": "acme", "token_id": "no id", "token_type": "", "label": "false_positive"},
    ]
    assert door.the_leak(shown.token).outcome is Outcome.REVOKED
    assert door.the_leak(named.token).outcome is Outcome.NOTIFIED  # an id shows nothing and ends nothing
    assert door.reason(named.value.reveal(), API) == ""
    assert door.sightings(hidden.token)[0].place == "chat"


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"token": "a", "digest": "b" * 64},
        {"digest": "b" * 63},
        {"organization": "acme"},
        {"token": "a", "visibility": "secret"},
        {"token": "a", "exposed_at": "yesterday"},
        {"token": "a", "url": 5},
    ],
)
def test_an_item_that_is_none_is_said_to_be_that(door: Door, item: object) -> None:
    assert door.signed([item]).status_code == 422


def test_a_generic_report_is_of_now(door: Door) -> None:
    for late in (0, 299, -299):
        assert door.signed([], late=late).status_code == 200
        assert door.signed([], key=ed25519_key(), reporter="robot", late=late).status_code == 200
    for late in (301, -301, 10**15):
        assert door.signed([], late=late).status_code == 401
    assert door.signed([], key=ed25519_key()).status_code == 401
    assert door.signed([], reporter="robot").status_code == 401


# -- the settings --------------------------------------------------------------------------------------


def test_reporters_are_read_from_tables_files_and_a_variable(tmp_path: Path) -> None:
    folder = tmp_path
    (folder / "secret").write_text("x" * 30 + "\n")
    (folder / "key.pem").write_text(make_key("crawler").public_pem())
    found = read_reporters(
        json.dumps(
            [
                {"name": "github", "type": "github"},
                {"name": "lab", "type": "gitlab", "secret_file": str(folder / "secret")},
                {"name": "bot", "type": "signed", "public_key_file": str(folder / "key.pem")},
            ]
        )
    )
    assert [one.visibility.value for one in found] == ["public", "private", "private"]
    assert found[0].keys.endswith(PATH)
    assert found[1].secret == Secret("x" * 30)
    assert "x" * 30 not in repr(found[1])
    assert found[2].key_id == make_key("crawler").id
    assert read_reporters(found) == found


@pytest.mark.parametrize(
    "table",
    [
        {"type": "github"},
        {"name": "possession", "type": "github"},
        {"name": "Git Hub", "type": "github"},
        {"name": "a"},
        {"name": "a", "type": "other"},
        {"name": "a", "type": "github", "keys": "http://example.com/keys"},
        {"name": "a", "type": "github", "secret": "x" * 30},
        {"name": "a", "type": "gitlab"},
        {"name": "a", "type": "gitlab", "secret": "short"},
        {"name": "a", "type": "gitlab", "secret_file": "/nowhere"},
        {"name": "a", "type": "gitlab", "secret": "x" * 30, "keys": "https://example.com"},
        {"name": "a", "type": "signed"},
        {"name": "a", "type": "signed", "public_key": "nonsense"},
        {"name": "a", "type": "github", "visibility": "everywhere"},
        {"name": "a", "type": "github", "colour": "red"},
        {"name": 5, "type": "github"},
    ],
)
def test_a_reporter_that_cannot_work_is_refused_at_the_start(table: dict[str, object]) -> None:
    with pytest.raises(Invalid) as refused:
        read_reporters([table])
    assert "x" * 30 not in refused.value.message
    with pytest.raises(Invalid):
        read_reporters("nonsense")
    with pytest.raises(Invalid):
        read_reporters([{"name": "a", "type": "github"}] * 2)
