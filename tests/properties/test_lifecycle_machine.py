"""The life of tokens, agents and jobs in random order, and proof that the machine can fail."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from databases import PostgresServer
from properties.lifecycle_installation import Site
from properties.lifecycle_mutants import MUTANTS
from properties.lifecycle_orders import Ordered
from properties.property_profiles import LONG, examples


@pytest.fixture(scope="module", autouse=True)
def site() -> Iterator[Site]:
    made = Site()
    Ordered.site = made
    yield made
    made.close()


@pytest.mark.timeout(0 if LONG else 240)
def test_only_live_values_pass_whatever_happens() -> None:
    """Set WATCHWORD_LONG=1 for hours of it; a failure is then also made small."""
    bounded = settings(
        examples(200),
        stateful_step_count=200 if LONG else 50,
        phases=list(Phase) if LONG else [Phase.generate],
    )
    run_state_machine_as_test(Ordered, settings=bounded)


def test_only_live_values_pass_on_postgresql_too(
    postgresql: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short run: the rules are the same, the database is another."""
    made = Site(postgresql)
    monkeypatch.setattr(Ordered, "site", made)
    bounded = settings(examples(12), stateful_step_count=40, phases=[Phase.generate])
    run_state_machine_as_test(Ordered, settings=bounded)
    made.close()


@pytest.mark.parametrize("name", MUTANTS)
def test_each_planted_mistake_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS[name](monkeypatch)
    bounded = settings(
        # The search ends with the first finding; a rare one may need hundreds of lives.
        max_examples=300,
        stateful_step_count=40,
        deadline=None,
        derandomize=True,
        report_multiple_bugs=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - an assertion, or a group of them
        run_state_machine_as_test(Ordered, settings=bounded)
    assert _is_a_finding(caught.value), caught.value


def _is_a_finding(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_is_a_finding(one) for one in error.exceptions)
    return isinstance(error, AssertionError)
