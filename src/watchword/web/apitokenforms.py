"""The form of an API access token: what was typed, and the choices that it offers."""

from collections.abc import Sequence
from dataclasses import dataclass

from watchword.domain.errors import Invalid
from watchword.domain.formats import read_time
from watchword.domain.minting import Wish
from watchword.domain.restrictions import load, parse_networks
from watchword.domain.scopes import ALL_SCOPES, PRESETS
from watchword.domain.scopewords import plainly
from watchword.domain.tokens import DAY_US, Token
from watchword.services.apitokens import read_scopes
from watchword.services.narrowing import networks_text
from watchword.services.owntokens import Own, Place
from watchword.web.forms import Form
from watchword.web.rendering import absolute

USUAL_DAYS = 7
_LIVES = ((1, "1 day"), (7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "1 year"))
_NEVER, _DATE = "never", "date"
NO_SCOPES = "none"


@dataclass(frozen=True, slots=True)
class Draft:
    """What a form holds.

    Attributes:
        organizations: slugs, the first being where the token will belong.
        life: days, `never` or `date`.
        expires_at: where the life is `date`: the moment, as it was typed.
        networks: as they were typed.
    """

    description: str = ""
    organizations: tuple[str, ...] = ()
    scopes: frozenset[str] = frozenset()
    life: str = str(USUAL_DAYS)
    expires_at: str = ""
    networks: str = ""

    @classmethod
    def of(cls, form: Form) -> "Draft":
        """What was typed; a button of a preset stands for the scopes of it."""
        preset = form.text("preset")
        scopes = frozenset(form.texts("scopes"))
        if preset:
            scopes = PRESETS.get(preset, frozenset()) | (scopes - PRESETS["full"])
        if preset == NO_SCOPES:
            scopes = frozenset()
        return cls(
            description=form.text("description"),
            organizations=tuple(dict.fromkeys(form.texts("organizations"))),
            scopes=scopes,
            life=form.text("life", str(USUAL_DAYS)),
            expires_at=form.text("expires_at"),
            networks=form.text("allowed_ip_addresses"),
        )

    @classmethod
    def empty(cls, places: Sequence[Place]) -> "Draft":
        """A new form: the only organization is chosen, and no scope is."""
        open_places = [place for place in places if not place.refused]
        chosen = (open_places[0].organization.slug,) if len(open_places) == 1 else ()
        return cls(organizations=chosen, life=usual_life(places))

    @classmethod
    def like(cls, own: Own, places: Sequence[Place]) -> "Draft":
        """A form for another token like one."""
        token = own.token
        open_slugs = {place.organization.slug for place in places if not place.refused}
        days = -(-(token.expires_at - token.created_at) // DAY_US) if token.expires_at else 0
        life = next((str(known) for known, _ in _LIVES if known == days), usual_life(places))
        return cls(
            description=token.description,
            organizations=tuple(one.slug for one in own.reached if one.slug in open_slugs),
            scopes=frozenset(token.scopes.split()) & ALL_SCOPES,
            life=life,
            networks=" ".join(block.text for block in load(token.restrictions).networks),
        )

    def wish(self, now: int) -> Wish:
        """What is asked for.

        Raises:
            Invalid: a part is not acceptable.
        """
        if not self.scopes:
            raise Invalid("Choose at least one scope, or a preset of them.", code="scopes_missing")
        return Wish(
            read_scopes(sorted(self.scopes), None),
            parse_networks(networks_text(self.networks)),
            self._expiry(now),
        )

    def summary(self, places: Sequence[Place]) -> str:
        """What the form would make, in a sentence."""
        names = {place.organization.slug: place.organization.name for place in places}
        chosen = [names[slug] for slug in self.organizations if slug in names]
        lasting = {_NEVER: "for ever, until it is revoked", _DATE: "until the day that you choose"}
        until = lasting.get(self.life, f"for {self.life} days")
        return plainly(self.scopes, chosen, anywhere=not self.networks, until=until)

    def _expiry(self, now: int) -> int:
        if self.life == _NEVER:
            return 0
        if self.life == _DATE:
            if not self.expires_at:
                raise Invalid("Say when the token is to expire.", code="invalid_time")
            return read_time("Expires at", self.expires_at)
        if not self.life.isdecimal() or len(self.life) > len(str(365 * 100)):
            raise Invalid("Choose how long the token is to live.", code="invalid_expiry")
        return now + int(self.life) * DAY_US


def sentence(token: Token, places: Sequence[str]) -> str:
    """A token in a sentence."""
    until = f"until {absolute(token.expires_at)}" if token.expires_at else "for ever, until it is revoked"
    anywhere = not load(token.restrictions).networks
    return plainly(token.scopes.split(), places, anywhere=anywhere, until=until)


def in_a_sentence(own: Own) -> str:
    """A token of one's own in a sentence."""
    return sentence(own.token, [one.name for one in own.reached])


def _longest(places: Sequence[Place]) -> int:
    """Days that a token can live in some organization; 0 where one sets no limit."""
    days = [place.maximum_days for place in places if not place.refused]
    return max(days) if days and all(days) else 0


def usual_life(places: Sequence[Place]) -> str:
    """The life that is chosen already."""
    longest = _longest(places)
    return str(min(longest, USUAL_DAYS) if longest else USUAL_DAYS)


def lives(places: Sequence[Place]) -> list[tuple[str, str]]:
    """Lives to choose from: no longer than some organization allows."""
    longest = _longest(places)
    fitting = [(str(days), title) for days, title in _LIVES if not longest or days <= longest]
    if longest and str(longest) not in [days for days, _ in fitting]:
        fitting.append((str(longest), f"{longest} days, the longest allowed"))
    never = [] if longest else [(_NEVER, "Never expires")]
    return [*fitting, (_DATE, "Until a day that I choose"), *never]
