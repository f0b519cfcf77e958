"""How mail leaves: by SMTP (RFC 5321), or, where no server is set, as files in the data folder."""

import os
import smtplib
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from watchword.crypto.values import Secret
from watchword.services.mail import NotSent, Undeliverable

_SECONDS = 30.0
_PORTS = {"smtp": 587, "smtps": 465}
_LOCAL = ("localhost", "127.0.0.1", "::1")
_PERMANENT = 500


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where to hand mail in.

    Attributes:
        implicit: TLS from the first byte (`smtps`); else STARTTLS.
        plain: no TLS: to this machine, or where the address says `?tls=off`.
    """

    host: str
    port: int
    user: str
    password: Secret
    implicit: bool
    plain: bool

    @classmethod
    def parse(cls, url: str) -> "SmtpServer":
        """Read `smtp://USER:PASSWORD@HOST:PORT`.

        Raises:
            ValueError: it is no such address; the message does not repeat it.
        """
        parts = urlsplit(url)
        query = parse_qs(parts.query, strict_parsing=bool(parts.query))
        known = parts.scheme in _PORTS and parts.hostname and parts.path in ("", "/") and not parts.fragment
        if not known or query not in ({}, {"tls": ["off"]}):
            raise ValueError("smtp_url takes smtp://USER@HOST:PORT or smtps://USER@HOST:PORT")
        host = parts.hostname or ""
        implicit = parts.scheme == "smtps"
        return cls(
            host,
            parts.port or _PORTS[parts.scheme],
            unquote(parts.username or ""),
            Secret(unquote(parts.password or "")),
            implicit,
            not implicit and (bool(query) or host in _LOCAL),
        )


def compose(sender: str, message_id: str, recipient: str, subject: str, text: str) -> EmailMessage:
    """A plain text message (RFC 5322) that no reader's machine answers by itself (RFC 3834)."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = subject
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{message_id}@{sender.rpartition('@')[2].rstrip('>')}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message


@dataclass(frozen=True, slots=True)
class SmtpTransport:
    """Hands messages to a mail server, one connection each.

    Attributes:
        context: what TLS trusts; the system's roots unless a test says otherwise.
    """

    server: SmtpServer
    sender: str
    context: ssl.SSLContext | None = None

    def send(self, message_id: str, recipient: str, subject: str, text: str) -> None:
        """Send one message.

        Raises:
            Undeliverable: the server refused this recipient or this message for good.
            NotSent: anything else went wrong.
        """
        try:
            message = compose(self.sender, message_id, recipient, subject, text)
        except ValueError as error:
            raise Undeliverable(f"the message cannot be written: {error}") from None
        try:
            with self._connect() as connection:
                connection.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            raise _refused(error.recipients) from None
        except smtplib.SMTPDataError as error:
            kind = Undeliverable if error.smtp_code >= _PERMANENT else NotSent
            raise kind(_said(error.smtp_code, error.smtp_error)) from None
        except smtplib.SMTPResponseException as error:
            raise NotSent(_said(error.smtp_code, error.smtp_error)) from None
        except ValueError:  # its text may repeat what it is about
            raise NotSent("user or password of smtp_url has characters that SMTP does not take") from None
        except (smtplib.SMTPException, OSError) as error:
            raise NotSent(
                f"{self.server.host}:{self.server.port}: {str(error) or type(error).__name__}"
            ) from None

    def _connect(self) -> smtplib.SMTP:
        server = self.server
        if server.implicit:
            connection: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=_SECONDS, context=self._trust()
            )
        else:
            connection = smtplib.SMTP(server.host, server.port, timeout=_SECONDS)
        try:
            if not server.implicit and not server.plain:
                connection.starttls(context=self._trust())  # raises where the server has none
            if server.user:
                connection.login(server.user, server.password.reveal())
        except BaseException:
            connection.close()
            raise
        return connection

    def _trust(self) -> ssl.SSLContext:
        return self.context or ssl.create_default_context()


def _said(code: int, text: bytes | str) -> str:
    shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"the mail server answered {code} {' '.join(shown.split())}"


def _refused(recipients: Mapping[str, tuple[int, bytes]]) -> Undeliverable | NotSent:
    code, text = next(iter(recipients.values()))
    return Undeliverable(_said(code, text)) if code >= _PERMANENT else NotSent(_said(code, text))


@dataclass(frozen=True, slots=True)
class FolderTransport:
    """Writes messages as files (mode 0600) for whoever runs the machine."""

    folder: Path
    sender: str

    def send(self, message_id: str, recipient: str, subject: str, text: str) -> None:
        """Write one message; a file of an earlier attempt is replaced.

        Raises:
            Undeliverable: the message cannot be written as mail.
            NotSent: the folder takes no file.
        """
        try:
            content = compose(self.sender, message_id, recipient, subject, text).as_bytes()
        except ValueError as error:
            raise Undeliverable(f"the message cannot be written: {error}") from None
        path = self.folder / f"{message_id}.eml"
        part = path.with_suffix(".part")
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            with suppress(FileNotFoundError):
                part.unlink()
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.rename(path)
        except OSError as error:
            raise NotSent(f"{self.folder}: {error.strerror}") from None


def open_post(url: Secret, folder: Path, sender: str) -> SmtpTransport | FolderTransport:
    """What the settings ask for: a mail server, or the folder where none is set."""
    if url.reveal():
        return SmtpTransport(SmtpServer.parse(url.reveal()), sender)
    return FolderTransport(folder, sender)
