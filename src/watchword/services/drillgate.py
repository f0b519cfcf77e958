"""The reporter `drill`: it exists while a drill is held, and its key is made for that one drill."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from watchword.crypto.reports import ReportKey
from watchword.domain.leakpolicy import REVOKE
from watchword.domain.leaks import Visibility
from watchword.services.leakreporters import Reporter, ReporterType
from watchword.services.leakreports import Source

DRILL = "drill"
# What it reports is a canary: it never lives on, whatever the organization's rules say of real ones.
SOURCE = Source(name=DRILL, visibility=Visibility.PUBLIC, rule=REVOKE, drill=True)


@dataclass(slots=True)
class DrillGate:
    """Knows the drill that is under way.

    Attributes:
        reporter: None while there is no drill, when the name is as unknown as any other.
    """

    reporter: Reporter | None = None

    @contextmanager
    def open(self, key: ReportKey) -> Iterator[None]:
        """Take reports that a key signed, for as long as the drill lasts."""
        self.reporter = Reporter(
            name=DRILL,
            type=ReporterType.SIGNED,
            public_key=key.public_pem(),
            key_id=key.id,
            visibility=SOURCE.visibility,
        )
        try:
            yield
        finally:
            self.reporter = None
