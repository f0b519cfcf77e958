"""The key file: private, whole or not there, and no key is ever lost; and what is sealed with its keys."""

import base64
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwk, jwt

from watchword.crypto.identitykeys import Algorithm, algorithm_of, make_private, public_jwk
from watchword.crypto.identitykeys import sign as sign_identity
from watchword.crypto.jwt import JobClaims, sign, signature_holds
from watchword.crypto.keys import KeyFileError, KeyRing, Purpose
from watchword.crypto.sealing import seal, unseal
from watchword.domain.errors import Conflict

CLAIMS = JobClaims("job", "agent", "watchword", 1, 2, "organization")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "keys.json"
    KeyRing.generate().save(file)
    return file


def test_a_saved_ring_is_read_back(path: Path) -> None:
    ring = KeyRing.load(path)
    for purpose in Purpose:
        key = ring.active(purpose)
        assert (key.number, key.purpose, key.active) == (1, purpose, True)
        assert ring.find(purpose, 1) == key
        assert ring.find(purpose, 2) is None
    assert len({ring.active(purpose).secret for purpose in Purpose}) == len(Purpose)
    assert len(ring.active(Purpose.JOB_TOKEN).secret) == 64


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    former = os.umask(0)
    try:
        KeyRing.generate().save(tmp_path / "keys.json")
    finally:
        os.umask(former)
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["keys.json"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o610, 0o666, 0o777])
def test_a_file_that_is_open_to_others_is_refused(path: Path, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(KeyFileError) as caught:
        KeyRing.load(path)
    assert "chmod 600" in caught.value.message


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_private_file_is_read(path: Path, mode: int) -> None:
    path.chmod(mode)
    assert KeyRing.load(path).active(Purpose.MAC).number == 1


def test_saving_over_a_file_with_open_mode_makes_it_private(path: Path) -> None:
    path.chmod(0o644)
    KeyRing.generate().save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_save_that_fails_leaves_the_former_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        KeyRing.load(path).rotated(Purpose.MAC).save(path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    KeyRing.load(path).rotated(Purpose.MAC).save(path)  # what was left behind is no obstacle
    assert KeyRing.load(path).active(Purpose.MAC).number == 2


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="there is no key file"):
        KeyRing.load(tmp_path / "none.json")


def _set(name: str, value: Any) -> Callable[[Any], Any]:
    """Change one field of the first key."""

    def change(document: Any) -> Any:
        document["keys"][0][name] = value
        return document

    return change


DAMAGE: dict[str, Callable[[Any], Any]] = {
    "a list": lambda _: [],
    "text": lambda _: "keys",
    "nothing": lambda _: {},
    "another format": lambda document: document | {"format": 2},
    "no keys": lambda document: document | {"keys": []},
    "keys are null": lambda document: document | {"keys": None},
    "one key missing": lambda document: document | {"keys": document["keys"][:-1]},
    "a row of text": lambda document: document | {"keys": [*document["keys"], "key"]},
    "a purpose unknown": _set("purpose", "another"),
    "a number that is text": _set("number", "one"),
    "a secret cut off": _set("secret", base64.b64encode(b"short").decode()),
    "a secret too long": _set("secret", base64.b64encode(bytes(65)).decode()),
    "a secret that is no base64": _set("secret", "~~~~"),
    "a secret that is null": _set("secret", None),
    "no active key": _set("active", False),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file_is_refused_and_tells_no_secret(path: Path, name: str) -> None:
    document = json.loads(path.read_text())
    secrets = [row["secret"] for row in document["keys"]]
    path.write_text(json.dumps(DAMAGE[name](document)))
    with pytest.raises(KeyFileError) as caught:
        KeyRing.load(path)
    assert not any(secret in caught.value.message for secret in secrets)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"\0" * 100])
def test_what_is_no_json_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(KeyFileError):
        KeyRing.load(path)


