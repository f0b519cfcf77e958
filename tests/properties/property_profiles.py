"""How many examples the property tests run: few and always the same in CI, many and new ones on request."""

import os

from hypothesis import HealthCheck, settings

LONG = bool(os.environ.get("WATCHWORD_LONG"))
_FACTOR = 50.0 if LONG else 0.5

settings.register_profile(
    "ci",
    deadline=None,
    derandomize=not LONG,
    print_blob=LONG,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("ci")


def examples(count: int) -> settings:
    """Half as many examples in CI, fifty times as many where `WATCHWORD_LONG` is set."""
    return settings(settings.get_profile("ci"), max_examples=round(count * _FACTOR))
