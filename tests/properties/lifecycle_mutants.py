"""Mistakes planted in the services, one at a time: the lifecycle machine must find each of them."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import bindparam, update

from watchword.crypto.values import Secret
from watchword.domain.errors import Refused
from watchword.domain.events import Action
from watchword.domain.ids import JobId, OrganizationId
from watchword.domain.kinds import Kind
from watchword.domain.pipelines import Job, JobState
from watchword.domain.restrictions import UNRESTRICTED
from watchword.domain.tokens import Reason
from watchword.services import dispatching, exchanging, finishing, fleet, issuing, lines
from watchword.services.context import Context
from watchword.services.control import Controller
from watchword.services.dispatching import Dispatcher
from watchword.services.finishing import Finisher
from watchword.services.fleet import Fleet
from watchword.services.verifying import Verifier
from watchword.store import builds as build_rows
from watchword.store import tokens as token_rows
from watchword.store.audit import AuditRows
from watchword.store.engine import Statement
from watchword.store.tables import jobs, tokens
from watchword.store.tokens import TokenRows

Mutant = Callable[[pytest.MonkeyPatch], None]


def _verifier_overlooks(*reasons: Reason) -> Mutant:
    def plant(patch: pytest.MonkeyPatch) -> None:
        check = Verifier._check

        def careless(self: Verifier, *arguments: Any) -> None:
            try:
                check(self, *arguments)
            except Refused as error:
                if error.code not in reasons:
                    raise

        patch.setattr(Verifier, "_check", careless)

    return plant


def _verifier_takes_any_kind(patch: pytest.MonkeyPatch) -> None:
    recognise = Verifier._recognise
    patch.setattr(Verifier, "_recognise", lambda self, value, _: recognise(self, value, tuple(Kind)))
    _verifier_overlooks(Reason.WRONG_KIND)(patch)


def _cache_survives_a_revocation(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Verifier, "_forget", lambda *_: None)


def _uses_are_not_limited(patch: pytest.MonkeyPatch) -> None:
    clause = (
        update(tokens)
        .where(tokens.c.organization_id == bindparam("organization_id_"), tokens.c.id == bindparam("id_"))
        .values(uses=tokens.c.uses + 1)
    )
    patch.setattr(token_rows, "_TAKE_USE", Statement(clause))


def _uses_are_not_given_back(patch: pytest.MonkeyPatch) -> None:
    async def keep(*_: Any) -> None:
        return None

    patch.setattr(TokenRows, "return_use", keep)


def _accept_ignores_fence_and_state(patch: pytest.MonkeyPatch) -> None:
    clause = (
        update(jobs)
        .where(jobs.c.organization_id == bindparam("organization_id_"), jobs.c.id == bindparam("id_"))
        .values(
            state=JobState.ACCEPTED.value,
            fence=jobs.c.fence + 1,
            agent_id=bindparam("agent_id_"),
            token_key=bindparam("token_key_"),
            token_issued_at=bindparam("at_"),
            token_expires_at=bindparam("token_expires_at_"),
            accepted_at=bindparam("at_"),
        )
    )
    patch.setattr(build_rows, "_ACCEPT", Statement(clause))


def _finish_ignores_the_fence(patch: pytest.MonkeyPatch) -> None:
    finish = build_rows.BuildRows.finish

    async def late(self: build_rows.BuildRows, job: Job, state: JobState) -> bool:
        current = await self.job(job.organization_id, job.id)
        return await finish(self, replace(job, fence=current.fence if current else job.fence), state)

    patch.setattr(build_rows.BuildRows, "finish", late)


def _release_keeps_the_fence(patch: pytest.MonkeyPatch) -> None:
    clause = (
        update(jobs)
        .where(
            jobs.c.organization_id == bindparam("organization_id_"),
            jobs.c.id == bindparam("id_"),
            jobs.c.fence == bindparam("fence_"),
            jobs.c.state == JobState.ACCEPTED.value,
        )
        .values(state=JobState.SCHEDULED.value, agent_id=None, token_issued_at=0, accepted_at=0)
    )
    patch.setattr(build_rows, "_RELEASE", Statement(clause))


def _job_rows_are_cached(patch: pytest.MonkeyPatch) -> None:
    find = Verifier._find_job
    seen: dict[str, Job | None] = {}

    async def cached(self: Verifier, organization_id: OrganizationId, job_id: JobId) -> Job | None:
        if job_id not in seen:
            seen[job_id] = await find(self, organization_id, job_id)
        return seen[job_id]

    patch.setattr(Verifier, "_find_job", cached)


def _session_outlives_its_agent(patch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: Any) -> bool:
        return True

    patch.setattr(fleet, "end_token", nothing)


def _session_forgets_the_networks(patch: pytest.MonkeyPatch) -> None:
    build = issuing.build_token

    def open_build(*arguments: Any, **named: Any) -> Any:
        return build(*arguments, **(named | {"restrictions": UNRESTRICTED}))

    patch.setattr(exchanging, "build_token", open_build)


def _nobody_is_lost(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Fleet, "silent", lambda *_: [])


def _all_are_lost_after_a_restart(patch: pytest.MonkeyPatch) -> None:
    load = Fleet.load

    async def harsh(self: Fleet) -> None:
        await load(self)
        for live in self.agents.values():
            live.seen_at = live.flushed_at - 3_600_000_000

    patch.setattr(Fleet, "load", harsh)


def _offers_are_not_held(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lines, "OFFER_HOLDS_US", -1)


def _cancelled_jobs_are_not_swept(patch: pytest.MonkeyPatch) -> None:
    sweep = Finisher._sweep_job

    async def lazy(self: Finisher, caller: Any, job: Job, now: int) -> None:
        if job.state is not JobState.CANCELING:
            await sweep(self, caller, job, now)

    patch.setattr(Finisher, "_sweep_job", lazy)


def _orders_are_forgotten_at_a_start(patch: pytest.MonkeyPatch) -> None:
    load = Fleet.load

    async def forgetful(self: Fleet) -> None:
        await load(self)
        for live in self.agents.values():
            live.order = None

    patch.setattr(Fleet, "load", forgetful)


def _agents_with_orders_take_jobs(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Dispatcher, "_check_allowed", lambda *_, **__: None)


def _acquiring_crosses_clusters(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(dispatching, "_near", lambda *_: True)


def _pauses_do_not_end(patch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: Any) -> None:
        return None

    patch.setattr(Controller, "sweep", nothing)


def _jobs_run_as_long_as_they_like(patch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: Any) -> None:
        return None

    patch.setattr(Finisher, "time_out", nothing)


def _timed_out_jobs_pass_for_finished(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(finishing, "_ENDS", {JobState.CANCELING: JobState.CANCELED})


def _a_timeout_changes_under_any_fence(patch: pytest.MonkeyPatch) -> None:
    change = build_rows.BuildRows.set_timeout

    async def late(self: build_rows.BuildRows, job: Job, minutes: int, initial: int) -> bool:
        current = await self.job(job.organization_id, job.id)
        return await change(self, current or job, minutes, initial)

    patch.setattr(build_rows.BuildRows, "set_timeout", late)


def _revocations_are_not_audited(patch: pytest.MonkeyPatch) -> None:
    record = Context.record

    async def silent(self: Context, tx: Any, caller: Any, action: Action, *rest: Any) -> None:
        if action is not Action.TOKEN_REVOKED:
            await record(self, tx, caller, action, *rest)

    patch.setattr(Context, "record", silent)


def _audit_sequences_have_gaps(patch: pytest.MonkeyPatch) -> None:
    count = AuditRows.next_sequence

    async def twice(self: AuditRows, organization_id: OrganizationId) -> int:
        await count(self, organization_id)
        return await count(self, organization_id)

    patch.setattr(AuditRows, "next_sequence", twice)


def _values_are_written(encode: Callable[[str], str]) -> Mutant:
    def plant(patch: pytest.MonkeyPatch) -> None:
        build = issuing.build_token

        def leaky(context: Any, kind: Kind, organization_id: Any, value: Secret, **named: Any) -> Any:
            token = build(context, kind, organization_id, value, **named)
            return replace(token, ended_reason=encode(value.reveal()))

        patch.setattr(issuing, "build_token", leaky)

    return plant


MUTANTS: dict[str, Mutant] = {
    "the verifier overlooks a revocation": _verifier_overlooks(Reason.REVOKED),
    "the verifier overlooks the end of a session": _verifier_overlooks(Reason.SESSION_ENDED),
    "the verifier overlooks the expiry": _verifier_overlooks(Reason.EXPIRED),
    "the verifier overlooks not-before": _verifier_overlooks(Reason.NOT_YET_VALID),
    "the verifier overlooks the network": _verifier_overlooks(Reason.NETWORK_BLOCKED),
    "the verifier takes any kind": _verifier_takes_any_kind,
    "the cache survives a revocation": _cache_survives_a_revocation,
    "uses are not limited": _uses_are_not_limited,
    "uses are not given back": _uses_are_not_given_back,
    "accept ignores fence and state": _accept_ignores_fence_and_state,
    "finish ignores the fence": _finish_ignores_the_fence,
    "release keeps the fence": _release_keeps_the_fence,
    "job rows are cached": _job_rows_are_cached,
    "a session outlives its agent": _session_outlives_its_agent,
    "a session forgets the networks": _session_forgets_the_networks,
    "nobody is lost": _nobody_is_lost,
    "all are lost after a restart": _all_are_lost_after_a_restart,
    "offers are not held": _offers_are_not_held,
    "cancelled jobs are not swept": _cancelled_jobs_are_not_swept,
    "orders are forgotten at a start": _orders_are_forgotten_at_a_start,
    "agents with orders take jobs": _agents_with_orders_take_jobs,
    "acquiring crosses clusters": _acquiring_crosses_clusters,
    "pauses do not end": _pauses_do_not_end,
    "jobs run as long as they like": _jobs_run_as_long_as_they_like,
    "timed out jobs pass for finished": _timed_out_jobs_pass_for_finished,
    "a timeout changes under any fence": _a_timeout_changes_under_any_fence,
    "revocations are not audited": _revocations_are_not_audited,
    "audit sequences have gaps": _audit_sequences_have_gaps,
    "values are written as they are": _values_are_written(str),
    "values are written in hex": _values_are_written(lambda value: value.encode().hex()),
    "values are written in base64": _values_are_written(lambda value: b64encode(value.encode()).decode()),
}
