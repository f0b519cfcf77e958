"""Findings as plain tuples, which processes pass to each other; values stay out of anything that lasts."""

from typing import Any

from watchword.crypto.values import Secret
from watchword.scan.findings import Commit, Encoding, Finding, Hit, Place, Proof


def packed(finding: Finding) -> tuple[Any, ...]:
    """A finding as a tuple of strings, numbers and tuples."""
    hit, place = finding.hit, finding.place
    commit = place.commit
    return (
        (hit.start, hit.end, hit.value.reveal(), hit.family, hit.brand, hit.cell),
        (hit.proof.value, hit.encoding.value),
        (place.path, place.line, place.column, place.offset, place.members),
        None if commit is None else (commit.id, commit.author, commit.at),
        finding.allowed,
    )


def unpacked(plain: tuple[Any, ...]) -> Finding:
    """The finding again."""
    (start, end, value, family, brand, cell), (proof, encoding), place, of, allowed = plain
    path, line, column, offset, members = place
    hit = Hit(start, end, Secret(value), family, brand, cell, Proof(proof), Encoding(encoding))
    commit = None if of is None else Commit(*of)
    return Finding(hit, Place(path, line, column, offset, members, commit), allowed)
