"""Access policies of secrets: which builds may have one, in the vendor's form of rules and claims.

A policy is a list of rules, any one of which is enough; a rule is an object of claims, all of which must be
met; a claim has one condition or a list of them, any one of which is enough. `*` stands for any text in
branches, tags and agents' tags alone. What is not known never matches: an unknown claim, a missing fact, a
branch that only somebody else's repository vouches for.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from watchword.domain.errors import Invalid
from watchword.domain.ids import is_uuid
from watchword.domain.pipelines import branch_fits
from watchword.domain.repositories import same_repository
from watchword.domain.stepfields import suggest

MAX_RULES = 100
MAX_CONDITIONS = 100
MAX_CONDITION = 512

SOURCES = ("ui", "api", "webhook", "trigger_job", "schedule")


class Origin(StrEnum):
    """Whose code a build runs, as far as its pull request says."""

    NONE = "none"
    SAME_REPOSITORY = "same_repository"
    FORK = "fork"


class _Form(StrEnum):
    """What the conditions of a claim are."""

    ID = "id"
    EXACT = "exact"
    PATTERN = "pattern"
    EMAIL = "email"
    SOURCE = "source"
    ORIGIN = "origin"


# The vendor's claims, then our own.
CLAIMS: Mapping[str, _Form] = {
    "pipeline_id": _Form.ID,
    "pipeline_slug": _Form.EXACT,
    "build_branch": _Form.PATTERN,
    "build_source": _Form.SOURCE,
    "build_creator": _Form.EMAIL,
    "build_creator_team": _Form.ID,
    "cluster_queue_id": _Form.ID,
    "cluster_queue_key": _Form.EXACT,
    "build_tag": _Form.PATTERN,
    "build_pull_request": _Form.ORIGIN,
    "agent_tag": _Form.PATTERN,
}
_WORDS = {_Form.SOURCE: SOURCES, _Form.ORIGIN: tuple(Origin)}
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        claims: names of claims and their conditions.
        flaw: why it can never match, for the person who wrote it; empty for a sound one.
    """

    claims: tuple[tuple[str, tuple[str, ...]], ...] = ()
    flaw: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a policy is held against: one job of one build. Empty texts are facts that are not known.

    Attributes:
        origin: whose code it is.
        creator: email address of who made the build.
        teams: ids of the teams that this person is in.
        agent_tags: as `key=value` texts.
    """

    pipeline_id: str = ""
    pipeline_slug: str = ""
    branch: str = ""
    tag: str = ""
    origin: Origin = Origin.NONE
    source: str = ""
    creator: str = ""
    teams: tuple[str, ...] = ()
    queue_id: str = ""
    queue_key: str = ""
    agent_tags: tuple[str, ...] = ()

    def of(self, claim: str) -> tuple[str, ...]:
        """The values of a claim; none where there is nothing to hold a condition against."""
        found = {
            "pipeline_id": (self.pipeline_id,),
            "pipeline_slug": (self.pipeline_slug,),
            "build_branch": (self.branch if self._owns_branch else "",),
            "build_source": (self.source,),
            "build_creator": (self.creator.lower(),),
            "build_creator_team": self.teams,
            "cluster_queue_id": (self.queue_id,),
            "cluster_queue_key": (self.queue_key,),
            "build_tag": (self.tag if self.origin is not Origin.FORK else "",),
            "build_pull_request": (self.origin.value,),
            "agent_tag": self.agent_tags,
        }.get(claim, ())
        return tuple(value for value in found if value)

    @property
    def _owns_branch(self) -> bool:
        """Whether the branch is one of the pipeline's repository: not a fork's, nor a tag of that name."""
        return self.origin is not Origin.FORK and not (self.tag and self.tag == self.branch)

    def missing(self, claim: str) -> str:
        """Why a claim has no value here, in words."""
        if claim in ("build_branch", "build_tag") and self.origin is Origin.FORK:
            return "the build is of a pull request from another repository, whose names say nothing here"
        if claim == "build_branch" and self.branch and not self._owns_branch:
            return "the build is of a tag of that name, not of a branch"
        return "it is not known here"


@dataclass(frozen=True, slots=True)
class ClaimVerdict:
    """How one claim of a rule came out; `found` is what it was held against."""

    claim: str
    wanted: tuple[str, ...]
    found: tuple[str, ...]
    met: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """How one rule came out; `number` counts from 1."""

    number: int
    matches: bool
    claims: tuple[ClaimVerdict, ...] = ()
    flaw: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a policy came out.

    Attributes:
        rule: number of the first rule that matches; 0 where none does, or where there is no policy.
    """

    permitted: bool
    rule: int = 0
    rules: tuple[RuleVerdict, ...] = ()

    @property
    def reason(self) -> str:
        """In words."""
        if self.rule:
            return f"Rule {self.rule} of the policy matches."
        return "No rule of the policy matches." if not self.permitted else "There is no policy."


