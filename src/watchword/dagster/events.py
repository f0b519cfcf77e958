"""Events of runs as their processes write them, in GraphQL and in class-marked JSON, read into ours (§7)."""

import json
from collections.abc import Mapping
from typing import Any

from watchword.domain.errors import Invalid
from watchword.services.dagsterruns import Said

_SECOND_US = 1_000_000


def read_record(given: Mapping[str, Any]) -> Said:
    """An event as GraphQL's input has it.

    Raises:
        Invalid: it is none.
    """
    event = given.get("dagsterEvent") or {}
    return _said(given, given.get("runId"), event.get("eventTypeValue"), given.get("stepKey"))


def read_entry(given: Mapping[str, Any]) -> Said:
    """An event as class-marked JSON has it.

    Raises:
        Invalid: it is none.
    """
    event = given.get("dagster_event")
    kind = event.get("event_type_value") if isinstance(event, Mapping) else None
    return _said(given, given.get("run_id"), kind, given.get("step_key"))


def _said(given: Mapping[str, Any], run_id: object, kind: object, step: object) -> Said:
    at = given.get("timestamp")
    if not isinstance(run_id, str) or not run_id or not isinstance(at, int | float) or not 0 <= at < _END:
        raise Invalid("An event has a run and a time.", code="invalid_event")
    return Said(
        run_id,
        kind if isinstance(kind, str) else "",
        step if isinstance(step, str) else "",
        int(at * _SECOND_US),
        json.dumps(given),
    )


# The year 9999.
_END = 253_402_300_800
