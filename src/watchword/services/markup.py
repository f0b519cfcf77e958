"""Markup: what jobs and people write about builds, CommonMark with HTML, as HTML in which nothing acts.

A job is anybody's code, so its words are untrusted: markdown-it-py reads them, nh3 lets through a list of
elements and attributes, and here it is said where links may lead. Nothing that a page would load passes.
"""

import re
from collections.abc import Callable, Sequence
from functools import cache
from html import escape
from urllib.parse import quote, unquote

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from watchword.domain.loglines import LineReader

# Bytes that are read, and tags that are sanitised, which takes the square of the time where they stand inside
# each other. What is longer is shown as it was written.
MAX_FORMATTED = 128 * 1024
MAX_TAGS = 6000
_TAGS = {
    *(
        "a",
        "abbr",
        "b",
        "blockquote",
        "br",
        "caption",
        "code",
        "dd",
        "del",
        "details",
        "div",
        "dl",
        "dt",
        "em",
    ),
    *(
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "ins",
        "kbd",
        "li",
        "ol",
        "p",
        "pre",
        "q",
        "s",
        "samp",
        "small",
    ),
    *("span", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "tt"),
    *("u", "ul", "var"),
}
_ATTRIBUTES = {
    "*": {"class", "title"},
    "a": {"href"},
    "details": {"open"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
}
# Classes that the console's style sheet has for notes; others could pass for parts of the console.
_CLASS = re.compile(
    r"t-[a-z]+(-[0-9]{1,2})?|bold|italic|underline|monospace|small|center|right|red|green|yellow|blue|gray"
)
_OUTSIDE = re.compile(r"https?://[^\s\\]+|mailto:[^\s\\]+", re.IGNORECASE)
_INSIDE = re.compile(r"#[A-Za-z0-9_-]{1,64}")
_ARTIFACT = "artifact://"
# The page has its own heading above, and the order of levels is the reader's way through it.
_HEADING = re.compile("<(/?)h[1-6]")

Resolve = Callable[[str], str]


def to_html(text: str, artifact: Resolve) -> str:
    """Safe HTML of what was written.

    Args:
        text: CommonMark with tables, strike-through and HTML.
        artifact: where a link to an artifact of the build, by its path, leads to; empty for nowhere.
    """
    if len(text.encode()) > MAX_FORMATTED:
        return as_written(text)
    html = _reader().render(text)
    return as_written(text) if html.count("<") > MAX_TAGS else _clean(html, artifact)


def as_written(text: str) -> str:
    """The text itself, as HTML."""
    return f"<pre>{escape(text)}</pre>"


def _clean(html: str, artifact: Resolve) -> str:
    def attribute(tag: str, name: str, value: str) -> str | None:
        if name == "class":
            return " ".join(word for word in value.split() if _CLASS.fullmatch(word)) or None
        if (tag, name) != ("a", "href"):
            return value
        if value.startswith(_ARTIFACT):
            return artifact(value.removeprefix(_ARTIFACT)) or None
        return value if _OUTSIDE.fullmatch(value) or _INSIDE.fullmatch(value) else None

    cleaned = nh3.clean(
        html,
        tags=_TAGS,
        clean_content_tags={"script", "style", "template", "title", "textarea", "iframe", "noscript"},
        attributes=_ATTRIBUTES,
        attribute_filter=attribute,
        link_rel="noopener noreferrer nofollow",
        url_schemes={"http", "https", "mailto", "artifact"},
    )
    return _HEADING.sub(r"<\1h2", cleaned)


@cache
def _reader() -> MarkdownIt:
    """The reader, with our ways to write images and terminal output."""
    reader = MarkdownIt("commonmark", {"html": True, "maxNesting": 20}).enable(["table", "strikethrough"])
    reader.add_render_rule("image", _image)
    reader.add_render_rule("fence", _fence)
    reader.validateLink = _any_link  # type: ignore[method-assign,assignment] # the sanitiser decides
    return reader


def _any_link(_url: str) -> bool:
    return True


def _image(
    self: RendererHTML,
    tokens: Sequence[Token],
    at: int,
    options: OptionsDict,
    env: EnvType,
) -> str:
    """A link in the image's place: nothing is loaded for it."""
    token = tokens[at]
    words = self.renderInlineAsText(token.children, options, env) or str(token.attrs.get("src", ""))
    return f'<a href="{escape(str(token.attrs.get("src", "")))}">{escape(f"[image: {words}]")}</a>'


def _fence(
    self: RendererHTML,
    tokens: Sequence[Token],
    at: int,
    options: OptionsDict,
    env: EnvType,
) -> str:
    """Terminal output in its colours; other code as it is."""
    token = tokens[at]
    if token.info.strip() not in ("term", "terminal"):
        return self.fence(tokens, at, options, env)
    reader = LineReader()
    lines = reader.feed(token.content.encode(errors="replace"))
    shown = "\n".join(
        "".join(f'<span class="{one.style.classes}">{escape(one.text)}</span>' for one in line.spans)
        for line in lines
    )
    return f"<pre>{shown}</pre>"


def artifact_query(path: str) -> str:
    """An artifact's path, as a link has it, as a value in a query."""
    return quote(unquote(path), safe="/")
