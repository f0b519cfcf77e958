"""Checks of settings: what cannot work is refused at the start, by name and with what the setting takes."""

import re
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from watchword.crypto.identitykeys import Algorithm
from watchword.domain.errors import WatchwordError
from watchword.domain.leakdoors import LookupBy, Possession

if TYPE_CHECKING:
    from watchword.settings import Settings


class SettingsError(WatchwordError):
    """A setting is unknown or has an unacceptable value."""

    code = "invalid_setting"


# Agents crash on an interval of 0 (contract agent-api, trap 1).
_SECONDS = (
    "ping_interval",
    "job_status_interval",
    "heartbeat_interval",
    "flush_interval",
    "sweep_interval",
    "audit_seal_interval",
)
_CHOICES: dict[str, Sequence[str]] = {
    "log_level": ("debug", "info", "warning", "error"),
    "log_format": ("text", "json"),
    "leak_possession": tuple(Possession),
    "leak_lookup": tuple(LookupBy),
    "job_identity_algorithm": tuple(Algorithm),
}
_BRAND = re.compile(r"[a-z0-9]{1,8}")


def check(settings: "Settings") -> "Settings":
    """Refuse what cannot work.

    Raises:
        SettingsError: naming the setting and what it takes.
    """
    problems = (_network_problem, _database_problem, _value_problem, _room_problem, _people_problem)
    for problem in (found(settings) for found in problems):
        if problem:
            raise SettingsError(problem)
    return settings


def _network_problem(settings: "Settings") -> str:
    try:
        host, port = settings.address
    except ValueError:
        host, port = "", -1
    if not host or not 0 <= port < 65536:  # noqa: PLR2004 - RFC 6335 §6
        return f"listen takes HOST:PORT, not {settings.listen!r}"
    if (settings.tls_cert is None) != (settings.tls_key is None):
        return "tls_cert and tls_key go together"
    try:
        _ = settings.proxies
    except ValueError as error:
        return f"trusted_proxies takes address blocks: {error}"
    try:
        _ = settings.reach
    except ValueError as error:
        return f"egress_allow takes address blocks: {error}"
    return ""


_SCHEMES = ("postgresql", "postgres")


def _database_problem(settings: "Settings") -> str:
    url = settings.database.reveal()
    try:
        known = not url or urlsplit(url).scheme in _SCHEMES
    except ValueError:
        known = False
    if not known:  # the value itself may hold a password and is not shown
        return "database takes postgresql://USER@HOST/NAME, or nothing for SQLite in the data folder"
    return ""


def _value_problem(settings: "Settings") -> str:
    for name in _SECONDS:
        if getattr(settings, name) < 1:
            return f"{name} takes a whole number of seconds from 1"
    for brand in (settings.brand, *settings.former_brands):
        if not _BRAND.fullmatch(brand):
            return f"a brand is 1 to 8 lower-case letters and digits, not {brand!r}"
    if not 0 <= settings.cell <= 999:  # noqa: PLR2004 - two to four characters in a value
        return "cell takes a number from 0 to 999"
    for name, choices in _CHOICES.items():
        if getattr(settings, name) not in choices:
            return f"{name} is one of {', '.join(choices)}"
    return ""


_STORES = re.compile(r"(s3|gs|az)://[A-Za-z0-9._/-]+")


def _room_problem(settings: "Settings") -> str:
    if settings.object_store and not _STORES.fullmatch(settings.object_store):
        return "object_store takes s3://bucket/prefix, gs://… or az://…, without credentials in it"
    for name in [
        field.name
        for field in fields(settings)
        if field.name.startswith(("max_", "limit_", "keep_", "leak_breaker_"))
    ]:
        if getattr(settings, name) < 0:
            return f"{name} takes a whole number from 0, which means no limit"
    if settings.drill_interval_days < 0:
        return "drill_interval_days takes a whole number of days from 0, which means none"
    if not 60 <= settings.job_identity_seconds <= 86_400:  # noqa: PLR2004 - a minute to a day
        return "job_identity_seconds takes a whole number of seconds from 60 to 86400"
    if settings.audit_publish_grace < 0:
        return "audit_publish_grace takes a whole number of seconds from 0"
    return ""


_SENDER = re.compile(r"[^\s<>@]+@[^\s<>@]+")


def _people_problem(settings: "Settings") -> str:
    url = settings.smtp_url.reveal()
    try:
        parts = urlsplit(url)
        known = not url or (parts.scheme in ("smtp", "smtps") and bool(parts.hostname) and parts.port != 0)
    except ValueError:
        known = False
    if not known:  # the value itself may hold a password and is not shown
        return "smtp_url takes smtp://USER@HOST:PORT or smtps://USER@HOST:PORT, or nothing"
    if settings.mail_from and not _SENDER.fullmatch(settings.mail_from):
        return "mail_from takes one address, as NAME@HOST"
    for name in ("session_idle_hours", "session_days"):
        if getattr(settings, name) < 1:
            return f"{name} takes a whole number from 1"
    return ""
