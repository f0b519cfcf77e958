"""Providers of single sign-on (OpenID Connect), as the operator names them in the settings."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import urlsplit

from watchword.crypto.values import Secret
from watchword.domain.accounts import Role
from watchword.domain.people import lower
from watchword.services.settingtables import SettingTable, tables_of, unfit

_SETTING = "single_sign_on"
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
    tables = tables_of(_SETTING, given, Provider)
    found = tuple(one if isinstance(one, Provider) else _read(one) for one in tables)
    if len({one.key for one in found}) < len(found):
        raise unfit(_SETTING, "has two providers with the same key")
    return found


def _read(table: SettingTable) -> Provider:
    table.require_known({*Provider.__slots__, "client_secret_file"})
    for name in ("key", "issuer", "client_id"):
        if not table.text(name):
            raise table.unfit(f"needs {name}")
    key = table.text("key")
    if not _KEY.fullmatch(key):
        raise table.unfit("takes a key of lower-case letters, digits and dashes, as it stands in addresses")
    return Provider(
        key=key,
        label=table.text("label") or key,
        issuer=_issuer(table),
        client_id=table.text("client_id"),
        client_secret=Secret(table.text_or_file("client_secret")),
        domains=_domains(table),
        organization=table.text("organization"),
        role=table.choice(Role, "role", Role.MEMBER),
        second_factor=table.choice(SecondFactor, "second_factor", SecondFactor.AMR),
    )


def _issuer(table: SettingTable) -> str:
    url = table.text("issuer")
    if not is_safe(url) or urlsplit(url).query or urlsplit(url).fragment:
        raise table.unfit("takes an issuer as https://…, on this machine also http://")
    return url


def _domains(table: SettingTable) -> tuple[str, ...]:
    given = table.get("domains", ())
    listed = given.split(",") if isinstance(given, str) else given
    if not isinstance(listed, Sequence) or not all(isinstance(one, str) for one in listed):
        raise table.unfit("takes a list of domains")
    found = tuple(lower(one.strip()) for one in listed)
    if not all(_DOMAIN.fullmatch(one) for one in found):
        raise table.unfit("takes domains as example.com")
    return found


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
