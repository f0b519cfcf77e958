"""A scan's report as SARIF 2.1.0, which code hosts and editors read."""

import json
from typing import Any
from urllib.parse import quote

from watchword.domain.kinds import DEFAULT_BRAND
from watchword.scan.findings import Place, Proof
from watchword.scan.judging import By, Judged
from watchword.scan.limits import Unread
from watchword.scan.lookup import Known
from watchword.scan.patterns import families
from watchword.scan.report import Report, clean, kinds, shown, title

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_HELP = "Revoke the token where it was issued; then take the value out of the file and of its history."


def document(report: Report) -> dict[str, Any]:
    """One run with all findings; suppressed ones say so, values are in none unless they were asked for."""
    rules = list(dict.fromkeys(family.name for family in families((DEFAULT_BRAND,))))
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "watchword",
                        "rules": [_rule(name) for name in rules],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "invocations": [
                    {
                        "executionSuccessful": True,
                        "toolExecutionNotifications": [_notification(one) for one in report.unread],
                    }
                ],
                "results": [_result(judged, rules, report) for judged in report.found],
            }
        ],
    }


def as_sarif(report: Report) -> str:
    """The report as text."""
    return json.dumps(document(report), indent=2, ensure_ascii=True) + "\n"


def _notification(unread: Unread) -> dict[str, Any]:
    path = "!".join((shown(unread.path), *unread.members))
    return {"level": "warning", "message": {"text": clean(f"not fully read: {path}: {unread.why}")}}


def _rule(name: str) -> dict[str, Any]:
    return {
        "id": f"watchword-{name}",
        "shortDescription": {"text": f"Value of a token: {title(name)}"},
        "fullDescription": {"text": f"A value that looks like: {title(name)}. Who reads it can use it."},
        "help": {"text": _HELP},
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": ["security", "secret"], "security-severity": "9.0"},
    }


def _result(judged: Judged, rules: list[str], report: Report) -> dict[str, Any]:
    finding = judged.finding
    hit, place = finding.hit, finding.place
    known = None if report.known is None else report.known.get(finding.digest)
    proof = "its checksum holds" if hit.proof is Proof.CHECKSUM else "by its shape only"
    text = f"Value of a token ({title(hit.family)}, {finding.fingerprint}), {proof}."
    if report.reveal:
        text += f" {clean(hit.value.reveal())}"
    result: dict[str, Any] = {
        "ruleId": f"watchword-{hit.family}",
        "ruleIndex": rules.index(hit.family),
        "level": "error" if hit.proof is Proof.CHECKSUM else "warning",
        "message": {"text": text},
        "locations": [_location(place, hit.end - hit.start)],
        "partialFingerprints": {"watchwordFingerprint/v1": finding.fingerprint},
        "properties": _properties(judged, known),
    }
    if judged.by is not None:
        kind = "inSource" if judged.by is By.LINE else "external"
        result["suppressions"] = [{"kind": kind, "justification": clean(judged.why)}]
    return result


def _location(place: Place, length: int) -> dict[str, Any]:
    region: dict[str, Any] = {"byteOffset": place.offset, "byteLength": length}
    if place.line and not place.members:
        region = {"startLine": place.line, **region}
    path = shown(place.path)
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(path.encode("utf-8", "surrogateescape"), safe="/")},
            "region": {"startLine": 1} if place.members else region,
        }
    }
    if place.members:
        name = clean("!".join((path, *place.members)))
        location["logicalLocations"] = [{"fullyQualifiedName": name, "kind": "member"}]
    return location


def _properties(judged: Judged, known: Known | None) -> dict[str, Any]:
    hit, commit = judged.finding.hit, judged.finding.place.commit
    properties: dict[str, Any] = {
        "kinds": list(kinds(hit.family)),
        "proof": hit.proof.value,
        "encoding": hit.encoding.value,
    }
    if commit is not None:
        properties["commit"] = {"id": commit.id, "author": clean(commit.author), "at": commit.at}
    if known is not None:
        properties["state"] = known.state
    return properties
