"""Settings: flag over environment over file, and nothing that cannot work."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from properties.property_profiles import examples
from watchword.settings import PREFIX, Settings, SettingsError, load

ports = st.integers(0, 65535)
seconds = st.integers(1, 10**6)
brands = st.from_regex(r"[a-z][a-z0-9]{0,7}", fullmatch=True)
acceptable = st.fixed_dictionaries(
    {},
    optional={
        "listen": ports.map(lambda port: f"127.0.0.1:{port}"),
        "url": st.just("https://ci.example.com"),
        "brand": brands,
        "former_brands": st.lists(brands, min_size=1, max_size=3).map(tuple),
        "cell": st.integers(0, 999),
        "trusted_proxies": st.lists(
            st.sampled_from(["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"]), min_size=1
        ).map(tuple),
        "ping_interval": seconds,
        "job_status_interval": seconds,
        "heartbeat_interval": seconds,
        "session_on_job_routes": st.booleans(),
        "flush_interval": seconds,
        "sweep_interval": seconds,
        "log_level": st.sampled_from(["debug", "info", "warning", "error"]),
        "log_format": st.sampled_from(["text", "json"]),
    },
)


def as_variables(values: Mapping[str, Any]) -> dict[str, str]:
    texts = {
        name: ",".join(value) if isinstance(value, tuple) else str(value) for name, value in values.items()
    }
    return {PREFIX + name.upper(): text for name, text in texts.items()}


def as_toml(values: Mapping[str, Any]) -> str:
    lines = []
    for name, value in values.items():
        if isinstance(value, bool):
            shown = str(value).lower()
        elif isinstance(value, int):
            shown = str(value)
        elif isinstance(value, tuple):
            shown = "[" + ", ".join(f'"{item}"' for item in value) + "]"
        else:
            shown = f'"{value}"'
        lines.append(f"{name} = {shown}\n")
    return "".join(lines)


@examples(150)
@given(acceptable, acceptable, acceptable)
def test_flag_wins_over_environment_over_file(
    tmp_path: Path, given_: dict[str, Any], environment: dict[str, Any], file: dict[str, Any]
) -> None:
    config = tmp_path / "watchword.toml"
    config.write_text(as_toml(file))
    loaded = load(config, as_variables(environment), given_)
    expected = file | environment | given_
    for name in Settings.__dataclass_fields__:
        assert getattr(loaded, name) == expected.get(name, getattr(Settings(), name))


@examples(100)
@given(acceptable)
def test_a_flag_that_was_not_given_changes_nothing(values: dict[str, Any]) -> None:
    nothing = dict.fromkeys(Settings.__dataclass_fields__)
    assert load(None, as_variables(values), nothing) == load(None, as_variables(values))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("listen", "nowhere"),
        ("listen", "127.0.0.1:65536"),
        ("listen", "127.0.0.1:-1"),
        ("listen", "127.0.0.1:"),
        ("brand", ""),
        ("brand", "BK"),
        ("brand", "b_k"),
        ("brand", "ninechars"),
        ("brand", "ß"),
        ("former_brands", "bk,B"),
        ("cell", "1000"),
        ("cell", "-1"),
        ("cell", "ten"),
        ("ping_interval", "0"),
        ("ping_interval", "-5"),
        ("ping_interval", "1.5"),
        ("job_status_interval", "0"),
        ("heartbeat_interval", "0"),
        ("flush_interval", "0"),
        ("sweep_interval", "0"),
        ("session_on_job_routes", "maybe"),
        ("session_on_job_routes", ""),
        ("trusted_proxies", "10.0.0.1/8"),
        ("trusted_proxies", "proxy.example.com"),
        ("tls_cert", "cert.pem"),
        ("log_level", "loud"),
        ("log_format", "yaml"),
    ],
)
def test_what_cannot_work_is_refused(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(None, {PREFIX + name.upper(): value})
    assert caught.value.code == "invalid_setting"


@pytest.mark.parametrize("text", ["no_such = 1", "ping_interval = [1]", "ping_interval = ", "cell = {}"])
def test_a_file_with_a_mistake_is_refused(tmp_path: Path, text: str) -> None:
    config = tmp_path / "watchword.toml"
    config.write_text(text)
    with pytest.raises(SettingsError):
        load(config, {})


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        load(tmp_path / "none.toml", {})


@examples(200)
@given(st.sampled_from(sorted(Settings.__dataclass_fields__)), st.text(max_size=20))
def test_no_text_breaks_it(name: str, text: str) -> None:
    with contextlib.suppress(SettingsError):
        load(None, {PREFIX + name.upper(): text})


@pytest.mark.parametrize(
    ("listen", "shown"),
    [
        ("0.0.0.0:80", "http://127.0.0.1:80"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("127.0.0.1:1", "http://127.0.0.1:1"),
    ],
)
def test_the_public_address_is_made_of_listen(listen: str, shown: str) -> None:
    assert load(None, {}, {"listen": listen}).public_url == shown
