"""Rules over claims in one line, as people write them: `claim=value`, `claim=one|other`, `claim~=glob`."""

from watchword.domain.errors import Invalid
from watchword.domain.workloads import ClaimRule, Match

_GLOB = "~="


def read_rule(text: str) -> ClaimRule:
    """Read a rule; whether it may stand is judged with all the others.

    Raises:
        Invalid: it is none.
    """
    signs = [at for at in (text.find("="), text.find(_GLOB)) if at > 0]
    if not signs:
        raise Invalid(
            f"Validation failed: {text[:100]!r} is no rule: claim=value, claim=one|other or claim~=glob",
            code="invalid_rules",
        )
    at = min(signs)
    glob = text[at : at + len(_GLOB)] == _GLOB
    values = tuple(value.strip() for value in text[at + (2 if glob else 1) :].split("|"))
    several = Match.EXACT if len(values) == 1 else Match.ONE_OF
    return ClaimRule(text[:at].strip(), Match.GLOB if glob else several, values)


def rule_text(rule: ClaimRule) -> str:
    """A rule in one line."""
    sign = _GLOB if rule.match is Match.GLOB else "="
    return f"{rule.claim}{sign}{'|'.join(rule.values)}"