def test_a_rotation_keeps_every_former_key(path: Path) -> None:
    values, sealed = [], []
    ring = KeyRing.load(path)
    for _ in range(4):
        values.append(
            (
                ring.active(Purpose.JOB_TOKEN).number,
                sign(CLAIMS, ring.active(Purpose.JOB_TOKEN), "bkaj_").reveal(),
            )
        )
        sealed.append(seal(ring, b"content", "bound"))
        ring = ring.rotated(Purpose.JOB_TOKEN).rotated(Purpose.SEALING)
        ring.save(path)
        ring = KeyRing.load(path)
    assert [number for number, _ in values] == [1, 2, 3, 4]
    assert ring.active(Purpose.JOB_TOKEN).number == 5
    assert ring.active(Purpose.MAC).number == 1
    for number, value in values:
        key = ring.find(Purpose.JOB_TOKEN, number)
        assert key is not None
        assert not key.active
        assert signature_holds(value, "bkaj_", key)
        assert not signature_holds(value, "bkaj_", ring.active(Purpose.JOB_TOKEN))
    assert [unseal(ring, one, "bound") for one in sealed] == [b"content"] * 4


def test_a_key_never_shows_its_secret(path: Path) -> None:
    key = KeyRing.load(path).active(Purpose.MAC)
    shown = f"{key} {key!r} {[key]}"
    assert key.secret.hex() not in shown
    assert repr(key.secret) not in shown
    assert base64.b64encode(key.secret).decode() not in shown


# -- sealing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"value", bytes(100_000)])
def test_what_is_sealed_opens_with_its_binding_alone(content: bytes) -> None:
    ring = KeyRing.generate()
    sealed = seal(ring, content, "organization:token:1")
    assert unseal(ring, sealed, "organization:token:1") == content
    for other in ("", "organization:token:2", "organization:token:1 ", "another:token:1"):
        assert unseal(ring, sealed, other) is None
    assert content == b"" or content not in sealed


def test_sealing_twice_gives_two_texts() -> None:
    ring = KeyRing.generate()
    assert len({seal(ring, b"value", "bound") for _ in range(100)}) == 100


def test_a_changed_or_cut_seal_does_not_open() -> None:
    ring = KeyRing.generate()
    sealed = seal(ring, b"value", "bound")
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        assert unseal(ring, bytes(changed), "bound") is None
        assert unseal(ring, sealed[:place], "bound") is None
    assert unseal(ring, sealed + b"\0", "bound") is None
    assert unseal(ring, b"", "bound") is None


def test_a_seal_does_not_open_with_another_ring_or_under_another_number() -> None:
    ring, other = KeyRing.generate(), KeyRing.generate()
    sealed = seal(ring, b"value", "bound")
    assert unseal(other, sealed, "bound") is None
    later = ring.rotated(Purpose.SEALING)
    second = seal(later, b"value", "bound")
    assert second[:4] != sealed[:4]
    assert unseal(later, second[:4] + sealed[4:], "bound") is None
    assert unseal(ring, second, "bound") is None  # this ring never had the key


def _without(path: Path, *purposes: Purpose) -> None:
    document = json.loads(path.read_text())
    document["keys"] = [row for row in document["keys"] if row["purpose"] not in purposes]
    path.write_text(json.dumps(document))


