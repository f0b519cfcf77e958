"""Settings: the configuration file's format and places, and what beats what."""

import os
import signal
from pathlib import Path

import pytest

from watchword.agent import start as starting
from watchword.agent.commands import app
from watchword.agent.config import DEFAULT_ENDPOINT, Settings, load_settings, warnings
from watchword.agent.configfile import find_config, parse_config, read_file, search_places
from watchword.agent.errors import ConfigError
from watchword.agent.options import GROUPS, IDLE, OPTIONS, REFUSED

HOME = Path("/home/somebody")


def load(
    flags: dict[str, str | None] | None = None,
    environ: dict[str, str] | None = None,
    config: dict[str, str] | None = None,
) -> Settings:
    return load_settings(flags or {}, environ or {}, config or {}, home=HOME)


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ('token="bkct_x"', "token", "bkct_x"),
        ("name='a b'", "name", "a b"),
        ("name: plain", "name", "plain"),
        ('endpoint: "http://host:1/v3"', "endpoint", "http://host:1/v3"),
        ("endpoint=http://host:1/v3", "endpoint", "http://host:1/v3"),
        ("export build-path=/x", "build-path", "/x"),
        ('  tags = "queue=a,os=b"  ', "tags", "queue=a,os=b"),
        ("name=a # comment", "name", "a"),
        ('name="a # no comment" # comment', "name", "a # no comment"),
        ("name=a#b", "name", "a#b"),
        ("name=", "name", ""),
        ("name=# comment", "name", ""),
        (r'name="a\"b\nc"', "name", 'a"b\nc'),
        (r"name='a\'b'", "name", "a'b"),
        (r'name="a\wb\\"', "name", "a\\wb\\"),
    ],
)
def test_a_line_of_the_file(line: str, key: str, value: str) -> None:
    assert parse_config(line, "x.cfg") == {key: value}


def test_comments_and_empty_lines_are_nothing() -> None:
    assert parse_config("# a comment\n\n   \n  # token=no\n", "x.cfg") == {}


@pytest.mark.parametrize("line", ["bkct_MTA.secret", 'token="bkct_MTA.secret', "=bkct_MTA.secret"])
def test_a_bad_line_is_named_by_number_and_never_shown(line: str) -> None:
    with pytest.raises(ConfigError, match=r"x\.cfg, line 2") as caught:
        parse_config(f"name=a\n{line}\n", "x.cfg")
    assert "bkct" not in str(caught.value)


def test_the_first_file_that_exists_is_used_alone(tmp_path: Path) -> None:
    first, second = tmp_path / "first.cfg", tmp_path / "second.cfg"
    second.write_text("name=second\nqueue=second\n")
    assert read_file(find_config(None, [first, second])) == {"name": "second", "queue": "second"}
    first.write_text("name=first\n")
    assert read_file(find_config(None, [first, second])) == {"name": "first"}
    assert read_file(find_config(str(second), [first])) == {"name": "second", "queue": "second"}
    assert read_file(find_config(None, [])) == {}


def test_a_named_file_must_exist_and_be_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_file(tmp_path / "absent.cfg")
    binary = tmp_path / "binary.cfg"
    binary.write_bytes(b"name=\xff\xfe")
    with pytest.raises(ConfigError, match="UTF-8"):
        read_file(binary)


def test_places_begin_beside_the_binary() -> None:
    places = [str(place) for place in search_places(Path("/opt/tool/bin/agent"), HOME)]
    assert places[0] == "/opt/tool/bin/buildkite-agent.cfg"
    assert places[1] == "/home/somebody/.buildkite-agent/buildkite-agent.cfg"
    assert places[-1] == "/etc/buildkite-agent/buildkite-agent.cfg"


