"""Forms: what was posted, and what is wrong with it, field by field."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from litestar.datastructures import FormMultiDict

from watchword.domain.errors import Invalid, WatchwordError
from watchword.domain.texts import refuse_nul

# Which field an error speaks of; those that are left out speak of the whole form.
FIELDS = {
    "description_required": "description",
    "invalid_description": "description",
    "invalid_name": "name",
    "invalid_slug": "name",
    "invalid_email": "email",
    "already_invited": "email",
    "already_member": "email",
    "invalid_networks": "allowed_ip_addresses",
    "invalid_network": "allowed_ip_addresses",
    "too_many_networks": "allowed_ip_addresses",
    "invalid_days": "maximum_api_token_days",
    "invalid_expiry": "expires_at",
    "invalid_time": "expires_at",
    "expiry_too_far": "expires_at",
    "invalid_queue_key": "key",
    "invalid_color": "color",
    "invalid_emoji": "emoji",
    "invalid_affinity": "affinity",
    "invalid_secret_key": "key",
    "invalid_secret_value": "value",
    "invalid_policy": "policy",
    "unknown_maintainer": "who",
    "already_added": "who",
    "password_too_short": "password",
    "password_too_long": "password",
    "password_telling": "password",
    "taken": "name",
    "description_missing": "description",
    "description_too_long": "description",
    "expiry_too_soon": "expires_at",
    "expiry_too_late": "life",
    "scopes_missing": "scopes",
    "unknown_scope": "scopes",
    "organization_missing": "organizations",
    "creation_restricted": "organizations",
    "never_valid": "not_before",
    "unknown_queue": "queue",
    "invalid_tag": "tags",
    "too_many_tags": "tags",
    "queue_in_tags": "tags",
    "invalid_uses": "max_uses",
    "invalid_pipeline": "configuration",
    "invalid_yaml": "configuration",
    "invalid_env": "env",
    "protected_variable": "env",
    "not_confirmed": "confirm",
    "reason_too_long": "reason",
    "reason_missing": "reason",
    "invalid_deadline": "deadline",
    "invalid_mode": "mode",
}
_MAX_DIGITS = 15
_PREFIX = "Validation failed: "


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a form: a sentence, a stable code, and the field's name; "" for the whole."""

    message: str
    code: str
    field: str = ""

    @classmethod
    def of(cls, error: WatchwordError, field_name: str | None = None) -> "Problem":
        """The problem that an error of a service means; it may be told which field that is."""
        named = FIELDS.get(error.code, "") if field_name is None else field_name
        return cls(error.message.removeprefix(_PREFIX), error.code, named)


@dataclass(slots=True)
class Form:
    """The fields of a posted form, or of a query that fills one in.

    Attributes:
        given: name and value in the order in which they came.
    """

    given: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def of(cls, data: FormMultiDict) -> "Form":
        """The text fields of a posted form.

        Raises:
            Invalid: one holds a NUL character.
        """
        pairs = [(name, value) for name, value in data.multi_items() if isinstance(value, str)]
        for name, value in pairs:
            refuse_nul(name + value)
        return cls(pairs)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Name and value, one after the other."""
        return iter(self.given)

    def text(self, name: str, default: str = "") -> str:
        """A field without blanks around it; browsers end lines with CR LF, which becomes LF."""
        return self.raw(name, default).replace("\r\n", "\n").strip()

    def raw(self, name: str, default: str = "") -> str:
        """A field exactly as it came, as passwords need it."""
        return next((value for key, value in reversed(self.given) if key == name), default)

    def short(self, name: str, limit: int) -> str:
        """A field of at most so many characters.

        Raises:
            Invalid: it is longer.
        """
        text = self.text(name)
        if len(text) > limit:
            raise Invalid(f"{name.capitalize()} takes at most {limit} characters.", code="too_long")
        return text

    def texts(self, name: str) -> list[str]:
        """All values of a field, blank ones left out."""
        return [value.strip() for key, value in self.given if key == name and value.strip()]

    def lines(self, name: str) -> list[str]:
        """The values of a field that takes several, one in a line or with blanks or commas between them."""
        return self.text(name).replace(",", " ").split()

    def ticked(self, name: str) -> bool:
        """Whether a box is ticked."""
        return self.raw(name) not in ("", "0", "false", "off")

    def number(self, name: str, default: int = 0) -> int:
        """A whole number; the default where there is none."""
        text = self.text(name)
        return int(text) if text.isdecimal() and text.isascii() and len(text) <= _MAX_DIGITS else default

    def without(self, names: Sequence[str]) -> list[tuple[str, str]]:
        """All fields but some, to be sent again."""
        return [(name, value) for name, value in self.given if name not in names]
