"""Settings: the configuration file's format and places, and what beats what."""

from pathlib import Path

import pytest

from watchword.agent.config import DEFAULT_ENDPOINT, Settings, load_settings
from watchword.agent.configfile import parse_config, read_config, search_places
from watchword.agent.errors import ConfigError

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
    assert read_config(None, [first, second]) == {"name": "second", "queue": "second"}
    first.write_text("name=first\n")
    assert read_config(None, [first, second]) == {"name": "first"}
    assert read_config(str(second), [first]) == {"name": "second", "queue": "second"}
    assert read_config(None, []) == {}


def test_a_named_file_must_exist_and_be_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_config(str(tmp_path / "absent.cfg"), [])
    binary = tmp_path / "binary.cfg"
    binary.write_bytes(b"name=\xff\xfe")
    with pytest.raises(ConfigError, match="UTF-8"):
        read_config(str(binary), [])


def test_places_begin_beside_the_binary() -> None:
    places = [str(place) for place in search_places(Path("/opt/tool/bin/agent"), HOME)]
    assert places[0] == "/opt/tool/bin/buildkite-agent.cfg"
    assert places[1] == "/home/somebody/.buildkite-agent/buildkite-agent.cfg"
    assert places[-1] == "/etc/buildkite-agent/buildkite-agent.cfg"


def test_flag_beats_environment_beats_file_beats_default() -> None:
    flags: dict[str, str | None] = {"name": "flag"}
    environ = {"BUILDKITE_AGENT_NAME": "environment", "BUILDKITE_BUILD_PATH": "/environment"}
    config = {"name": "file", "build-path": "/file", "priority": "7", "hooks-path": "/unknown"}
    settings = load(flags, environ, config)
    assert settings.name == "flag"
    assert settings.build_path == Path("/environment")
    assert settings.priority == "7"
    assert settings.endpoint == DEFAULT_ENDPOINT
    assert load({}, {"BUILDKITE_AGENT_NAME": ""}, config).name == "file"


def test_defaults() -> None:
    settings = load()
    assert settings.name == "%hostname-1"
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
    ],
)
def test_settings_that_make_no_sense(flags: dict[str, str | None], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(flags)


def test_the_endpoint_loses_its_last_slash() -> None:
    assert load({"endpoint": "https://ci.example.com/v3/"}).endpoint == "https://ci.example.com/v3"
