"""Forged reports: ten thousand of them revoke nothing, write nothing, and are answered alike."""

import base64
import json
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from leaks_client import GITLAB_SECRET, Door, ed25519_key, make_key, match
from support import World
from watchword.cli.partnerstand import PartnerStand
from watchword.crypto import reports
from watchword.crypto.reports import (
    KEY_ID_HEADER,
    SIGNATURE_HEADER,
    github_headers,
    signed_headers,
)
from watchword.domain.kinds import Kind

COUNT = 10_000
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
Forged = tuple[str, bytes, Mapping[str, str]]


@pytest.fixture
def door(world: World) -> Iterator[Door]:
    made = Door(world)
    other = PartnerStand([(make_key("other partner"), True)])
    made.reporters({"name": "other", "type": "github", "keys": other.url})
    yield made
    made.close()
    other.close()


class Forger:
    """Makes reports that look like those of the partner and are not."""

    def __init__(self, door: Door, values: list[str]) -> None:
        self.door, self.values = door, values
        self.random = random.Random(6)
        self.stranger = make_key("stranger")
        self.curves = [ec.generate_private_key(curve()) for curve in (ec.SECP384R1, ec.SECP256K1)]
        self.ways: list[Callable[[bytes], Forged]] = [
            self.wrong_key,
            self.unknown_id,
            self.former_key,
            self.altered_body,
            self.wrong_curve,
            self.bent_signature,
            self.cut_signature,
            self.key_of_another,
            self.other_name,
            self.wrong_header,
            self.late,
            self.wrong_secret,
        ]

    def __call__(self, number: int) -> Forged:
        chosen = self.random.sample(self.values, 3)
        body = json.dumps([match(value) for value in chosen] + [{"token": str(number)}]).encode()
        return self.ways[number % len(self.ways)](body)

    def wrong_key(self, body: bytes) -> Forged:
        """Another key under the id of the real one."""
        return "github", body, github_headers(self.stranger, body) | {KEY_ID_HEADER: self.door.key.id}

    def unknown_id(self, body: bytes) -> Forged:
        noise = self.random.choice([self.stranger.id, "", "x" * 5000, self.door.key.id[:-1], "é"])
        return "github", body, github_headers(self.door.key, body) | {KEY_ID_HEADER: noise}

    def former_key(self, body: bytes) -> Forged:
        return "github", body, github_headers(self.door.former, body)

    def altered_body(self, body: bytes) -> Forged:
        headers = github_headers(self.door.key, body)
        place = self.random.randrange(len(body))
        other = bytes([body[place] ^ (1 << self.random.randrange(8))])
        return "github", body[:place] + other + body[place + 1 :], headers

    def wrong_curve(self, body: bytes) -> Forged:
        key = self.random.choice(self.curves)
        signature = base64.b64encode(key.sign(body, ec.ECDSA(hashes.SHA256()))).decode()
        return "github", body, {KEY_ID_HEADER: self.door.key.id, SIGNATURE_HEADER: signature}

    def bent_signature(self, body: bytes) -> Forged:
        """The right numbers, not written as DER writes them."""
        good = base64.b64decode(self.door.key.sign(body))
        r, s = decode_dss_signature(good)
        bent = self.random.choice(
            [
                good + bytes([self.random.randrange(256)]),
                bytes([0x30, 0x81, len(good) - 2]) + good[2:],
                bytes([0x30, good[1] + 1, 0x02, good[3] + 1, 0]) + good[4:],
                encode_dss_signature(r + ORDER, s),
                encode_dss_signature(r, s + ORDER),
                encode_dss_signature(s, r),
                encode_dss_signature(r, 1),
                r.to_bytes(32, "big") + s.to_bytes(32, "big"),
            ]
        )
        return "github", body, self.with_signature(bent)

    def cut_signature(self, body: bytes) -> Forged:
        good = self.door.key.sign(body)
        cut = self.random.choice([good[: self.random.randrange(len(good) - 4)], good[1:], "=" + good])
        return "github", body, {KEY_ID_HEADER: self.door.key.id, SIGNATURE_HEADER: cut}

    def key_of_another(self, body: bytes) -> Forged:
        """A reporter's own key, for another reporter's name."""
        return self.random.choice(
            [
                ("github", body, github_headers(make_key("other partner"), body)),
                ("other", body, github_headers(self.door.key, body)),
                ("crawler", body, signed_headers(ed25519_key(), body, self.seconds())),
                ("robot", body, signed_headers(make_key("crawler"), body, self.seconds())),
            ]
        )

    def other_name(self, body: bytes) -> Forged:
        """A report that was good, under another name."""
        name = self.random.choice(["crawler", "robot", "other", "gitlab", "nobody", "possession", "drill"])
        return name, body, github_headers(self.door.key, body)

    def wrong_header(self, body: bytes) -> Forged:
        headers = github_headers(self.door.key, body)
        del headers[self.random.choice([KEY_ID_HEADER, SIGNATURE_HEADER])]
        return "github", body, headers

    def late(self, body: bytes) -> Forged:
        away = self.random.choice([-1, 1]) * self.random.randrange(301, 10**6)
        return "crawler", body, signed_headers(make_key("crawler"), body, self.seconds() + away)

    def wrong_secret(self, body: bytes) -> Forged:
        wrong = self.random.choice(["", GITLAB_SECRET[:-1], GITLAB_SECRET + "s", "Bearer", "Basic YTpi"])
        return "gitlab", body, {"Authorization": wrong}

    def with_signature(self, raw: bytes) -> dict[str, str]:
        return {
            KEY_ID_HEADER: self.door.key.id,
            SIGNATURE_HEADER: base64.b64encode(raw).decode(),
        }

    def seconds(self) -> int:
        return self.door.world.clock.now() // 1_000_000


