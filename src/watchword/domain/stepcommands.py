"""Command steps: what they run, where, how often, and what their end means."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from watchword.domain import stepkinds
from watchword.domain.matrix import ANONYMOUS, read_matrix, unknown_token
from watchword.domain.stepcommon import MAX_LABEL, MAX_PARALLELISM, first_of, read_count, read_priority
from watchword.domain.stepfields import Object, Place, flag, one_of, text, texts
from watchword.domain.steprules import read_env, read_plugins, read_retry, read_rules, read_soft_fail
from watchword.domain.steps import Step
from watchword.domain.stepsecrets import read_secrets
from watchword.domain.steptokens import KEY, read_job_token

MAX_CONCURRENCY = 10_000
MAX_TIMEOUT_MINUTES = 366 * 24 * 60

_METHODS = ("ordered", "eager")


def read_command(place: Place, step: Object, common: Step) -> Step:
    """Read a command step."""
    retries, manual = read_retry(place, step.get("retry"))
    matrix, changes = read_matrix(place, step.get("matrix"))
    made = replace(
        common,
        command=_command(place, step),
        env=read_env(place, step.get("env")),
        rules=read_rules(place, first_of(step, stepkinds.RULES)[1]),
        priority=read_priority(place, step) or 0,
        timeout_minutes=read_count(place, *first_of(step, stepkinds.TIMEOUT), MAX_TIMEOUT_MINUTES, low=0),
        parallelism=read_count(place, "parallelism", step.get("parallelism"), MAX_PARALLELISM),
        matrix=matrix,
        matrix_changes=changes,
        retries=retries,
        manual=manual,
        soft_fail=read_soft_fail(place, "soft_fail", step.get("soft_fail")),
        artifact_paths=";".join(texts(place, *first_of(step, stepkinds.ARTIFACTS))),
        rights=read_job_token(place, step.get(KEY)),
        plugins=read_plugins(place, step.get("plugins")),
        secrets=read_secrets(place, step.get("secrets")),
        cancel_on_build_failing=flag(place, "cancel_on_build_failing", step.get("cancel_on_build_failing")),
    )
    if made.matrix and made.parallelism:
        raise place.refuse("parallelism", "cannot stand beside `matrix`; each makes jobs of its own.")
    _check_tokens(place, made)
    return _read_concurrency(place, step, made)


def _command(place: Place, step: Object) -> str:
    """Read the commands, joined by newlines."""
    said = {word: "\n".join(texts(place, word, step[word])) for word in stepkinds.COMMAND if word in step}
    if len(set(said.values())) > 1:
        raise place.refuse(list(said)[1], f"and `{next(iter(said))}` say different commands; keep one.")
    return next(iter(said.values()), "")


def _read_concurrency(place: Place, step: Object, made: Step) -> Step:
    """Read the concurrency of a step: a limit needs a group, and a group a limit."""
    limit = read_count(place, "concurrency", step.get("concurrency"), MAX_CONCURRENCY)
    group = text(place, "concurrency_group", step.get("concurrency_group"), MAX_LABEL)
    method = step.get("concurrency_method")
    if limit and not group:
        raise place.refuse("concurrency", "needs a `concurrency_group`, within which it counts.")
    if group and not limit:
        raise place.refuse("concurrency_group", "needs `concurrency`, the jobs that may run at a time.")
    if method is not None:
        one_of(place, "concurrency_method", method, _METHODS)
        if not group:
            raise place.refuse("concurrency_method", "needs `concurrency` and `concurrency_group`.")
    return replace(made, concurrency=limit, concurrency_group=group, concurrency_ordered=method != "eager")


def _check_tokens(place: Place, step: Step) -> None:
    """Refuse a `{{matrix…}}` that names no dimension of the step's matrix."""
    if not step.matrix:
        return
    dimensions = step.matrix[0]
    said: dict[str, Sequence[str]] = {
        "command": (step.command,),
        "label": (step.label,),
        "env": tuple(step.env.values()),
        "agents": step.rules,
        "artifact_paths": (step.artifact_paths,),
        "plugins": tuple(_texts_within(step.plugins)),
    }
    for key, parts in said.items():
        token = next((found for part in parts if (found := unknown_token(part, dimensions))), "")
        if token:
            known = (
                "{{matrix}}"
                if ANONYMOUS in dimensions
                else ", ".join(f"{{{{matrix.{name}}}}}" for name in dimensions)
            )
            raise place.refuse(key, f"has {token}, and the matrix knows {known} only.")


def _texts_within(value: object) -> list[str]:
    """Collect every text of a decoded JSON value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [found for pair in value.items() for part in pair for found in _texts_within(part)]
    if isinstance(value, list | tuple):
        return [found for part in value for found in _texts_within(part)]
    return []
