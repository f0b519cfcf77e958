"""Providers of single sign-on (OpenID Connect), as the operator names them in the settings."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from watchword.crypto.values import Secret
from watchword.domain.accounts import Role
from watchword.domain.errors import Invalid
from watchword.domain.people import lower

E = TypeVar("E", bound=StrEnum)
_NONE = Secret("")
_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")


class SecondFactor(StrEnum):
    """When a sign-in at a provider is complete for whoever has a second factor here."""

    ASK = "ask"
    AMR = "amr"
    TRUST = "trust"


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider.

    Attributes:
        key: in addresses of ours, and so in the redirect URI that the provider is told.
        label: on the button.
        issuer: where it is; its documents are found below.
        client_id: as whom we ask it.
        client_secret: empty for a public client.
        domains: where addresses have to be; empty takes all.
        organization: slug of the organization that unknown people join; empty keeps them out.
        role: as what they join it.
        second_factor: `ask` for ours always, trust the claim `amr`, or `trust` the provider.
    """

    key: str
    label: str
    issuer: str
    client_id: str
    client_secret: Secret = _NONE
    domains: tuple[str, ...] = ()
    organization: str = ""
    role: Role = Role.MEMBER
    second_factor: SecondFactor = SecondFactor.AMR


def read_providers(given: object) -> tuple[Provider, ...]:
    """Providers of a settings file, or of a variable in JSON; both are lists of tables.

    Raises:
        Invalid: it is none; the message holds no value, because one may be secret.
    """
    if isinstance(given, str):
        try:
            given = json.loads(given or "[]")
        except ValueError:
            raise _unfit("takes a list of tables, in a variable as JSON") from None
    if not isinstance(given, Sequence) or not all(isinstance(one, Mapping | Provider) for one in given):
        raise _unfit("takes a list of tables, in a variable as JSON")
    found = tuple(one if isinstance(one, Provider) else _read(one) for one in given)
    if len({one.key for one in found}) < len(found):
        raise _unfit("has two providers with the same key")
    return found


def _read(table: Mapping[str, Any]) -> Provider:
    known = {*Provider.__slots__, "client_secret_file"}
    for name in table:
        if name not in known:
            raise _unfit(f"has no {name!r}; it has {', '.join(sorted(known))}")
    for name in ("key", "issuer", "client_id"):
        if not _text(table, name):
            raise _unfit(f"needs {name}")
    key = _text(table, "key")
    if not _KEY.fullmatch(key):
        raise _unfit("takes a key of lower-case letters, digits and dashes, as it stands in addresses")
    return Provider(
        key=key,
        label=_text(table, "label") or key,
        issuer=_issuer(_text(table, "issuer")),
        client_id=_text(table, "client_id"),
        client_secret=_secret(table),
        domains=_domains(table.get("domains", ())),
        organization=_text(table, "organization"),
        role=_choice(Role, _text(table, "role") or Role.MEMBER, "role"),
        second_factor=_choice(
            SecondFactor, _text(table, "second_factor") or SecondFactor.AMR, "second_factor"
        ),
    )


def _text(table: Mapping[str, Any], name: str) -> str:
    value = table.get(name, "")
    if not isinstance(value, str):
        raise _unfit(f"takes text as {name}")
    return value.strip()


def _issuer(url: str) -> str:
    if not is_safe(url) or urlsplit(url).query or urlsplit(url).fragment:
        raise _unfit("takes an issuer as https://…, on this machine also http://")
    return url


def is_safe(url: str) -> bool:
    """Whether an address is one to which codes and secrets may be sent: TLS, or this very machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_this_machine(url)))


def is_this_machine(url: str) -> bool:
    """Whether an address is a loopback one."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _secret(table: Mapping[str, Any]) -> Secret:
    path = _text(table, "client_secret_file")
    if not path:
        return Secret(_text(table, "client_secret"))
    try:
        return Secret(Path(path).read_text(encoding="utf-8").strip())
    except (OSError, ValueError):
        raise _unfit(f"cannot read the client_secret_file {path}") from None


def _domains(given: object) -> tuple[str, ...]:
    listed = given.split(",") if isinstance(given, str) else given
    if not isinstance(listed, Sequence) or not all(isinstance(one, str) for one in listed):
        raise _unfit("takes a list of domains")
    found = tuple(lower(one.strip()) for one in listed)
    if not all(_DOMAIN.fullmatch(one) for one in found):
        raise _unfit("takes domains as example.com")
    return found


def _choice(kind: type[E], text: str, name: str) -> E:
    if text not in set(kind):
        raise _unfit(f"takes as {name} one of {', '.join(kind)}")
    return kind(text)


def _unfit(what: str) -> Invalid:
    return Invalid(f"single_sign_on {what}", code="invalid_setting")