def origin_of(repository: str, pull_request: Mapping[str, str]) -> Origin:
    """Whose code a build runs. A pull request that does not say where it comes from counts as a fork's.

    Args:
        repository: the pipeline's.
        pull_request: `id` and `repository` of the build's; empty for none.
    """
    if not pull_request.get("id") and not pull_request.get("repository"):
        return Origin.NONE
    same = same_repository(repository, pull_request.get("repository", ""))
    return Origin.SAME_REPOSITORY if same else Origin.FORK


def read_rules(decoded: object) -> tuple[Rule, ...]:
    """Read a decoded policy; what cannot be read becomes a rule that never matches."""
    if not isinstance(decoded, list | tuple):
        return (Rule(flaw="a policy is a list of rules such as `- pipeline_slug: app`"),)
    if not decoded:
        return (Rule(flaw="a policy has at least one rule; delete it to let all jobs of the cluster pass"),)
    if len(decoded) > MAX_RULES:
        return (Rule(flaw=f"a policy has at most {MAX_RULES} rules"),)
    return tuple(_rule(part) for part in decoded)


def check_rules(rules: Sequence[Rule]) -> None:
    """Refuse rules that can never match.

    Raises:
        Invalid: there is one; the message names it by number.
    """
    for number, rule in enumerate(rules, 1):
        if rule.flaw:
            raise Invalid(f"Validation failed: Policy: rule {number}: {rule.flaw}", code="invalid_policy")


def judge(rules: Sequence[Rule], facts: Facts) -> Verdict:
    """Hold a policy against a job; no rules at all mean that there is no policy."""
    verdicts = tuple(_judge(number, rule, facts) for number, rule in enumerate(rules, 1))
    first = next((each.number for each in verdicts if each.matches), 0)
    return Verdict(bool(first) or not rules, first, verdicts)


def _judge(number: int, rule: Rule, facts: Facts) -> RuleVerdict:
    if rule.flaw or not rule.claims:
        return RuleVerdict(number, matches=False, flaw=rule.flaw or "it has no claims")
    claims = tuple(_judge_claim(claim, wanted, facts) for claim, wanted in rule.claims)
    return RuleVerdict(number, all(each.met for each in claims), claims)


def _judge_claim(claim: str, wanted: tuple[str, ...], facts: Facts) -> ClaimVerdict:
    found = facts.of(claim)
    if not found:
        return ClaimVerdict(claim, wanted, (), met=False, reason=facts.missing(claim))
    fits = branch_fits if CLAIMS[claim] is _Form.PATTERN else str.__eq__
    met = any(fits(asked, value) for asked in wanted for value in found)
    return ClaimVerdict(claim, wanted, found, met)


def _rule(value: object) -> Rule:
    if not isinstance(value, Mapping) or not value:
        return Rule(flaw="it must be an object of claims such as `pipeline_slug: app`")
    claims = []
    for name, conditions in value.items():
        form = CLAIMS.get(name) if isinstance(name, str) else None
        if form is None:
            hint = suggest(str(name), CLAIMS)
            return Rule(flaw=f"`{str(name)[:60]}` is not a claim{hint}. Claims are {', '.join(CLAIMS)}.")
        parts = conditions if isinstance(conditions, list | tuple) else [conditions]
        if not 1 <= len(parts) <= MAX_CONDITIONS:
            return Rule(flaw=f"`{name}` needs a condition, and takes at most {MAX_CONDITIONS}")
        read = []
        for part in parts:
            flaw = _flaw(form, part)
            if flaw:
                return Rule(flaw=f"`{name}` {flaw}")
            read.append(part.lower() if form in (_Form.ID, _Form.EMAIL) else part)
        claims.append((name, tuple(read)))
    return Rule(tuple(claims))


def _flaw(form: _Form, condition: object) -> str:
    """Say what is wrong with a condition; empty if nothing is."""
    if not isinstance(condition, str):
        return "takes texts; write numbers and words such as true in quotes"
    if not condition or len(condition) > MAX_CONDITION or _UNPRINTABLE.search(condition):
        return f"takes texts of 1 to {MAX_CONDITION} characters in one line"
    if form is _Form.ID and not is_uuid(condition):
        return "takes an id (UUID)"
    if form in _WORDS and condition not in _WORDS[form]:
        return f"takes {', '.join(_WORDS[form])}"
    if form is not _Form.PATTERN and "*" in condition:
        return "takes no `*`; build_branch, build_tag and agent_tag do"
    return ""
