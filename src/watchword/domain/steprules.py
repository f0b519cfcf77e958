"""Readers of the larger fields of a step: dependencies, retries, soft failures, agents, plugins, forms."""

import re
from collections.abc import Mapping
from typing import Any

from watchword.domain.stepfields import (
    Place,
    an_object,
    flag,
    items,
    kind,
    shown,
    text,
    whole,
    whole_number,
)
from watchword.domain.steps import DEFAULT_RETRIES, Dependency, ManualRetry, RetryRule

MAX_KEY = 100
MAX_SKIP = 70
MAX_RETRIES = 10
MAX_RULES = 100
MAX_RULE = 255
MAX_ENV = 500
# -1 is a lost agent; Windows has statuses of 32 bits, which some agents write signed.
LOWEST_STATUS = -(2**31)
HIGHEST_STATUS = 2**32 - 1

_KEY = re.compile(r"[A-Za-z0-9_\-:.,]+")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_RETRY_RULE = ("exit_status", "signal", "signal_reason", "limit")
_ANY = "*"


def read_key(place: Place, key: str, value: object) -> str:
    """Read the key of a step; empty where it has none.

    Raises:
        Invalid: it has other characters than letters, digits, `_ - : . ,`, is too long, or looks like a
            UUID, for then nobody could tell a key from an id.
    """
    found = text(place, key, value, MAX_KEY)
    if not found:
        return ""
    if not _KEY.fullmatch(found):
        raise place.refuse(key, f"may hold letters, digits, _ - : . and commas only, not {shown(found)}.")
    if _UUID.fullmatch(found):
        raise place.refuse(key, "must not look like a UUID.")
    return found


def read_dependencies(place: Place, value: object) -> tuple[Dependency, ...]:
    """Read `depends_on`: a key, a list of keys or of objects, or null for none.

    Raises:
        Invalid: it is something else.
    """
    if value is None:
        return ()
    found = {dependency.key: dependency for dependency in items(place, "depends_on", value, _dependency)}
    return tuple(found.values())


def _dependency(place: Place, key: str, value: object) -> Dependency:
    """Read one dependency."""
    if not isinstance(value, Mapping):
        return Dependency(_reference(place, key, value))
    known = an_object(place, key, value, ("step", "allow_failure"))
    name = _reference(place, f"{key}.step", known.get("step"))
    return Dependency(name, flag(place, f"{key}.allow_failure", known.get("allow_failure")))


def _reference(place: Place, key: str, value: object) -> str:
    """Read the key of another step."""
    if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
        raise place.refuse(key, f"must name the key of a step, not {shown(value)}.")
    name = text(place, key, value, MAX_KEY)
    if not _KEY.fullmatch(name):
        raise place.refuse(key, f"names {shown(name)}, which cannot be the key of a step.")
    return name


def read_skip(place: Place, key: str, value: object) -> str:
    """Read `skip`: `true`, a reason, or nothing.

    Raises:
        Invalid: it is neither a boolean nor a text, or too long.
    """
    if value in (None, False, "", "false"):
        return ""
    if not isinstance(value, bool | str):
        raise place.refuse(key, f"must be true, false or a reason, not {kind(value)}.")
    return text(place, key, value, MAX_SKIP)


def read_soft_fail(place: Place, key: str, value: object) -> tuple[int, ...] | None:
    """Read `soft_fail`: exit statuses, None for any, empty for none.

    Raises:
        Invalid: it is neither a boolean nor a list of `exit_status`.
    """
    if value is None or isinstance(value, bool) or value in ("", "true", "false"):
        return None if flag(place, key, value) else ()
    found: list[int] = []
    for part in value if isinstance(value, list | tuple) else [value]:
        if not isinstance(part, Mapping):
            raise place.refuse(key, f"must be true, false or a list of exit_status, not {kind(part)}.")
        known = an_object(place, key, part, ("exit_status",))
        statuses = read_statuses(place, f"{key}.exit_status", known.get("exit_status"))
        if statuses is None:
            return None
        found.extend(statuses)
    return tuple(dict.fromkeys(found))


def read_statuses(place: Place, key: str, value: object) -> tuple[int, ...] | None:
    """Read exit statuses: a number, a list of them, or `*` for any, which is None.

    Raises:
        Invalid: it is something else, or an empty list.
    """
    parts = value if isinstance(value, list | tuple) else [value]
    if _ANY in parts:
        return None
    if not parts or any(whole_number(part) is None for part in parts):
        raise place.refuse(key, f'must be a number, a list of numbers or "*", not {shown(value)}.')
    return tuple(whole(place, key, part, LOWEST_STATUS, HIGHEST_STATUS) for part in parts)


def read_retry(place: Place, value: object) -> tuple[tuple[RetryRule, ...], ManualRetry]:
    """Read `retry` into automatic rules and manual retry.

    Raises:
        Invalid: it is no object with `automatic` and `manual`.
    """
    if value is None:
        return (), ManualRetry()
    known = an_object(place, "retry", value, ("automatic", "manual"))
    return (
        _automatic(place, "retry.automatic", known.get("automatic")),
        _manual(place, "retry.manual", known.get("manual")),
    )


