"""What jobs write about builds is shown formatted, and nothing of it acts."""

import asyncio
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.store_records import annotation
from properties.property_profiles import examples
from watchword.services import notes
from watchword.services.markup import MAX_FORMATTED, MAX_TAGS, to_html
from watchword.services.notes import Notes

ARTIFACTS = "/acme/app/builds/1/artifacts?path="
HARMLESS = {"href", "class", "title", "open", "start", "colspan", "rowspan", "scope", "rel"}


def html(text: str) -> str:
    return to_html(text, lambda path: ARTIFACTS + path)


class Actors(HTMLParser):
    """Collects what could act."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {
            "script",
            "style",
            "iframe",
            "object",
            "embed",
            "img",
            "svg",
            "math",
            "form",
            "input",
            "base",
        }:
            self.found.append(tag)
        for name, value in attrs:
            if name not in HARMLESS:
                self.found.append(name)
            if name == "href" and not (value or "").startswith(("http", "mailto:", "#", ARTIFACTS)):
                self.found.append(str(value))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a *b* `c`", "<p>a <em>b</em> <code>c</code></p>\n"),
        ("# Title", "<h2>Title</h2>\n"),
        ("###### Title\n\n<h3>x</h3>", "<h2>Title</h2>\n<h2>x</h2>"),
        ("~~old~~", "<p><s>old</s></p>\n"),
        ("<span class='red modal'>x</span>", '<p><span class="red">x</span></p>\n'),
        (
            "```term\n\x1b[31mred\x1b[0m <b>\n```",
            '<pre><span class="t-fg-1">red</span><span> &lt;b&gt;</span></pre>',
        ),
        ("```js\na<b\n```", "<pre><code>a&lt;b\n</code></pre>\n"),
        ("<details open><summary>a</summary>b</details>", '<details open=""><summary>a</summary>b</details>'),
    ],
)
def test_commonmark_and_html_are_formatted(text: str, expected: str) -> None:
    assert html(text) == expected


@pytest.mark.parametrize(
    ("text", "href"),
    [
        ("[x](https://example.com/a)", "https://example.com/a"),
        ("[x](mailto:a@example.com)", "mailto:a@example.com"),
        ("[x](#0190a0b0-0000)", "#0190a0b0-0000"),
        ("[x](artifact://log/a.txt)", ARTIFACTS + "log/a.txt"),
        ("<a href='artifact://a.txt'>x</a>", ARTIFACTS + "a.txt"),
        ("![x](https://example.com/cat.gif)", "https://example.com/cat.gif"),
        ("![](artifact://shot.png)", ARTIFACTS + "shot.png"),
        ("[x](javascript:alert)", None),
        ("[x](data:text/html,x)", None),
        ("[x](/settings)", None),
        ("[x](//example.com)", None),
        ("<a href='/sign-out'>x</a>", None),
        ("<a href='\\\\example.com'>x</a>", None),
    ],
)
def test_links_lead_outside_or_to_the_build(text: str, href: str | None) -> None:
    shown = html(text)
    assert (f'href="{href}"' in shown) if href else ("href" not in shown)
    assert "<img" not in shown
    assert 'rel="noopener noreferrer nofollow"' in shown


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><a xlink:href='javascript:alert(1)'>x</a></svg>",
    "<math><mtext><table><mglyph><style><img src onerror=alert(1)>",
    "<form action=/x><input name=csrf><button formaction=/y>go</button></form>",
    "<base href=//example.com><meta http-equiv=refresh content='0;url=//example.com'>",
    "<a href='jav&#x09;ascript:alert(1)'>x</a>",
    "<a href=' javascript:alert(1)'>x</a>",
    "[x](<javascript:alert(1)>)",
    "[x](\x01javascript:alert(1))",
    "<div style='position:fixed' id=csrf onclick=alert(1)>x</div>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<a href='artifact://x\" onmouseover=\"alert(1)'>x</a>",
    '![x" onerror=alert(1)](artifact://x"onerror=alert(1))',
    "```term\n<img src=x onerror=alert(1)>\x1b]8;;javascript:alert(1)\x07x\n```",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe><object data=x><embed src=x>",
    "<p>" + "</div></main></body>" + "<script>1</script>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_hostile_acts(text: str) -> None:
    assert Actors(html(text)).found == []


@given(
    st.lists(st.sampled_from([*HOSTILE, "\n\n", "<", ">", '"', "'", "`", "[", "](", ")", "<div ", "*", "&"]))
)
@examples(200)
def test_nothing_acts_however_it_is_put_together(parts: list[str]) -> None:
    assert Actors(html("".join(parts))).found == []


def test_unclosed_elements_end_with_the_note() -> None:
    assert html("<div><b>x") == "<div><b>x</b></div>"
    assert html("</div></main>x") == "x"


@pytest.mark.parametrize("text", ["x" * (MAX_FORMATTED + 1), "<b>x</b>" * MAX_TAGS])
def test_what_is_too_long_is_shown_as_written(text: str) -> None:
    shown = html(text)
    assert shown.startswith("<pre>")
    assert "<b>" not in shown


def test_a_page_formats_only_so_much_anew_and_remembers_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "_ANEW", 10)
    many = [replace(annotation(), body=f"*{number:02}*") for number in range(5)]
    keeper = Notes()

    async def show() -> list[str]:
        return await keeper.show(many, ARTIFACTS)

    with asyncio.Runner() as runner:
        assert ["<pre>" in one for one in runner.run(show())] == [False, False, True, True, True]
        assert ["<pre>" in one for one in runner.run(show())] == [False, False, False, False, True]
        monkeypatch.setattr(notes, "_KEPT", 60)
        runner.run(show())
    assert keeper._size <= 60
    assert len(keeper._known) == 3
