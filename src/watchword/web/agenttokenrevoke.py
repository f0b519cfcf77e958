"""Revoking an agent token: what breaks, which way, and the receipt."""

from dataclasses import dataclass
from typing import Any

from litestar import get, post
from litestar.handlers import HTTPRouteHandler

from watchword.domain.accounts import Cluster, User
from watchword.domain.errors import Invalid, NotFound, WatchwordError
from watchword.domain.fleet import Agent
from watchword.domain.ids import UserId
from watchword.domain.lifecycle import BlastRadius, Change, Mode, Receipt
from watchword.domain.pipelines import Build, Job, Pipeline
from watchword.domain.rotations import Rotation
from watchword.domain.tokens import Token
from watchword.services.access import Access
from watchword.services.agenttokenview import MAX_AGENTS, live_agents
from watchword.services.queries import Unit, build_of, find_job, people
from watchword.services.withdrawing import Withdrawn
from watchword.web.forms import Problem
from watchword.web.needs import page
from watchword.web.tokenplace import PLACES, Place
from watchword.web.visit import Page, Visit, WebRequest
from watchword.web.withdrawal import read_withdrawal

_SHOWN_JOBS = 20
_UNSAID = "revoked on the console"


@dataclass(frozen=True, slots=True)
class Running:
    """A job that would end."""

    job: Job
    build: Build
    pipeline: Pipeline


@dataclass(frozen=True, slots=True)
class Ending:
    """What the page of a revocation stands on.

    Attributes:
        agents: live ones that joined with the token, the first hundred.
        jobs: running ones, the first twenty.
        receipt: of the revocation that there was; None where there was none.
    """

    cluster: Cluster | None
    token: Token
    radius: BlastRadius
    agents: list[Agent]
    jobs: list[Running]
    rotation: Rotation | None
    receipt: Receipt | None
    people: dict[UserId, User]

    @property
    def to_confirm(self) -> str:
        """What must be typed before agents lose their token; empty where nothing is connected."""
        return (self.token.description or self.token.id) if self.radius.children else ""

    @property
    def modes(self) -> list[Mode]:
        """The ways that are open: a revocation becomes stronger, never weaker."""
        done = self.receipt.revocation if self.receipt is not None else None
        if done is None:
            return list(Mode)
        again = [Mode.DRAIN] if done.mode is Mode.DRAIN and not done.finished_at else []
        return again + [mode for mode in Mode if mode.strength > done.mode.strength]


async def _ending(visit: Visit, place: Place) -> Ending:
    async def work(tx: Unit, access: Access) -> Ending:
        cluster, token = await place.find(tx, access.id, visit)
        authority = visit.authority
        radius = await authority.blast.radius_in(tx, token)
        receipt = await _receipt(tx, visit, token)
        rotation = authority.attention.predecessors.get(token.id) or authority.attention.successors.get(
            token.id
        )
        by = receipt.revocation.by if receipt is not None else None
        return Ending(
            cluster=cluster,
            token=token,
            radius=radius,
            agents=await live_agents(tx, token),
            jobs=[await _running(tx, token, job_id) for job_id in radius.running[:_SHOWN_JOBS]],
            rotation=rotation,
            receipt=receipt,
            people=await people(tx, [by]),
        )

    return await visit.read(work)


async def _receipt(tx: Unit, visit: Visit, token: Token) -> Receipt | None:
    try:
        found = await visit.authority.revoker.latest_in(tx, token)
    except NotFound:
        return None
    return found if found.revocation.change is Change.REVOKE else None


async def _running(tx: Unit, token: Token, job_id: str) -> Running:
    job = await find_job(tx, token.organization_id, job_id)
    pipeline, build = await build_of(tx, job)
    return Running(job, build, pipeline)


def _values(visit: Visit, place: Place, ending: Ending) -> dict[str, Any]:
    return {
        "place": place,
        "tokens_at": place.at(visit),
        "token_at": place.of(visit),
        "cluster": ending.cluster,
        "token": ending.token,
        "ending": ending,
        "max_agents": MAX_AGENTS,
        "reasoned": not place.clustered,
    }


async def show(visit: Visit, place: Place) -> Page:
    """What breaks, and the form; after the revocation its receipt."""
    return visit.show("agent_tokens/revoke.html", **_values(visit, place, await _ending(visit, place)))


async def revoke(visit: Visit, place: Place) -> Page:
    """Revoke the token as the form asks, and show the receipt."""
    ending = await _ending(visit, place)
    values = _values(visit, place, ending)
    typed = " ".join(visit.form.text("confirm").split())
    if ending.to_confirm and typed != " ".join(ending.to_confirm.split()):
        wrong = "That is not the token's name. Type it to confirm what you read above."
        return visit.show_again(
            "agent_tokens/revoke.html", Problem(wrong, "not_confirmed", "confirm"), **values
        )
    try:
        made = await _revoke(visit, place)
    except WatchwordError as error:
        return visit.show_again("agent_tokens/revoke.html", error, **values)
    visit.authority.revoker.settle(made)
    await visit.authority.revoker.confirm(made.revocation.organization_id, made.revocation.id)
    return visit.go(f"{place.of(visit)}/revoke", done="agent-token-revoked")


async def _revoke(visit: Visit, place: Place) -> Withdrawn:
    asked = read_withdrawal(visit.form, reason=_UNSAID if place.clustered else "")
    if not asked.reason.strip():
        raise Invalid("Say why; the reason stays with the token.", code="reason_missing")

    async def work(tx: Unit, access: Access) -> Withdrawn:
        _, token = await place.find(tx, access.id, visit)
        return await visit.authority.revoker.revoke_in(tx, access.caller, token, access.user.id, asked)

    return await visit.write(work)


def handlers(place: Place) -> tuple[HTTPRouteHandler, ...]:
    """The pages of one place."""

    @get(place.token + "/revoke", opt=page(place.can("revoke")))
    async def ask_for_revocation(request: WebRequest) -> Page:
        """What breaks, or the receipt."""
        return await show(Visit.of(request), place)

    @post(place.token + "/revoke", opt=page(place.can("revoke"), fresh=True), status_code=200)
    async def revoke_token(request: WebRequest) -> Page:
        """Revoke the token."""
        return await revoke(Visit.of(request), place)

    return ask_for_revocation, revoke_token


HANDLERS = tuple(handler for place in PLACES for handler in handlers(place))
