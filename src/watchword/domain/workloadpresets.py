"""Platforms that give identity tokens: what their issuers are, which rules fit, and which would be too wide.

On a platform that everybody may use, a genuine token proves nothing until a rule says whose it is. What a
rule must pin follows from the issuer, whatever preset was chosen.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from watchword.domain.errors import Invalid
from watchword.domain.globs import MAX_PATTERN, literal_start
from watchword.domain.workloads import (
    MAX_AGE_S,
    MAX_REGISTRATIONS,
    ClaimRule,
    Match,
    Terms,
    names_of,
)

MAX_AUDIENCES = 10
MAX_RULES = 20
MAX_VALUES = 100
MAX_TAGS = 50
MAX_TEXT = 512
_MIN_AGE_S = 60
_MAX_WINDOW_S = 3600
_VISIBLE = re.compile(r"[!-~]+")
_NEVER = ("iss", "aud", "exp", "nbf", "iat", "jti")


@dataclass(frozen=True, slots=True)
class Preset:
    """A platform.

    Attributes:
        issuer: its issuer; empty where each installation has its own.
        hosts: an expression for issuers that are this platform's.
        pins: claims of which a rule must fix one, each with an expression for how every value must begin.
        example: rules to begin with; capitals stand for what has to be filled in.
        note: how a workload gets its token there.
    """

    name: str
    title: str
    issuer: str
    hosts: str
    pins: tuple[tuple[str, str], ...]
    example: tuple[ClaimRule, ...]
    note: str


def _exact(claim: str, value: str) -> ClaimRule:
    return ClaimRule(claim, Match.EXACT, (value,))


_WORD = r"[^/:*?\0]+"
PRESETS: dict[str, Preset] = {
    one.name: one
    for one in (
        Preset(
            "kubernetes",
            "Kubernetes",
            "",
            r"https://(oidc\.eks\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/id/.+|container\.googleapis\.com/v1/projects/.+"
            r"|[a-z0-9.-]+\.oic\.prod-aks\.azure\.com/.+|kubernetes\.default\.svc.*)",
            (
                ("kubernetes.io/namespace", r".+"),
                ("sub", rf"system:serviceaccount:{_WORD}:"),
            ),
            (
                _exact("kubernetes.io/namespace", "NAMESPACE"),
                _exact("kubernetes.io/serviceaccount/name", "SERVICE_ACCOUNT"),
            ),
            "a projected volume with a serviceAccountToken source of our audience",
        ),
        Preset(
            "github",
            "GitHub Actions",
            "https://token.actions.githubusercontent.com",
            r"https://token\.actions\.([a-z0-9-]+\.ghe\.com|githubusercontent\.com)(/.*)?",
            (
                ("repository", rf"{_WORD}/"),
                ("repository_id", r"[0-9]+\Z"),
                ("repository_owner_id", r"[0-9]+\Z"),
                ("sub", rf"repo:{_WORD}/"),
            ),
            (_exact("repository", "OWNER/REPOSITORY"), _exact("ref", "refs/heads/main")),
            "permissions: id-token: write, then ACTIONS_ID_TOKEN_REQUEST_URL with our audience",
        ),
        Preset(
            "gitlab",
            "GitLab CI/CD",
            "https://gitlab.com",
            r"https://gitlab\.com",
            (
                ("project_path", rf"{_WORD}/"),
                ("project_id", r"[0-9]+\Z"),
                ("namespace_path", rf"{_WORD}(/|\Z)"),
                ("namespace_id", r"[0-9]+\Z"),
                ("sub", rf"project_path:{_WORD}/"),
            ),
            (_exact("project_path", "GROUP/PROJECT"), _exact("ref_protected", "true")),
            "id_tokens in .gitlab-ci.yml with our audience",
        ),
        Preset(
            "aws",
            "AWS",
            "",
            r"https://[a-z0-9-]+\.tokens\.sts\.global\.api\.aws",
            (("sub", r"arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:"),),
            (_exact("sub", "arn:aws:iam::ACCOUNT:role/ROLE"),),
            "sts:GetWebIdentityToken with our audience",
        ),
        Preset(
            "gcp",
            "Google Cloud",
            "https://accounts.google.com",
            r"https://accounts\.google\.com",
            (
                ("google/compute_engine/project_id", r"[^\0]+\Z"),
                ("google/compute_engine/project_number", r"[0-9]+\Z"),
                ("sub", r"[0-9]+\Z"),
                ("email", r"[^*?@]+@[^*?@]+\.gserviceaccount\.com\Z"),
            ),
            (_exact("google/compute_engine/project_id", "PROJECT"), _exact("email", "SERVICE_ACCOUNT_EMAIL")),
            "the metadata server's identity endpoint with our audience and format=full",
        ),
        Preset(
            "azure",
            "Azure",
            "",
            r"https://(sts\.windows\.net|login\.microsoftonline\.com)/.*",
            (
                ("oid", r"[0-9a-f-]{36}\Z"),
                ("sub", r"[^\0]+\Z"),
                ("xms_mirid", r"/subscriptions/[0-9a-f-]{36}/"),
                ("xms_az_rid", r"/subscriptions/[0-9a-f-]{36}/"),
            ),
            (_exact("tid", "TENANT_ID"), _exact("oid", "OBJECT_ID_OF_THE_MANAGED_IDENTITY")),
            "the instance metadata service with an application's URI as the resource",
        ),
    )
}


def check_issuer(issuer: str) -> str:
    """Require an issuer as tokens carry it.

    Raises:
        Invalid: it is none, or one that stands for every tenant of Azure.
    """
    if not 0 < len(issuer) <= MAX_TEXT or not _VISIBLE.fullmatch(issuer):
        raise _invalid(f"Issuer takes 1 to {MAX_TEXT} visible characters without spaces", "invalid_issuer")
    if re.search(r"/(common|organizations|consumers)(/|\Z)", issuer) and "microsoft" in issuer:
        raise _invalid("Issuer must name one tenant: common lets everybody's in", "issuer_too_wide")
    return issuer


def check_terms(terms: Terms) -> Terms:
    """Require terms that can be kept and judged.

    Raises:
        Invalid: something is missing, too many, or cannot be read.
    """
    if not 1 <= len(terms.audiences) <= MAX_AUDIENCES or not all(map(_is_word, terms.audiences)):
        raise _invalid(
            f"Audiences takes 1 to {MAX_AUDIENCES} words of {MAX_TEXT} visible characters", "invalid_audience"
        )
    if not 1 <= len(terms.rules) <= MAX_RULES:
        raise _invalid(
            f"Rules takes 1 to {MAX_RULES} rules over claims: an issuer alone proves too little",
            "invalid_rules",
        )
    for rule in terms.rules:
        _check_rule(rule)
    if len(terms.tags) > MAX_TAGS or not all(0 < len(tag) <= MAX_TEXT and "=" in tag for tag in terms.tags):
        raise _invalid(f"Tags takes at most {MAX_TAGS} globs such as os=*", "invalid_tags")
    for name, value, least, most in (
        ("Maximum age", terms.max_age, _MIN_AGE_S, MAX_AGE_S),
        ("Registrations per token", terms.registrations, 1, MAX_REGISTRATIONS),
        ("Registration window", terms.window, 1, _MAX_WINDOW_S),
    ):
        if not least <= value <= most:
            raise _invalid(f"{name} takes {least} to {most}", "out_of_range")
    return terms


def _is_word(text: str) -> bool:
    return 0 < len(text) <= MAX_TEXT and _VISIBLE.fullmatch(text) is not None


def _check_rule(rule: ClaimRule) -> None:
    if not 0 < len(rule.claim) <= MAX_TEXT or not all(names_of(rule.claim)):
        raise _invalid("A claim is the path of its names, such as kubernetes.io/namespace", "invalid_claim")
    if names_of(rule.claim)[0] in _NEVER:
        raise _invalid(f"The claim {rule.claim} has a check of its own and takes no rule", "invalid_claim")
    single = rule.match is Match.EXACT
    if not 1 <= len(rule.values) <= (1 if single else MAX_VALUES):
        raise _invalid(
            f"The rule over {rule.claim} takes {'one value' if single else 'some values'}", "invalid_rules"
        )
    for value in rule.values:
        if not 0 < len(value) <= MAX_PATTERN:
            raise _invalid(f"The rule over {rule.claim} has an empty or overlong value", "invalid_rules")
        if rule.match is Match.GLOB and not literal_start(value):
            raise _invalid(
                f"The glob {value} over {rule.claim} begins with a wildcard, which lets too much in",
                "rule_too_wide",
            )


def check_width(issuer: str, preset: str, rules: Sequence[ClaimRule]) -> None:
    """Require that rules say whose tokens of a platform pass.

    Raises:
        Invalid: there is no such preset, or strangers' tokens would pass.
    """
    if preset and preset not in PRESETS:
        raise _invalid(f"Preset is one of {', '.join(PRESETS)}", "unknown_preset")
    # The issuer decides; a preset's name adds its demands where an installation has an address of its own.
    asked = {name for name, one in PRESETS.items() if re.fullmatch(one.hosts, issuer.rstrip("/"))}
    for name in sorted(asked | ({preset} if preset else set())):
        platform = PRESETS[name]
        if not any(_pinned(rule, claim, start) for rule in rules for claim, start in platform.pins):
            claims = ", ".join(claim for claim, _ in platform.pins)
            raise _invalid(
                f"Anybody's {platform.title} token would pass: a rule must say whose it is, by one of "
                f"{claims}, with no wildcard before the end of the owner's name",
                "rules_too_wide",
            )


def _pinned(rule: ClaimRule, claim: str, start: str) -> bool:
    if rule.claim != claim:
        return False
    return all(re.match(start, _start(rule.match, value)) for value in rule.values)


def _start(match: Match, value: str) -> str:
    """What claims begin with that a value admits; where more may follow, a character that no claim has."""
    start = literal_start(value) if match is Match.GLOB else value
    return start if start == value else f"{start}\0"


def _invalid(what: str, code: str) -> Invalid:
    return Invalid(f"Validation failed: {what}", code=code)
