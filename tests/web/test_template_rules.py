"""What every template is held to: nothing unescaped, nothing inline, every form and table complete."""

import re
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

import watchword.web
from watchword.web.rendering import environment

WEB = Path(watchword.web.__file__).parent
TEMPLATES = WEB / "templates"
NAMES = sorted(str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.html"))
SCRIPTS = sorted((WEB / "static").glob("*.js"))
# Where markup is handed to a template as it is: it comes out of `services.markup`, which sanitises it, or
# is a picture of squares that we drew.
MARKUP = {"buildpages.py", "own_security.py"}
_COMMENT = re.compile(r"{#.*?#}", re.DOTALL)
_EXPRESSION = re.compile(r"{{.*?}}|{%.*?%}", re.DOTALL)


def source(name: str) -> str:
    """A template without its comments."""
    return _COMMENT.sub("", (TEMPLATES / name).read_text())


def markup(name: str) -> str:
    """A template's own HTML: what it fills in is blanked out."""
    return _EXPRESSION.sub("", source(name))


def test_escaping_is_always_on() -> None:
    made: Environment = environment()
    assert made.autoescape is True
    assert made.from_string("{{ x }}").render(x="<b>\"'&") == "&lt;b&gt;&#34;&#39;&amp;"


@pytest.mark.parametrize("name", NAMES)
def test_no_template_switches_escaping_off(name: str) -> None:
    tree = environment().parse((TEMPLATES / name).read_text())
    filters = {node.name for node in tree.find_all(nodes.Filter)}
    assert not filters & {"safe", "forceescape", "xmlattr", "tojson", "urlize", "striptags"}
    assert not list(tree.find_all(nodes.ScopedEvalContextModifier))
    assert not list(tree.find_all(nodes.MarkSafe))
    assert "autoescape" not in source(name)


def test_html_is_handed_to_templates_in_one_place_alone() -> None:
    found = {path.name for path in WEB.rglob("*.py") if re.search(r"\bMarkup\b|__html__", path.read_text())}
    assert found <= MARKUP


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_inline(name: str) -> None:
    text = markup(name)
    assert not re.search(r"<[^>]*\son\w+\s*=", text), "a handler"
    assert not re.search(r"\sstyle\s*=|<style\b", text), "a style"
    assert "javascript:" not in text.lower()
    assert not re.search(r"<(?:iframe|object|embed|base|meta[^>]+http-equiv)\b", text)
    for script in re.findall(r"<script\b([^>]*)>(.*?)</script>", source(name), flags=re.DOTALL):
        assert 'src="{{ static(' in script[0], "a script stands in a file"
        assert not script[1].strip()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_filled_in_stands_in_quotes(name: str) -> None:
    """Escaping does not hold an attribute without quotes together."""
    text = re.sub(r"{%.*?%}", "", source(name), flags=re.DOTALL)
    text = text.replace("{{ heading }}", "h2")  # the rank of a heading, which a template gives to a macro
    tags = re.sub(r"{{.*?}}", "\N{BLACK SQUARE}", text, flags=re.DOTALL)
    bare = re.sub(r'"[^"]*"', '""', tags)
    assert not re.search("<[a-z][^<>]*=\N{BLACK SQUARE}", bare)
    assert not re.search("</?\N{BLACK SQUARE}", bare), "the name of an element"


@pytest.mark.parametrize("name", NAMES)
def test_every_form_that_is_posted_carries_its_token(name: str) -> None:
    forms = re.findall(r'<form\b[^>]*method="post".*?</form>', source(name), flags=re.DOTALL)
    assert source(name).count('method="post"') == len(forms)
    for form in forms:
        assert "csrf(" in form, form[:120]


@pytest.mark.parametrize("name", NAMES)
def test_every_table_says_what_it_is_and_what_its_heads_are_of(name: str) -> None:
    for table in re.findall(r"<table\b.*?</table>", source(name), flags=re.DOTALL):
        assert "<caption" in table
        assert not re.search(r"<th(?![^>]*\bscope=)[\s>]", _EXPRESSION.sub("", table)), table[:200]


@pytest.mark.parametrize("name", NAMES)
def test_pages_have_one_head_of_the_first_rank(name: str) -> None:
    """A template may choose between some; two in a row are two."""
    assert not re.search(r"<h1\b(?:(?!{%).)*</h1>\s*<h1\b", source(name), flags=re.DOTALL)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.name))
def test_scripts_make_no_code_of_text(path: Path) -> None:
    text = path.read_text()
    for sink in ("outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
        assert sink not in text, sink
    assert not re.search(r"innerHTML\s*=[^=]", text)
    assert not re.search(r"setTimeout\(\s*[\"'`]", text)
    assert text.count("createHTML") <= 2
    assert "https:" not in text
    # A command line waits for its token on the person's own machine.
    assert "http:" not in text.replace("`http://localhost:${port}/callback`", "")