def _automatic(place: Place, key: str, value: object) -> tuple[RetryRule, ...]:
    """Read automatic retry: a boolean, one rule, or a list."""
    if value is None or isinstance(value, bool) or value in ("", "true", "false"):
        return (RetryRule(),) if flag(place, key, value) else ()
    return tuple(items(place, key, value, _retry_rule))


def _retry_rule(place: Place, key: str, value: object) -> RetryRule:
    """Read one automatic rule; what it does not say, matches anything."""
    if not isinstance(value, Mapping):
        raise place.refuse(key, f"must be true, false, a rule or a list of rules, not {kind(value)}.")
    known = an_object(place, key, value, _RETRY_RULE)
    limit = known.get("limit")
    statuses = known.get("exit_status")
    signals = _words(place, f"{key}.signal", known.get("signal"))
    return RetryRule(
        None if statuses is None else read_statuses(place, f"{key}.exit_status", statuses),
        tuple(word.removeprefix("sig") for word in signals),
        _words(place, f"{key}.signal_reason", known.get("signal_reason")),
        DEFAULT_RETRIES if limit is None else whole(place, f"{key}.limit", limit, 0, MAX_RETRIES),
    )


def _words(place: Place, key: str, value: object) -> tuple[str, ...]:
    """Read words that match, in small letters; empty where any does."""
    if value is None:
        return ()
    found = [text(place, key, part, MAX_KEY).lower() for part in items(place, key, value, _as_is)]
    if not all(found) or not found:
        raise place.refuse(key, 'must be a word, a list of words or "*".')
    return () if _ANY in found else tuple(found)


def _as_is(_: Place, __: str, value: object) -> object:
    """Keep a part of a list."""
    return value


def _manual(place: Place, key: str, value: object) -> ManualRetry:
    """Read manual retry: a boolean or an object."""
    if not isinstance(value, Mapping):
        return ManualRetry(allowed=flag(place, key, value, default=True))
    known = an_object(place, key, value, ("allowed", "permit_on_passed", "reason"))
    return ManualRetry(
        flag(place, f"{key}.allowed", known.get("allowed"), default=True),
        flag(place, f"{key}.permit_on_passed", known.get("permit_on_passed"), default=True),
        text(place, f"{key}.reason", known.get("reason")),
    )


def read_rules(place: Place, value: object) -> tuple[str, ...]:
    """Read `agents`: an object of tags, or a list of `key=value`.

    Raises:
        Invalid: it is neither, a rule is empty or too long, or two queues are named.
    """
    if isinstance(value, Mapping):
        rules = [f"{tag}={_rule_value(place, f'agents.{tag}', part)}" for tag, part in value.items()]
    elif value is None:
        rules = []
    else:
        rules = items(place, "agents", value, text)
    for rule in rules:
        if not rule.partition("=")[0].strip() or len(rule) > MAX_RULE:
            raise place.refuse(
                "agents", f"has {shown(rule)}; a rule is key=value, {MAX_RULE} characters at most."
            )
    if len(rules) > MAX_RULES:
        raise place.refuse("agents", f"takes at most {MAX_RULES} rules.")
    if len({rule for rule in rules if rule.startswith("queue=")}) > 1:
        raise place.refuse("agents", "names two queues; a job runs in one.")
    return tuple(dict.fromkeys(rules))


def _rule_value(place: Place, key: str, value: object) -> str:
    """Read the value of a tag; one without a value could match nothing."""
    found = text(place, key, value)
    if not found:
        raise place.refuse(key, 'has no value; "*" asks for any.')
    return found


def read_env(place: Place, value: object, key: str = "env") -> dict[str, str]:
    """Read variables; scalars become texts, null is empty.

    Raises:
        Invalid: it is no object, a name cannot be one, or a value is no scalar.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise place.refuse(key, f"must be an object of names and values, not {kind(value)}.")
    if len(value) > MAX_ENV:
        raise place.refuse(key, f"takes at most {MAX_ENV} variables.")
    found = {}
    for name, part in value.items():
        if not name or "=" in name:
            raise place.refuse(key, f"has {shown(name)}, which cannot be the name of a variable.")
        found[name] = text(place, f"{key}.{name}", part)
    return found


def read_plugins(place: Place, value: object) -> tuple[Any, ...]:
    """Read `plugins` into what agents want (contract agent-api §4.5): sources, and one-key objects.

    Raises:
        Invalid: a source is empty, or a configuration is no object.
    """
    if value is None:
        return ()
    found: list[Any] = []
    for part in value if isinstance(value, list | tuple) else [value]:
        if isinstance(part, str) and part and isinstance(value, list | tuple):
            found.append(part)
        elif isinstance(part, Mapping):
            found.extend(_plugin(place, source, settings) for source, settings in part.items())
        else:
            raise place.refuse("plugins", f"must be a list of sources and objects, and has {shown(part)}.")
    return tuple(found)


def _plugin(place: Place, source: str, settings: object) -> dict[str, Any]:
    """Read one plugin; agents refuse a configuration that is no object."""
    if not source:
        raise place.refuse("plugins", "has a plugin without a source.")
    if settings is not None and not isinstance(settings, Mapping):
        raise place.refuse(f"plugins.{source}", f"must be an object or null, not {kind(settings)}.")
    return {source: settings}
