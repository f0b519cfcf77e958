"""Reporters of leaks, as the operator names them in the settings: who they are and how they prove it."""

import re
from dataclasses import dataclass
from enum import StrEnum

from watchword.crypto.reports import MAX_KEY_ID, PublicKey, UnfitKey, key_id, read_public_key
from watchword.crypto.values import Secret
from watchword.domain.leaks import Visibility
from watchword.services.providers import is_safe
from watchword.services.settingtables import SettingTable, tables_of, unfit

GITHUB_KEYS = "https://api.github.com/meta/public_keys/secret_scanning"
MAX_REPORTERS = 50
_SETTING = "leak_reporters"
_NONE = Secret("")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
# Words under which the server itself keeps reports.
_OURS = ("possession", "person", "drill")
_SHORTEST_SECRET = 20


class ReporterType(StrEnum):
    """How a reporter proves that a report is its own, and how it is answered."""

    GITHUB = "github"
    GITLAB = "gitlab"
    SIGNED = "signed"


@dataclass(frozen=True, slots=True)
class Reporter:
    """One reporter.

    Attributes:
        name: in its address and in cases.
        keys: `github`: where it publishes its keys.
        public_key: `signed`: its key in PEM.
        key_id: `signed`: what it calls that key; its SHA-256 in hex unless it is called something else.
        secret: `gitlab`: what it shows with each report.
        visibility: of places that it reports without saying who can see them.
    """

    name: str
    type: ReporterType
    keys: str = ""
    public_key: str = ""
    key_id: str = ""
    secret: Secret = _NONE
    visibility: Visibility = Visibility.PRIVATE

    @property
    def key(self) -> PublicKey:
        """The public key of a `signed` one.

        Raises:
            UnfitKey: it has none.
        """
        return read_public_key(self.public_key)


def read_reporters(given: object) -> tuple[Reporter, ...]:
    """Reporters of a settings file, or of a variable in JSON; both are lists of tables.

    Raises:
        Invalid: it is none; the message holds no value, because one may be secret.
    """
    tables = tables_of(_SETTING, given, Reporter)
    if len(tables) > MAX_REPORTERS:
        raise unfit(_SETTING, f"takes at most {MAX_REPORTERS} reporters")
    found = tuple(one if isinstance(one, Reporter) else _read(one) for one in tables)
    if len({one.name for one in found}) < len(found):
        raise unfit(_SETTING, "has two reporters with the same name")
    return found


def _read(table: SettingTable) -> Reporter:
    table.require_known({*Reporter.__slots__, "public_key_file", "secret_file"})
    name = table.text("name")
    if not _NAME.fullmatch(name) or name in _OURS:
        raise table.unfit(
            "takes a name of lower-case letters, digits and dashes, as it stands in the reporter's address;"
            f" {', '.join(_OURS)} are taken"
        )
    kind = table.choice(ReporterType, "type")
    pem = table.text_or_file("public_key")
    return Reporter(
        name=name,
        type=kind,
        keys=_keys(table, kind),
        public_key=pem,
        key_id=_key_id(table, kind, pem),
        secret=_secret(table, kind),
        visibility=table.choice(Visibility, "visibility", _usual(kind)),
    )


def _usual(kind: ReporterType) -> Visibility:
    """GitHub's programme tells what is public; of others that is not known."""
    return Visibility.PUBLIC if kind is ReporterType.GITHUB else Visibility.PRIVATE


def _keys(table: SettingTable, kind: ReporterType) -> str:
    url = table.text("keys")
    if kind is not ReporterType.GITHUB:
        if url:
            raise table.unfit("takes keys for the type github alone")
        return ""
    if url and not is_safe(url):
        raise table.unfit("takes keys as https://…, on this machine also http://")
    return url or GITHUB_KEYS


def _key_id(table: SettingTable, kind: ReporterType, pem: str) -> str:
    given = table.text("key_id")
    if kind is not ReporterType.SIGNED:
        if pem or given:
            raise table.unfit("takes public_key and key_id for the type signed alone")
        return ""
    try:
        own = key_id(read_public_key(pem))
    except UnfitKey as error:
        raise table.unfit(f"takes as public_key, or in public_key_file, a key in PEM: {error}") from None
    if len(given) > MAX_KEY_ID or not given.isascii():
        raise table.unfit(f"takes a key_id of at most {MAX_KEY_ID} ASCII characters")
    return given or own


def _secret(table: SettingTable, kind: ReporterType) -> Secret:
    text = table.text_or_file("secret")
    if kind is not ReporterType.GITLAB:
        if text:
            raise table.unfit("takes a secret for the type gitlab alone")
        return _NONE
    if len(text) < _SHORTEST_SECRET or not text.isascii():
        raise table.unfit(
            f"takes a secret of at least {_SHORTEST_SECRET} ASCII characters, or its secret_file"
        )
    return Secret(text)
