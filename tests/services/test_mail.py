"""Mail: queued with its cause, sent through a real mail server or into files, given up after a day."""

import ssl
import stat
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

from services.scene import Scene
from support import free_port
from tls_stand_in import certificate
from watchword.crypto.keys import KeyRing
from watchword.crypto.values import Secret
from watchword.domain.people import Mail
from watchword.services.mail import GIVE_UP_US, KEEP_US, NotSent, Postman, Transport, queue_mail
from watchword.store.base import EVERYTHING, Transaction
from watchword.workers.post import FolderTransport, SmtpServer, SmtpTransport, open_post

TEXT = "Open this once: https://watchword.example.com/recover#token=mail-canary-1\n\nGrüße\n"
SENDER = "watchword@example.com"


class Inbox:
    """A mail server's end: keeps what it takes, and refuses what it is told to."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []
        self.logins: list[tuple[bytes, bytes]] = []
        self.answer = "250 Fine"
        self.recipient_answer = ""

    async def handle_RCPT(  # noqa: N802 - the hook's name
        self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.recipient_answer:
            return self.recipient_answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802 - the hook's name
        if self.answer.startswith("250"):
            self.taken.append(envelope)
        return self.answer

    def authenticate(self, *given: Any) -> AuthResult:
        data = given[-1]
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"open sesame")


def start(inbox: Inbox, **named: Any) -> Controller:
    made = Controller(inbox, hostname="127.0.0.1", port=free_port(), **named)
    made.start()
    return made


@pytest.fixture
def make_of_database() -> str:
    return "sqlite"  # what the store does is held by its contract


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def server(inbox: Inbox) -> Iterator[Controller]:
    made = start(inbox)
    yield made
    made.stop()


class Tls(NamedTuple):
    """Both ends of a connection that trusts a certificate of ours."""

    server: ssl.SSLContext
    client: ssl.SSLContext


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    cert, key = certificate(tmp_path_factory.mktemp("tls"))
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(cert, key)
    return Tls(server, ssl.create_default_context(cafile=str(cert)))


def smtp(server: Controller, words: str = "smtp://127.0.0.1:{port}") -> SmtpTransport:
    return SmtpTransport(SmtpServer.parse(words.format(port=server.port)), SENDER)


def queue(scene: Scene, key: str = "", to: str = "ada@example.com") -> bool:
    context = scene.authority.context
    return scene.run(
        context.store.write(lambda tx: queue_mail(context, tx, to, "Sign in\r\nBcc: eve", TEXT, key))
    )


def work_off(scene: Scene, transport: Transport) -> None:
    scene.run(Postman(scene.authority.context, transport).work_off())


def kept(scene: Scene) -> list[Mail]:
    return list(scene.run(scene.world.store.read(lambda tx: tx.mails.list(EVERYTHING))))


class Broken:
    """A transport that always fails for now."""

    def send(self, *_given: str) -> None:
        raise NotSent("no route")


def test_a_queued_message_arrives_whole_and_once(scene: Scene, server: Controller, inbox: Inbox) -> None:
    assert queue(scene)
    (row,) = kept(scene)
    work_off(scene, smtp(server))
    work_off(scene, smtp(server))
    (taken,) = inbox.taken
    assert taken.mail_from == SENDER
    assert taken.rcpt_tos == ["ada@example.com"]
    assert isinstance(taken.content, bytes)
    message = message_from_bytes(taken.content, policy=default)
    assert message["Subject"] == "Sign in Bcc: eve"
    assert message["Bcc"] is None
    assert message["Message-ID"] == f"<{row.id}@example.com>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content().replace("\r\n", "\n") == TEXT
    (row,) = kept(scene)
    assert (row.sent_at, row.attempts, row.body, row.due_at) == (scene.world.clock.now(), 1, b"", 0)


def test_mail_is_queued_with_its_cause_or_not_at_all(scene: Scene) -> None:
    context = scene.authority.context

    async def work(tx: Transaction) -> None:
        await queue_mail(context, tx, "ada@example.com", "Subject", TEXT, "")
        raise RuntimeError("the cause failed")

    with pytest.raises(RuntimeError, match="cause"):
        scene.run(context.store.write(work))
    assert not kept(scene)


def test_one_message_per_key(scene: Scene, server: Controller, inbox: Inbox) -> None:
    assert [queue(scene, "a"), queue(scene, "a"), queue(scene, "b"), queue(scene), queue(scene)] == [
        True,
        False,
        True,
        True,
        True,
    ]
    work_off(scene, smtp(server))
    assert not queue(scene, "a")  # also when it was sent
    assert len(inbox.taken) == 4


def test_a_body_lies_sealed(scene: Scene) -> None:
    queue(scene)
    assert b"mail-canary-1" not in scene.world.database.content()
    assert b"ada@example.com" in scene.world.database.content()


def test_a_failing_server_is_tried_again_later_and_later_for_a_day(
    scene: Scene, server: Controller, inbox: Inbox
) -> None:
    inbox.answer = "451 Try later"
    queue(scene)
    pauses = []
    while True:
        work_off(scene, smtp(server))
        (row,) = kept(scene)
        if row.failed_at:
            break
        pauses.append((row.due_at - scene.world.clock.now()) // 60_000_000)
        scene.world.clock.time = row.due_at
    assert pauses[:8] == [1, 2, 4, 8, 16, 32, 64, 120]
    assert set(pauses[8:]) == {120}
    assert row.failed_at <= row.created_at + GIVE_UP_US
    assert row.error == "given up after a day: the mail server answered 451 Try later"
    assert row.body == b""
    assert not inbox.taken


def test_a_message_is_not_tried_before_it_is_due_and_leaves_when_the_server_is_back(
    scene: Scene, server: Controller, inbox: Inbox
) -> None:
    queue(scene)
    work_off(scene, Broken())
    work_off(scene, smtp(server))
    assert not inbox.taken
    scene.forward(60)
    work_off(scene, smtp(server))
    assert len(inbox.taken) == 1
    assert kept(scene)[0].error == ""


@pytest.mark.parametrize("at", ["recipient", "data"])
def test_what_the_server_refuses_for_good_is_given_up_at_once(
    scene: Scene, server: Controller, inbox: Inbox, at: str
) -> None:
    if at == "recipient":
        inbox.recipient_answer = "550 No such user"
    else:
        inbox.answer = "550 No such user"
    queue(scene)
    queue(scene, to="bob@example.com")
    work_off(scene, smtp(server))
    assert {(row.error, bool(row.failed_at)) for row in kept(scene)} == {
        ("the mail server answered 550 No such user", True)
    }


def test_a_recipient_refused_for_now_is_tried_again(scene: Scene, server: Controller, inbox: Inbox) -> None:
    inbox.recipient_answer = "450 Greylisted"
    queue(scene)
    work_off(scene, smtp(server))
    assert not kept(scene)[0].failed_at


def test_no_server_is_an_error_that_is_shown_and_not_an_end(scene: Scene) -> None:
    queue(scene)
    work_off(scene, SmtpTransport(SmtpServer.parse(f"smtp://127.0.0.1:{free_port()}"), SENDER))
    (row,) = kept(scene)
    assert not row.failed_at
    assert "127.0.0.1" in row.error


def test_the_password_is_sent_inside_tls_alone(scene: Scene, inbox: Inbox, tls: Tls) -> None:
    served = start(
        inbox,
        authenticator=inbox.authenticate,
        auth_required=True,
        auth_require_tls=True,
        tls_context=tls.server,
    )
    url = "smtp://ada:open%20sesame@127.0.0.1:{port}"
    server = SmtpServer.parse(url.format(port=served.port))
    try:
        queue(scene)
        strict = SmtpServer(
            server.host, server.port, server.user, server.password, implicit=False, plain=False
        )
        work_off(scene, SmtpTransport(strict, SENDER, ssl.create_default_context()))
        assert not inbox.logins  # the certificate is not trusted
        scene.forward(60)
        work_off(scene, SmtpTransport(strict, SENDER, tls.client))
        assert inbox.logins == [(b"ada", b"open sesame")]
        assert len(inbox.taken) == 1
    finally:
        served.stop()


def test_a_server_without_tls_gets_neither_password_nor_mail(
    scene: Scene, server: Controller, inbox: Inbox
) -> None:
    far = SmtpServer("127.0.0.1", server.port, "ada", Secret("open sesame"), implicit=False, plain=False)
    queue(scene)
    work_off(scene, SmtpTransport(far, SENDER))
    assert "STARTTLS" in kept(scene)[0].error
    assert not inbox.logins
    assert not inbox.taken


def test_implicit_tls(scene: Scene, inbox: Inbox, tls: Tls) -> None:
    # The controller's own check of readiness does not speak TLS to a certificate of ours.
    served = start(inbox, ssl_context=tls.server)
    try:
        queue(scene)
        transport = SmtpTransport(SmtpServer.parse(f"smtps://127.0.0.1:{served.port}"), SENDER, tls.client)
        work_off(scene, transport)
        assert kept(scene)[0].error == ""
        assert len(inbox.taken) == 1
    finally:
        served.stop()


def test_without_a_server_mail_is_a_private_file(scene: Scene, tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    transport = open_post(Secret(""), folder, SENDER)
    assert isinstance(transport, FolderTransport)
    queue(scene)
    queue(scene, to="bob@example.com")
    work_off(scene, transport)
    files = sorted(folder.iterdir())
    assert [path.stem for path in files] == sorted(row.id for row in kept(scene))
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    message = message_from_bytes(files[0].read_bytes(), policy=default)
    assert message.get_content().replace("\r\n", "\n") == TEXT


@pytest.mark.parametrize("to", ["ada@example.com\r\nBcc: eve@example.com", "ada\n@example.com"])
def test_an_address_cannot_add_headers(scene: Scene, tmp_path: Path, to: str) -> None:
    queue(scene, to=to)
    work_off(scene, FolderTransport(tmp_path / "mail", SENDER))
    (row,) = kept(scene)
    assert row.failed_at
    assert not (tmp_path / "mail").exists()


def test_a_message_whose_key_is_gone_is_given_up(scene: Scene, tmp_path: Path) -> None:
    queue(scene)
    former = scene.world.keys
    object.__setattr__(scene.authority.context, "keys", KeyRing.generate())
    work_off(scene, FolderTransport(tmp_path / "mail", SENDER))
    object.__setattr__(scene.authority.context, "keys", former)
    assert "key" in kept(scene)[0].error


def test_old_mail_is_forgotten(scene: Scene, tmp_path: Path) -> None:
    queue(scene)
    work_off(scene, FolderTransport(tmp_path / "mail", SENDER))
    postman = Postman(scene.authority.context, Broken())
    scene.world.clock.forward(KEEP_US)
    scene.run(postman.forget())
    assert len(kept(scene)) == 1
    scene.forward(1)
    scene.run(postman.forget())
    assert not kept(scene)


@pytest.mark.parametrize(
    "url",
    ["http://mail.example.com", "smtp://", "smtp://host/path", "smtp://host?tls=on", "mail.example.com"],
)
def test_an_address_of_no_mail_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"smtp_url|bad query"):
        SmtpServer.parse(url)


def test_an_address_of_a_mail_server_is_read() -> None:
    far = SmtpServer.parse("smtp://a%40b:p%3Aw@mail.example.com")
    assert (far.host, far.port, far.user, far.password.reveal()) == ("mail.example.com", 587, "a@b", "p:w")
    assert (far.implicit, far.plain) == (False, False)
    assert SmtpServer.parse("smtp://mail.example.com:25?tls=off").plain
    assert SmtpServer.parse("smtps://mail.example.com").port == 465
