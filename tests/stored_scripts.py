"""Texts that would act where a page showed them unescaped, for every name and description; what is inert."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urlsplit

CANARY = "canary"
RUN = f"window.{CANARY}=1"
# Each would set the canary, load from elsewhere, break out of where it stands, or be computed.
PAYLOADS: tuple[str, ...] = (
    f"<script>{RUN}</script>",
    f'"><script>{RUN}</script>',
    f"'><img src=x onerror={RUN}>",
    f"<svg/onload={RUN}>",
    f"<svg><script>{RUN}</script></svg>",
    f"</textarea><img src=x onerror={RUN}>",
    f"</title><script>{RUN}</script>",
    f"</option></select><svg/onload={RUN}>",
    f"</script><script>{RUN}</script>",
    f'" autofocus onfocus="{RUN}',
    f"' onmouseover='{RUN}",
    f"`-{RUN}-`",
    f'<iframe srcdoc="<script>top.{CANARY}=1</script>">',
    f"<object data='data:text/html,<script>top.{CANARY}=1</script>'>",
    f'<a href="javascript:{RUN}">x</a>',
    f"javascript:{RUN}//",
    f"javascript://%0a{RUN}",
    f" \tjava\nscript:{RUN}",
    "data:text/html;base64,PHNjcmlwdD50b3AuY2FuYXJ5PTE8L3NjcmlwdD4=",
    "<style>@import'//evil.example/a.css'</style>",
    "<link rel=stylesheet href=//evil.example/a.css>",
    '<meta http-equiv=refresh content="0;//evil.example/">',
    "<base href=//evil.example/>",
    '<form action="//evil.example/"><button>x',
    "<img src=//evil.example/a.png>",
    "![x](//evil.example/a.png)",
    f"[x](javascript:{RUN})",
    f"[x]: javascript:{RUN}\n\n[x]",
    f"<video><source onerror={RUN}>",
    f"<details open ontoggle={RUN}>",
    f"<math><mi xlink:href='javascript:{RUN}'>x</mi></math>",
    f"<noscript><p title='</noscript><img src=x onerror={RUN}>'>",
    f"<ww-live id=status data-kinds=*><img src=x onerror={RUN}></ww-live>",
    "<input name=csrf value=0><img name=body id=main>",
    "{{ 1337133713*7 }}",
    "${1337133713*7}",
    "{% raw %}{{ config }}",
    "{{ ''.__class__.__mro__ }}",
    "<!--",
    "--!>]]><![CDATA[",
    f"\u2028{RUN}\u2029",
    f"\u202e\u2066{RUN}",
    f"\ufeff\uff1cscript\uff1e{RUN}",
    f"<\u017fcript>{RUN}</\u017fcript>",
    f"%3Cscript%3E{RUN}%3C/script%3E",
    f"&lt;script&gt;{RUN}&lt;/script&gt;",
    f"&#60;img src=x onerror={RUN}&#62;",
    f"\\u003cscript\\u003e{RUN}\\x3c/script\\x3e",
    f"\x1b]8;;javascript:{RUN}\x07x\x1b]8;;\x07",
    f"\x1b]1338;url=//evil.example/a.png;alt=x\x07\x1b[31;1m<b onclick={RUN}>",
    "=HYPERLINK(//evil.example)",
    "@SUM(1)|cmd",
    "//evil.example/",
    "\\\\evil.example\\x",
    "../../../etc/passwd%00",
)
# Names of fields say where a text came out: `zq` and a number stand at the beginning of some texts.
MARK = re.compile(r"zq(\d+)z")


class Texts:
    """What is said in each field: the payloads in turn, beginning with another one in each field.

    Attributes:
        marked: whether a mark of the field's stands first; else the payload does.
        fields: the fields that were asked for, by number.
    """

    def __init__(self, place: int, step: int, *, marked: bool) -> None:
        self._place, self._step = place, step
        self.marked = marked
        self.fields: list[str] = []

    def __call__(self, field: str) -> str:
        """The text of a field: as long as any field takes; it is cut where one takes less."""
        number = len(self.fields)
        self.fields.append(field)
        start = (self._place * 19 + number) % len(PAYLOADS)
        turned = PAYLOADS[start:] + PAYLOADS[:start]
        return (f"zq{number}z" if self.marked else "") + "".join(turned[: self._step])


class Findings(HTMLParser):
    """Reads a page and keeps what in it could act."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.wrong: list[str] = []
        self.ids: list[str] = []
        self.shown: list[str] = []
        self.feed(page)
        self.close()
        self.wrong += [f"id {one} twice" for one in {one for one in self.ids if self.ids.count(one) > 1}]

    def handle_data(self, data: str) -> None:
        self.shown.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.shown += given.values()
        if tag in _FOREIGN or (tag in ("script", "link", "img") and not _ours(given)):
            self.wrong.append(f"<{tag} {given}>")
        if tag == "meta" and "http-equiv" in given:
            self.wrong.append(f"<meta {given}>")
        for name, value in given.items():
            if name.startswith("on") or name in ("style", "srcdoc"):
                self.wrong.append(f"{name}={value!r} of <{tag}>")
            if name in _ADDRESSES and not _harmless(tag, name, value):
                self.wrong.append(f"{name}={value!r} of <{tag}>")
        if "id" in given:
            self.ids.append(given["id"])


_FOREIGN = frozenset(
    (
        "iframe",
        "object",
        "embed",
        "base",
        "style",
        "math",
        "video",
        "audio",
        "source",
        "frame",
        "applet",
        "noscript",
    )
)
_ADDRESSES = frozenset(("href", "src", "action", "formaction", "poster", "data", "xlink:href", "background"))


def _ours(given: dict[str, str]) -> bool:
    address = given.get("src", given.get("href", ""))
    return address.startswith("/static/")


def _harmless(tag: str, name: str, value: str) -> bool:
    """Whether an address leads to our own pages, or is a link that a person follows to another site."""
    plain = re.sub(r"[\x00-\x20]", "", value)
    if not plain or plain[0] in "#?" or re.match(r"/(?![/\\])", plain):
        return True
    return tag == "a" and name == "href" and urlsplit(plain).scheme in ("http", "https", "mailto")


def problems_of(page: str) -> Iterator[str]:
    """What in a page is not inert."""
    yield from Findings(page).wrong
    for raw in ("<script>window", "<svg/onload", "<img src=x", "<iframe", "<b onclick", "9359935991"):
        if raw in page:
            yield f"{raw} stands in it as it is"


def fields_in(page: str) -> set[int]:
    """Numbers of the fields that a page shows."""
    return {int(number) for number in MARK.findall(page)}