def test_flag_beats_environment_beats_file_beats_default() -> None:
    flags: dict[str, str | None] = {"name": "flag"}
    environ = {"BUILDKITE_AGENT_NAME": "environment", "BUILDKITE_BUILD_PATH": "/environment"}
    config = {"name": "file", "build-path": "/file", "priority": "7"}
    settings = load(flags, environ, config)
    assert settings.name == "flag"
    assert settings.build_path == Path("/environment")
    assert settings.priority == "7"
    assert settings.endpoint == DEFAULT_ENDPOINT
    assert load({}, {"BUILDKITE_AGENT_NAME": ""}, config).name == "file"


def test_defaults() -> None:
    settings = load()
    assert settings.name == "%hostname-%spawn"
    assert settings.shell == ("/bin/bash", "-e", "-c")
    assert settings.build_path == HOME / ".local/state/watchword-agent/builds"
    assert settings.tags == ()
    assert settings.priority is None
    assert not settings.disconnect_after_job
    assert load({}, {"XDG_STATE_HOME": "/state"}).build_path == Path("/state/watchword-agent/builds")


def test_tags_and_queue() -> None:
    assert load({"tags": "os=linux, gpu,,"}).tags == ("os=linux", "gpu")
    assert load({"tags": "os=linux", "queue": "big"}).tags == ("os=linux", "queue=big")
    with pytest.raises(ConfigError, match="twice"):
        load({"queue": "big"}, {}, {"tags": "queue=default"})


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"endpoint": "ci.example.com/v3"}, "not a URL"),
        ({"endpoint": "ftp://ci.example.com/v3"}, "not a URL"),
        ({"endpoint": "http://[bad/v3"}, "not a URL"),
        ({"priority": "high"}, "not an integer"),
        ({"disconnect-after-job": "perhaps"}, "true or false"),
        ({"log-format": "xml"}, "text or json"),
        ({"shell": "'/bin/sh"}, "split into words"),
        ({"shell": " "}, "empty"),
        ({"log-level": "loud"}, "log-level"),
        ({"spawn": "0"}, "at least 1"),
        ({"spawn": "some"}, "whole number"),
        ({"spawn": "2", "spawn-per-cpu": "1"}, "both given"),
        ({"spawn": "2", "acquire-job": "j1"}, "one agent only"),
        ({"spawn-with-priority": "random"}, "static, ascending or descending"),
        ({"cancel-signal": "SIGNOTHING"}, "not a signal"),
        ({"cancel-grace-period": "5", "signal-grace-period-seconds": "5"}, "must be longer"),
        ({"cancel-grace-period": "1", "signal-grace-period-seconds": "-2"}, "must be longer"),
        ({"disconnect-after-idle-timeout": "soon"}, "seconds"),
    ],
)
def test_settings_that_make_no_sense(flags: dict[str, str | None], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(flags)


def test_the_endpoint_loses_its_last_slash() -> None:
    assert load({"endpoint": "https://ci.example.com/v3/"}).endpoint == "https://ci.example.com/v3"


def test_a_word_of_the_usual_agent_means_here_what_it_means_there() -> None:
    """The older agents know a switch where the newer ones know a word; times have two forms."""
    assert load({"spawn-with-priority": "true"}).spawn_with_priority == "ascending"
    assert load({}, {"BUILDKITE_AGENT_SPAWN_WITH_PRIORITY": "0"}).spawn_with_priority == "static"
    assert load({}, {"BUILDKITE_DISABLE_GIT_SUBMODULES": "true"}).jobs.submodules is False
    assert load({"disconnect-after-uptime": "1h30m2.5s"}).disconnect_after_uptime == 5402.5
    assert load({"cancel-signal": "int"}).jobs.cancel_signal == signal.SIGINT
    assert (load().jobs.cancel_grace, load().jobs.cancel_cleanup) == (10.0, 5.0)
    assert load({"cancel-grace-period": "60"}).jobs.cancel_grace == 59.0
    assert load({"redacted-vars": "*_PIN"}).jobs.redacted == ("*_PIN",)
    assert "*_TOKEN" in load().jobs.redacted
    assert load({"debug": "true"}).log_level == "debug"
    assert load({"spawn-per-cpu": "2"}).spawn == 2 * (os.cpu_count() or 1)
    assert load({}, {}, {"additional-hooks-paths": "/a, /b"}).jobs.additional_hooks_paths == (
        Path("/a"),
        Path("/b"),
    )


def test_without_commands_or_local_hooks_there_are_no_plugins_unless_they_are_wanted() -> None:
    assert load().jobs.plugins
    assert not load({"no-command-eval": "true"}).jobs.plugins
    assert not load({}, {}, {"no-local-hooks": "true"}).jobs.plugins
    assert load({"no-command-eval": "true", "no-plugins": "false"}).jobs.plugins


def test_a_list_of_allowed_variables_counts_when_it_is_switched_on() -> None:
    flags: dict[str, str | None] = {"allowed-environment-variables": "^APP_"}
    assert load(flags).jobs.allowed_variables == ()
    on = load({**flags, "enable-environment-variable-allowlist": "true"}).jobs.allowed_variables
    assert [pattern.pattern for pattern in on] == ["^APP_"]
    (nothing,) = load({"enable-environment-variable-allowlist": "true"}).jobs.allowed_variables
    assert not nothing.search("APP_X")
    with pytest.raises(ConfigError, match="regular expressions"):
        load({"allowed-repositories": "("})


def test_what_has_no_effect_is_said() -> None:
    config = {"name": "a", "nmae": "b", "metrics-datadog": "true"}
    assert warnings({"BUILDKITE_TRACING_BACKEND": "datadog"}, config) == [
        "the configuration file's key 'nmae' is unknown and ignored",
        "the configuration file's key 'metrics-datadog' has no effect in this agent",
        "the variable BUILDKITE_TRACING_BACKEND has no effect in this agent",
    ]


@pytest.mark.parametrize("name", REFUSED)
def test_a_protection_that_is_not_there_refuses_to_start(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        load({}, {}, {name: "true"})
    with pytest.raises(ConfigError, match=name):
        load({}, {REFUSED[name]: "/key"})
    assert load({}, {}, {name: "false"}).spawn == 1


def test_no_name_or_variable_is_given_twice() -> None:
    names = [option.name for group in GROUPS.values() for option in group] + [*REFUSED, *IDLE]
    variables = [option.variable for option in OPTIONS.values()] + [*REFUSED.values(), *IDLE.values()]
    assert len(set(names)) == len(names)
    assert len(set(variables)) == len(variables)


@pytest.mark.parametrize(
    ("words", "given"),
    [
        (["--no-pty"], {"no-pty": "true"}),
        (["--no-pty=false"], {"no-pty": "false"}),
        (["--tags", "os=linux,gpu", "--tags=queue=big"], {"tags": "os=linux,gpu,queue=big"}),
        (["--priority", "-2"], {"priority": "-2"}),
        (["--git-clone-flags", "-v --depth=1"], {"git-clone-flags": "-v --depth=1"}),
        (["--spawn=3", "--name", "%hostname-%spawn"], {"spawn": "3", "name": "%hostname-%spawn"}),
    ],
)
def test_flags_arrive_as_they_were_given(
    words: list[str], given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, str | None]] = []

    def start(flags: dict[str, str | None]) -> int:
        seen.append(flags)
        return 0

    monkeypatch.setattr(starting, "start", start)
    with pytest.raises(SystemExit):
        app(["start", *words])
    assert {name: value for name, value in seen[0].items() if value is not None} == given
    assert set(seen[0]) <= set(OPTIONS)


def test_a_flag_that_is_not_known_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        app(["start", "--nmae", "x"])
    assert caught.value.code == 2
    assert "--nmae" in "".join(capsys.readouterr())


def test_what_tokens_of_jobs_may_do_is_said_in_words_that_there_are() -> None:
    def rights(text: str) -> tuple[str, ...] | None:
        return load({"job-token-rights": text}).job_token_rights

    assert load().job_token_rights is None
    assert rights("oidc, annotate") == ("annotate", "oidc")
    assert rights("none") == ()
    for wrong in ("odic", "none,oidc"):
        with pytest.raises(ConfigError, match="there is no right"):
            rights(wrong)
