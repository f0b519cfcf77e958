"""A person who signs in: short words for tests of accounts."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import pyotp

from services.scene import ADDRESS, Scene
from watchword.crypto.sealing import unseal
from watchword.crypto.values import Secret
from watchword.domain.accounts import User
from watchword.domain.errors import WatchwordError
from watchword.domain.events import SYSTEM
from watchword.domain.people import SignInData
from watchword.services.context import LOCAL, Caller, Context
from watchword.services.passwords import set_password
from watchword.services.second_factor import confirm, enrol
from watchword.services.signing_in import SignedIn, SigningIn, Visitor
from watchword.store.base import EVERYTHING, Transaction

T = TypeVar("T")
PASSWORD = "correct horse battery"
EMAIL = "admin@example.com"
CALLER = Caller(SYSTEM, ADDRESS, "request-1", "a browser")
ELSEWHERE = Caller(SYSTEM, "198.51.100.7", "request-2", "another browser")


class Door:
    """The first organization's administrator, at the door."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.user = scene.first.admin
        self.run(set_password(self.context, LOCAL, self.user, Secret(PASSWORD)))
        self.app: pyotp.TOTP | None = None
        self.codes: list[Secret] = []

    @property
    def context(self) -> Context:
        return self.scene.authority.context

    @property
    def service(self) -> SigningIn:
        return self.scene.authority.signing_in

    def run(self, work: Awaitable[T]) -> T:
        return self.scene.run(work)  # type: ignore[arg-type]

    def write(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        return self.run(self.scene.world.store.write(work))

    def data(self) -> SignInData:
        return self.run(self.scene.world.store.read(lambda tx: tx.people.sign_in_data(self.user.id)))

    def row(self) -> User:
        found = self.run(self.scene.world.store.read(lambda tx: tx.accounts.user(self.user.id)))
        assert found is not None
        return found

    def sign_in(self, password: str = PASSWORD, email: str = EMAIL, caller: Caller = CALLER) -> SignedIn:
        return self.run(self.service.sign_in(email, Secret(password), caller))

    def visit(self, signed: SignedIn) -> Visitor:
        return self.run(self.service.authenticate(signed.cookie))

    def refusal(self, work: Awaitable[object]) -> str:
        """The code with which something is refused; empty if it passes."""
        try:
            self.run(work)
        except WatchwordError as error:
            return error.code
        return ""

    def attempt(self, password: str = "wrong", email: str = EMAIL, caller: Caller = CALLER) -> str:
        return self.refusal(self.service.sign_in(email, Secret(password), caller))

    def letters(self) -> list[tuple[str, str, str]]:
        """Recipient, subject and text of the mail on its way, oldest first."""
        found = []
        for row in reversed(self.write(lambda tx: tx.mails.list(EVERYTHING))):
            opened = unseal(self.context.keys, row.body, f"mail:{row.id}")
            assert opened is not None
            found.append((row.recipient, row.subject, opened.decode()))
        return found

    def link(self) -> Secret:
        """The value of the link in the latest mail."""
        return Secret(self.letters()[-1][2].partition("#")[2].split()[0])

    def code(self) -> str:
        """A code of the app, of a step that was not used yet."""
        assert self.app is not None
        self.scene.forward(31)
        return self.app.at(self.scene.world.clock.now() // 1_000_000)

    def enrol(self) -> None:
        """Give the person a second factor."""
        made = self.write(lambda tx: enrol(self.context, tx, self.user))
        self.app = pyotp.TOTP(made.secret.reveal())
        code = self.code()
        self.codes = self.write(lambda tx: confirm(self.context, tx, LOCAL, self.user, code))