async def post(door: Door, forged: Forged) -> tuple[int, bytes]:
    """One request, without what a client adds: these are many."""
    name, body, headers = forged
    told: list[Any] = []
    lines = [(key.lower().encode(), value.encode("latin-1")) for key, value in headers.items()]
    path = f"/leaks/partners/{name}"
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": lines,
        "client": ("203.0.113.9", 1),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        told.append(message)

    await door.edge(scope, receive, send)
    return told[0]["status"], told[1]["body"]


def test_ten_thousand_forged_reports_revoke_nothing_and_write_nothing(
    door: Door, capsys: pytest.CaptureFixture[str]
) -> None:
    issued = [door.api_token() for _ in range(10)]
    forger = Forger(door, [each.value.reveal() for each in issued])
    assert door.github([]).status_code == 200
    before, asked = door.written(), len(door.stand.asked)

    async def storm() -> set[tuple[int, bytes]]:
        return {await post(door, forger(number)) for number in range(COUNT)}

    capsys.readouterr()
    ((status, body),) = door.run(storm())  # one answer for all of them
    assert (status, json.loads(body)["code"]) == (401, "leak_report_refused")
    assert door.written() == before
    assert {door.reason(each.value.reveal(), (Kind.API_ACCESS,)) for each in issued} == {""}
    assert not any(door.leak(each.token) for each in issued)
    assert door.meter.refusals == {"leak_report_refused": COUNT}
    assert len(door.stand.asked) <= asked + 1
    logged = capsys.readouterr().err
    assert len(logged.splitlines()) <= 3
    assert not any(each.value.reveal() in logged for each in issued)
    # The real one passes all the same, as soon as it comes.
    body = json.dumps([match(each.value) for each in issued]).encode()
    assert {one["label"] for one in door.github(body).json()} == {"true_positive"}
    assert {door.reason(each.value.reveal(), (Kind.API_ACCESS,)) for each in issued} == {"token_revoked"}


def test_the_other_half_of_a_signature_is_as_good_and_changes_nothing(door: Door) -> None:
    """ECDSA lets everybody make (r, n - s) of (r, s): a replay of the same body, which is known."""
    issued = door.api_token()
    body = json.dumps([match(issued.value)]).encode()
    signature = door.key.sign(body)
    r, s = decode_dss_signature(base64.b64decode(signature))
    first = door.github(body)
    before = door.written()
    twin = base64.b64encode(encode_dss_signature(r, ORDER - s)).decode()
    answer = door.call(
        "POST", "/leaks/partners/github", body, {KEY_ID_HEADER: door.key.id, SIGNATURE_HEADER: twin}
    )
    assert answer.json() == first.json()
    assert door.written() == before


def test_a_forged_report_costs_what_a_real_one_costs_whatever_is_wrong(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No way of being wrong saves the check of a signature: the work is counted, not timed."""
    checked = 0
    real = reports._ecdsa_holds

    def counting(*given: Any) -> bool:
        nonlocal checked
        checked += 1
        return real(*given)

    forger = Forger(door, [door.api_token().value.reveal() for _ in range(3)])
    monkeypatch.setattr(reports, "_ecdsa_holds", counting)
    for way in (
        forger.wrong_key,
        forger.unknown_id,
        forger.former_key,
        forger.bent_signature,
        forger.cut_signature,
        forger.wrong_header,
        forger.late,
    ):
        checked = 0
        door.run(post(door, way(b"[]")))
        assert checked == 1, way.__name__
    checked = 0
    door.run(post(door, ("nobody", b"[]", github_headers(door.key, b"[]"))))
    assert checked == 1
