"""Redaction: whatever the cuts, no secret and no part of a secret that was whole in the output."""

from hypothesis import given
from hypothesis import strategies as st

from watchword.agent.redaction import MASK, Redactor, secret_values

SECRET = "s3cret-value"


def fed(redactor: Redactor, *pieces: bytes) -> bytes:
    return b"".join(redactor.feed(piece) for piece in pieces) + redactor.flush()


def test_a_secret_cut_at_any_place() -> None:
    text = f"before {SECRET} after".encode()
    for cut in range(len(text)):
        assert fed(Redactor([SECRET]), text[:cut], text[cut:]) == b"before [REDACTED] after"
    assert fed(Redactor([SECRET]), *(text[i : i + 1] for i in range(len(text)))) == b"before [REDACTED] after"


def test_only_what_may_be_a_secret_is_held_back() -> None:
    redactor = Redactor([SECRET])
    assert redactor.feed(b"waiting for input: s3c") == b"waiting for input: "
    assert redactor.feed(b"ond") == b"s3cond"
    assert redactor.flush() == b""


def test_the_beginning_of_a_secret_at_the_end_of_the_output_is_shown() -> None:
    assert fed(Redactor([SECRET]), b"s3cret-valu") == b"s3cret-valu"


def test_a_secret_that_begins_another() -> None:
    redactor = Redactor(["secret1", "secret1-and-more"])
    assert redactor.feed(b"x secret1") == b"x "
    assert redactor.feed(b"-and-more y secret1 z") == b"[REDACTED] y [REDACTED] z"


def test_secrets_that_overlap_in_the_text_are_masked_together() -> None:
    assert fed(Redactor(["abcdef", "defghi"]), b"-abcd", b"efghi-") == b"-[REDACTED]-"


def test_held_bytes_stay_shorter_than_the_longest_secret() -> None:
    redactor = Redactor(["aaaaaa"])
    out = b""
    for _ in range(1000):
        out += redactor.feed(b"aaaa")
        assert len(redactor._held) < len("aaaaaa")
    assert out + redactor.flush() == MASK


def test_short_values_are_no_secrets() -> None:
    assert fed(Redactor(["12345"]), b"12345") == b"12345"


def test_names_decide_what_is_secret() -> None:
    environment = {
        "DB_PASSWORD": "pass-word",
        "GITHUB_TOKEN": "  token-value\n",
        "SERVICE_PRIVATE_KEY": "key-value",
        "BLANK_SECRET": "a       ",
        "TOKENS": "public-1",
        "PASSWORD": "public-2",
        "X_TOKEN_FILE": "public-3",
    }
    assert secret_values(environment) == {"pass-word", "token-value", "key-value", "a       "}


def test_a_whole_text() -> None:
    redactor = Redactor([SECRET, "schlüssel"])
    assert redactor.text(f"a {SECRET} schlüssel b") == "a [REDACTED] [REDACTED] b"


ALPHABET = st.text("ab", min_size=6, max_size=9)


@given(st.lists(ALPHABET, min_size=1, max_size=4), st.lists(st.text("abc", max_size=12), max_size=8))
def test_cuts_make_no_difference(secrets: list[str], pieces: list[str]) -> None:
    whole = Redactor(secrets).text("".join(pieces))
    assert fed(Redactor(secrets), *(piece.encode() for piece in pieces)).decode() == whole
    assert not any(secret in whole for secret in secrets)
