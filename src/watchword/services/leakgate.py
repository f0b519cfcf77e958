"""The gate of reports: whether a report is the named reporter's own. Nothing is read of it before that.

Whatever is wrong, the answer is the same and so is the work: an unknown reporter or key, a broken or foreign
signature, a time out of bounds.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from watchword.crypto.reports import (
    KEY_ID_HEADER,
    MAX_KEY_ID,
    SIGNATURE_HEADER,
    SIGNED_KEY_ID_HEADER,
    SIGNED_SIGNATURE_HEADER,
    SIGNED_TIME_HEADER,
    timed,
    verify,
)
from watchword.domain.errors import Refused
from watchword.domain.people import SECOND_US
from watchword.domain.tokens import MINUTE_US
from watchword.services.context import Context
from watchword.services.drillgate import DRILL, SOURCE, DrillGate
from watchword.services.leakreporters import Reporter, ReporterType
from watchword.services.leakreports import Source
from watchword.services.partnerkeys import PartnerKeys

log = structlog.get_logger("watchword.leaks")

# How far a signed time may be from ours.
SKEW_US = 5 * MINUTE_US
_MAX_DIGITS = 12
_SHOWN_KEY_ID = 64


@dataclass(frozen=True, slots=True)
class Admitted:
    """A report that is its reporter's own."""

    reporter: Reporter
    source: Source
    key_id: str


@dataclass(slots=True)
class _Quiet:
    """Refusals of a minute, told in one line."""

    since: int = 0
    refused: int = 0


@dataclass(slots=True)
class LeakGate:
    """Admits reports of the settings' reporters, and of the drill that is under way."""

    context: Context
    drills: DrillGate = field(default_factory=DrillGate)
    _keys: dict[str, PartnerKeys] = field(default_factory=dict)
    _quiet: _Quiet = field(default_factory=_Quiet)

    def reporter(self, name: str) -> Reporter | None:
        """A reporter of the settings, or the drill's while there is one."""
        if name == DRILL:
            return self.drills.reporter
        listed = self.context.installation.leak_reporters
        return next((one for one in listed if one.name == name), None)

    def keys(self, reporter: Reporter) -> PartnerKeys:
        """The published keys of a `github` reporter; those at one address are kept once."""
        found = self._keys.get(reporter.keys)
        if found is None:
            found = self._keys[reporter.keys] = PartnerKeys(reporter.keys, self.context.clock)
        return found

    async def admit(self, name: str, headers: Mapping[bytes, bytes], body: bytes) -> Admitted:
        """Let a report pass.

        Args:
            name: the reporter's, as it stands in the address.
            headers: by their names in lower case.
            body: as it came.

        Raises:
            Refused: it is not the reporter's own; nothing says why.
            Unavailable: the reporter's keys cannot be fetched now.
        """
        reporter = self.reporter(name)
        kind = reporter.type if reporter is not None else ReporterType.GITHUB
        key_id = ""
        if reporter is not None and kind is ReporterType.GITLAB:
            holds = _shows(headers, reporter)
        elif kind is ReporterType.SIGNED and reporter is not None:
            key_id = _header(headers, SIGNED_KEY_ID_HEADER)
            holds = self._signed(headers, body, reporter)
        else:
            key_id = _header(headers, KEY_ID_HEADER)
            holds = await self._published(headers, body, reporter)
        if reporter is None or not holds:
            raise self._refused(name if reporter is not None else "", key_id)
        if reporter is self.drills.reporter:
            return Admitted(reporter, SOURCE, key_id)
        source = Source(name=reporter.name, visibility=reporter.visibility)
        return Admitted(reporter, source, key_id)

    def require(self, name: str, headers: Mapping[bytes, bytes]) -> Reporter:
        """The `gitlab` reporter whose secret is shown; for calls that have no body.

        Raises:
            Refused: it is not shown, or there is no such reporter.
        """
        reporter = self.reporter(name)
        if reporter is None or reporter.type is not ReporterType.GITLAB or not _shows(headers, reporter):
            raise self._refused(name if reporter is not None else "", "")
        return reporter

    async def _published(
        self, headers: Mapping[bytes, bytes], body: bytes, reporter: Reporter | None
    ) -> bool:
        key_id = _header(headers, KEY_ID_HEADER)
        known = reporter is not None and 0 < len(key_id) <= MAX_KEY_ID
        key = await self.keys(reporter).find(key_id) if reporter is not None and known else None
        return verify(key, _header(headers, SIGNATURE_HEADER), body)

    def _signed(self, headers: Mapping[bytes, bytes], body: bytes, reporter: Reporter) -> bool:
        named = hmac.compare_digest(_header(headers, SIGNED_KEY_ID_HEADER).encode(), reporter.key_id.encode())
        seconds = _header(headers, SIGNED_TIME_HEADER)
        holds = verify(reporter.key, _header(headers, SIGNED_SIGNATURE_HEADER), timed(seconds, body))
        return holds and named and self._now(seconds)

    def _now(self, seconds: str) -> bool:
        if not seconds.isascii() or not seconds.isdigit() or len(seconds) > _MAX_DIGITS:
            return False
        return abs(int(seconds) * SECOND_US - self.context.clock.now()) <= SKEW_US

    def _refused(self, reporter: str, key_id: str) -> Refused:
        """One line in the log a minute, however many come; it names no more than reporter and key id."""
        quiet, now = self._quiet, self.context.clock.now()
        quiet.refused += 1
        if not quiet.since or now - quiet.since >= MINUTE_US:
            shown = "".join(each for each in key_id[:_SHOWN_KEY_ID] if each.isprintable())
            log.warning("leak_report_refused", reporter=reporter, key_id=shown, count=quiet.refused)
            quiet.since, quiet.refused = now, 0
        return Refused(
            "The report is not signed by a current key of a reporter that is configured here.",
            code="leak_report_refused",
        )


def _header(headers: Mapping[bytes, bytes], name: str) -> str:
    return headers.get(name.lower().encode(), b"").decode("latin-1").strip()


def _shows(headers: Mapping[bytes, bytes], reporter: Reporter) -> bool:
    """Whether the secret is shown, as GitLab does it: by itself, or after `Bearer`."""
    given = _header(headers, "authorization")
    scheme, _, rest = given.partition(" ")
    shown = rest.strip() if scheme.lower() == "bearer" else given
    # Digests are as long as each other, whatever was shown.
    own = hashlib.sha256(reporter.secret.reveal().encode()).digest()
    return hmac.compare_digest(own, hashlib.sha256(shown.encode()).digest())