def test_a_file_of_an_older_version_is_completed_and_keeps_what_it_has(path: Path) -> None:
    before = KeyRing.load(path)
    _without(path, Purpose.ARTIFACT)
    made = KeyRing.upgrade(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert KeyRing.load(path).active(Purpose.ARTIFACT) == made.active(Purpose.ARTIFACT)
    assert made.active(Purpose.ARTIFACT) != before.active(Purpose.ARTIFACT)
    for purpose in set(Purpose) - {Purpose.ARTIFACT}:
        assert made.active(purpose) == before.active(purpose)


def test_a_complete_file_is_not_written_again(path: Path) -> None:
    before = path.stat().st_mtime_ns, path.stat().st_ino
    assert KeyRing.upgrade(path).active(Purpose.ARTIFACT) == KeyRing.load(path).active(Purpose.ARTIFACT)
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before


@pytest.mark.parametrize("purpose", [Purpose.JOB_TOKEN, Purpose.MAC, Purpose.SEALING])
def test_a_key_that_was_lost_is_not_made_up(path: Path, purpose: Purpose) -> None:
    _without(path, purpose)
    with pytest.raises(KeyFileError):
        KeyRing.upgrade(path)


DAY_US = 86_400 * 1_000_000


def test_a_key_of_job_identity_is_published_before_it_signs_and_for_a_while_after(path: Path) -> None:
    now = 1_800_000_000_000_000
    ring = KeyRing.load(path).rotated(Purpose.IDENTITY, signs_from=now + DAY_US)
    ring.save(path)
    ring = KeyRing.load(path)

    def seen(at: int) -> tuple[int, list[int]]:
        return ring.signing(at).number, [key.number for key in ring.published(at)]

    assert seen(now) == (1, [1, 2])
    assert seen(now + DAY_US - 1) == (1, [1, 2])
    assert seen(now + DAY_US) == (2, [1, 2])
    assert seen(now + 8 * DAY_US - 1) == (2, [1, 2])
    assert seen(now + 8 * DAY_US) == (2, [2])


def test_a_withdrawn_key_signs_and_is_published_no_more_after_a_restart_either(path: Path) -> None:
    ring = KeyRing.load(path)
    for early in (ring, ring.rotated(Purpose.IDENTITY, signs_from=11)):
        with pytest.raises(Conflict, match="rotate first"):
            early.without(1, 10)
    ring.become(ring.rotated(Purpose.IDENTITY, signs_from=5))
    with pytest.raises(Conflict):
        ring.without(2, 10)
    ring.become(ring.without(1, 10))
    again = KeyRing.load(path)
    assert again.signing(10).number == 2
    assert [key.number for key in again.published(10)] == [2]
    assert again.find(Purpose.IDENTITY, 1) is not None


def test_the_key_that_signs_is_published_whatever_became_of_later_ones(path: Path) -> None:
    ring = KeyRing.load(path).rotated(Purpose.IDENTITY, signs_from=5 * DAY_US)
    alone = ring.without(2, 0)
    for later in (0, 6 * DAY_US, 100 * DAY_US):
        assert alone.signing(later).number == 1
        assert [key.number for key in alone.published(later)] == [1]
    first_gone = ring.without(1, 6 * DAY_US)
    assert first_gone.signing(0).number == 2  # a clock that was set back
    assert [key.number for key in first_gone.published(0)] == [2]


def test_a_file_of_an_older_version_is_read_and_given_a_key_of_job_identity(path: Path) -> None:
    document = json.loads(path.read_text())
    document["keys"] = [row for row in document["keys"] if row["purpose"] != "identity"]
    path.write_text(json.dumps(document))
    assert not KeyRing.load(path).all(Purpose.IDENTITY)
    made = KeyRing.upgrade(path, Algorithm.ES256).signing(0)
    assert algorithm_of(made.secret) is Algorithm.ES256
    assert KeyRing.upgrade(path).signing(0) == made


@pytest.mark.parametrize("secret", [b"", b"short", bytes(1200)])
def test_a_damaged_key_of_job_identity_is_refused(path: Path, secret: bytes) -> None:
    document = json.loads(path.read_text())
    for row in document["keys"]:
        if row["purpose"] == "identity":
            row["secret"] = base64.b64encode(secret).decode()
    path.write_text(json.dumps(document))
    with pytest.raises(KeyFileError):
        KeyRing.load(path)


@pytest.mark.parametrize("algorithm", Algorithm)
def test_published_keys_are_those_of_the_private_ones_and_nothing_more(algorithm: Algorithm) -> None:
    private = make_private(algorithm)
    shown = public_jwk(private)
    assert shown["alg"] == algorithm
    assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & set(shown)
    token = sign_identity(private, {"iss": "x"}).reveal()
    decoded = jwt.decode(token, jwk.import_key(dict(shown)), algorithms=[algorithm.value])
    assert decoded.claims == {"iss": "x"}
    assert decoded.header == {"typ": "JWT", "alg": algorithm.value, "kid": shown["kid"]}
