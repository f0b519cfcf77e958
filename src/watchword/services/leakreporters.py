"""Reporters of leaks, as the operator names them in the settings: who they are and how they prove it."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from watchword.crypto.reports import MAX_KEY_ID, PublicKey, UnfitKey, key_id, read_public_key
from watchword.crypto.values import Secret
from watchword.domain.errors import Invalid
from watchword.domain.leaks import Visibility
from watchword.services.providers import is_safe

GITHUB_KEYS = "https://api.github.com/meta/public_keys/secret_scanning"
MAX_REPORTERS = 50
E = TypeVar("E", bound=StrEnum)
_NONE = Secret("")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
# Words under which the server itself keeps reports.
_OURS = ("possession", "person", "drill")
_SHORTEST_SECRET = 20
_MAX_FILE = 16 * 1024


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
    if isinstance(given, str):
        try:
            given = json.loads(given or "[]")
        except ValueError:
            raise _unfit("takes a list of tables, in a variable as JSON") from None
    if not isinstance(given, Sequence) or not all(isinstance(one, Mapping | Reporter) for one in given):
        raise _unfit("takes a list of tables, in a variable as JSON")
    if len(given) > MAX_REPORTERS:
        raise _unfit(f"takes at most {MAX_REPORTERS} reporters")
    found = tuple(one if isinstance(one, Reporter) else _read(one) for one in given)
    if len({one.name for one in found}) < len(found):
        raise _unfit("has two reporters with the same name")
    return found


def _read(table: Mapping[str, Any]) -> Reporter:
    known = {*Reporter.__slots__, "public_key_file", "secret_file"}
    for name in table:
        if name not in known:
            raise _unfit(f"has no {name!r}; it has {', '.join(sorted(known))}")
    name = _text(table, "name")
    if not _NAME.fullmatch(name) or name in _OURS:
        raise _unfit(
            "takes a name of lower-case letters, digits and dashes, as it stands in the reporter's address;"
            f" {', '.join(_OURS)} are taken"
        )
    kind = _choice(ReporterType, _text(table, "type"), "type")
    pem = _of_file(table, "public_key")
    return Reporter(
        name=name,
        type=kind,
        keys=_keys(kind, _text(table, "keys")),
        public_key=pem,
        key_id=_key_id(kind, pem, _text(table, "key_id")),
        secret=_secret(kind, _of_file(table, "secret")),
        visibility=_choice(Visibility, _text(table, "visibility") or _usual(kind), "visibility"),
    )


def _usual(kind: ReporterType) -> Visibility:
    """GitHub's programme tells what is public; of others that is not known."""
    return Visibility.PUBLIC if kind is ReporterType.GITHUB else Visibility.PRIVATE


def _keys(kind: ReporterType, url: str) -> str:
    if kind is not ReporterType.GITHUB:
        if url:
            raise _unfit("takes keys for the type github alone")
        return ""
    if url and not is_safe(url):
        raise _unfit("takes keys as https://…, on this machine also http://")
    return url or GITHUB_KEYS


def _key_id(kind: ReporterType, pem: str, given: str) -> str:
    if kind is not ReporterType.SIGNED:
        if pem or given:
            raise _unfit("takes public_key and key_id for the type signed alone")
        return ""
    try:
        own = key_id(read_public_key(pem))
    except UnfitKey as error:
        raise _unfit(f"takes as public_key, or in public_key_file, a key in PEM: {error}") from None
    if len(given) > MAX_KEY_ID or not given.isascii():
        raise _unfit(f"takes a key_id of at most {MAX_KEY_ID} ASCII characters")
    return given or own


def _secret(kind: ReporterType, text: str) -> Secret:
    if kind is not ReporterType.GITLAB:
        if text:
            raise _unfit("takes a secret for the type gitlab alone")
        return _NONE
    if len(text) < _SHORTEST_SECRET or not text.isascii():
        raise _unfit(f"takes a secret of at least {_SHORTEST_SECRET} ASCII characters, or its secret_file")
    return Secret(text)


def _of_file(table: Mapping[str, Any], name: str) -> str:
    """A text of the settings, or of the file that they name instead."""
    path = _text(table, f"{name}_file")
    if not path:
        return _text(table, name)
    try:
        with Path(path).open(encoding="utf-8") as file:
            return file.read(_MAX_FILE).strip()
    except (OSError, ValueError):
        raise _unfit(f"cannot read the {name}_file {path}") from None


def _text(table: Mapping[str, Any], name: str) -> str:
    value = table.get(name, "")
    if not isinstance(value, str):
        raise _unfit(f"takes text as {name}")
    return value.strip()


def _choice(kind: type[E], text: str, name: str) -> E:
    try:
        return kind(text)
    except ValueError:
        raise _unfit(f"takes as {name} one of {', '.join(kind)}") from None


def _unfit(what: str) -> Invalid:
    return Invalid(f"leak_reporters {what}", code="invalid_setting")
