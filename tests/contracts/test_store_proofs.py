"""The store's contract: passkeys, identities at single sign-on, used tickets."""

from dataclasses import replace
from typing import Any

import pytest

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import TEXT, USER
from contracts.test_store_people import OTHER_USER, ROUNDS, race
from watchword.domain.ids import PasskeyId
from watchword.domain.passkeys import Identity, Passkey
from watchword.store.base import Duplicate

ISSUER = "https://id.example.com"


def passkey(number: int, **changes: Any) -> Passkey:
    made = Passkey(
        user_id=USER,
        id=PasskeyId(f"passkey-{number}"),
        credential_id=bytes([number]) * 20,
        public_key=b"\0key",
        sign_count=0,
        name=TEXT,
        transports=("internal", "hybrid"),
        backed_up=True,
        created_at=number,
    )
    return replace(made, **changes)


def test_passkeys_are_kept_and_found_by_their_credential(shelf: Shelf) -> None:
    late, early = passkey(2), passkey(1)
    for one in (late, early, passkey(3, user_id=OTHER_USER)):
        shelf.write(lambda tx, one=one: tx.proofs.add_passkey(one))  # type: ignore[misc]
    assert list(shelf.read(lambda tx: tx.proofs.passkeys(USER))) == [early, late]
    assert shelf.read(lambda tx: tx.proofs.passkey_by_credential(late.credential_id)) == late
    assert shelf.read(lambda tx: tx.proofs.passkey_by_credential(b"unknown")) is None
    known = passkey(4, user_id=OTHER_USER, credential_id=early.credential_id)
    with pytest.raises(Duplicate):
        shelf.write(lambda tx: tx.proofs.add_passkey(known))


def test_a_counter_goes_on_or_stays_at_zero(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.proofs.add_passkey(passkey(1)))

    def use(count: int) -> bool:
        return shelf.write(lambda tx: tx.proofs.use_passkey(USER, passkey(1).id, count, 50 + count))

    assert [use(count) for count in (0, 0, 5, 5, 4, 0, 6)] == [True, True, True, False, False, False, True]
    (found,) = shelf.read(lambda tx: tx.proofs.passkeys(USER))
    assert (found.sign_count, found.last_used_at) == (6, 56)
    assert not shelf.write(lambda tx: tx.proofs.use_passkey(OTHER_USER, passkey(1).id, 9, 9))


def test_passkeys_are_renamed_and_removed_by_their_owner_alone(shelf: Shelf) -> None:
    for number in (1, 2, 3):
        shelf.write(lambda tx, number=number: tx.proofs.add_passkey(passkey(number)))  # type: ignore[misc]
    first = passkey(1).id
    assert not shelf.write(lambda tx: tx.proofs.rename_passkey(OTHER_USER, first, "x"))
    assert not shelf.write(lambda tx: tx.proofs.remove_passkey(OTHER_USER, first))
    assert shelf.write(lambda tx: tx.proofs.rename_passkey(USER, first, "Phone"))
    assert shelf.read(lambda tx: tx.proofs.passkeys(USER))[0].name == "Phone"
    assert shelf.write(lambda tx: tx.proofs.remove_passkey(USER, first))
    assert not shelf.write(lambda tx: tx.proofs.remove_passkey(USER, first))
    assert shelf.write(lambda tx: tx.proofs.remove_passkeys(OTHER_USER)) == 0
    assert shelf.write(lambda tx: tx.proofs.remove_passkeys(USER)) == 2


def test_identities_are_known_by_issuer_and_subject(shelf: Shelf) -> None:
    made = Identity(ISSUER, "subject-1", USER, "ada@example.com", 7, 7)
    shelf.write(lambda tx: tx.proofs.add_identity(made))
    with pytest.raises(Duplicate):
        shelf.write(lambda tx: tx.proofs.add_identity(replace(made, user_id=OTHER_USER)))
    elsewhere = replace(made, issuer="https://other.example.com", user_id=OTHER_USER)
    shelf.write(lambda tx: tx.proofs.add_identity(elsewhere))
    shelf.write(lambda tx: tx.proofs.use_identity(ISSUER, "subject-1", "ada@new.example.com", 9))
    used = replace(made, email="ada@new.example.com", last_used_at=9)
    assert shelf.read(lambda tx: tx.proofs.identity(ISSUER, "subject-1")) == used
    assert shelf.read(lambda tx: tx.proofs.identity(ISSUER, "Subject-1")) is None
    assert list(shelf.read(lambda tx: tx.proofs.identities(USER))) == [used]
    assert not shelf.write(lambda tx: tx.proofs.remove_identity(OTHER_USER, ISSUER, "subject-1"))
    assert shelf.write(lambda tx: tx.proofs.remove_identity(USER, ISSUER, "subject-1"))
    assert list(shelf.read(lambda tx: tx.proofs.identities(OTHER_USER))) == [elsewhere]


def test_whether_anybody_can_prove_who_they_are(shelf: Shelf) -> None:
    def anybody() -> bool:
        return shelf.read(lambda tx: tx.proofs.anybody_proves())

    shelf.write(lambda tx: tx.accounts.add_user(make.user(password_hash="")))
    assert not anybody()
    shelf.write(lambda tx: tx.proofs.add_passkey(passkey(1)))
    assert anybody()
    shelf.write(lambda tx: tx.proofs.remove_passkeys(USER))
    assert not anybody()
    shelf.write(lambda tx: tx.proofs.add_identity(Identity(ISSUER, "subject-1", USER, "", 7, 7)))
    assert anybody()
    shelf.write(lambda tx: tx.proofs.remove_identity(USER, ISSUER, "subject-1"))
    shelf.write(lambda tx: tx.people.set_password(USER, "hash", 9))
    assert anybody()


def test_a_ticket_has_one_winner_in_every_round(shelf: Shelf) -> None:
    wins = race(shelf, lambda tx, number: tx.proofs.use_ticket(bytes([number]) * 32, 100))
    assert wins == [1] * ROUNDS
    assert shelf.write(lambda tx: tx.proofs.forget_tickets(99)) == 0
    assert not shelf.write(lambda tx: tx.proofs.use_ticket(bytes([1]) * 32, 100))
    assert shelf.write(lambda tx: tx.proofs.forget_tickets(100)) == ROUNDS
    assert shelf.write(lambda tx: tx.proofs.use_ticket(bytes([1]) * 32, 200))


def test_an_address_is_changed_unless_it_is_taken(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.accounts.add_user(make.user()))
    shelf.write(lambda tx: tx.accounts.add_user(make.user(id=OTHER_USER, email="bob@example.com")))
    with pytest.raises(Duplicate):
        shelf.write(lambda tx: tx.people.set_email(USER, "bob@example.com"))
    shelf.write(lambda tx: tx.people.set_email(USER, "ada@new.example.com"))
    found = shelf.read(lambda tx: tx.accounts.user(USER))
    assert found == make.user(email="ada@new.example.com")
