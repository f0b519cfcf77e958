"""The grammar of conditions, read by descent into terms that know their kind and give their value."""

from collections.abc import Mapping

from watchword.domain.conditionkinds import ENVIRONMENT, FUNCTIONS, VARIABLES, Kind, Scope, Term, named, same
from watchword.domain.conditionwords import Token, Word, refuse, words_of
from watchword.domain.errors import Invalid
from watchword.domain.patterns import Pattern, compile_pattern
from watchword.domain.stepfields import suggest

MAX_NESTING = 50


class Parser:
    """Reads a condition by descent: `?:` binds least, then `||`, `&&`, comparisons, `!`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.words = words_of(text)
        self.token = next(self.words)

    def refuse(self, problem: str, at: int | None = None) -> Invalid:
        """Make the error for a place; the next token's where none is given."""
        return refuse(problem, self.text, self.token.at if at is None else at)

    def step(self) -> Token:
        """Take the next token."""
        token = self.token
        if token.word is not Word.END:
            self.token = next(self.words)
        return token

    def take(self, sign: str) -> bool:
        """Whether a sign, or the word `includes`, comes next; it is then behind."""
        found = self.token.word in (Word.SIGN, Word.NAME) and self.token.value == sign
        if found:
            self.step()
        return found

    def expect(self, sign: str) -> None:
        """Demand a sign."""
        if not self.take(sign):
            raise self.refuse(f"expected `{sign}`, found {self.token}.")

    def expect_end(self) -> None:
        """Demand the end."""
        if self.token.word is not Word.END:
            raise self.refuse(f"{self.token} does not follow; join comparisons with && or ||.")

    def demand(self, term: Term, kind: Kind, what: str) -> Term:
        """Demand a kind of value."""
        if not term.kind & (kind | Kind.NULL):
            raise self.refuse(f"{what} {named(kind)}, not {named(term.kind)}.", term.at)
        return term

    def choice(self, depth: int) -> Term:
        """Read `condition ? one : other`."""
        if depth > MAX_NESTING:
            raise self.refuse(f"it is nested more than {MAX_NESTING} deep.")
        asked = self.either(depth)
        if not self.take("?"):
            return asked
        self.demand(asked, Kind.BOOLEAN, "what stands before ? is")
        one = self.choice(depth + 1)
        self.expect(":")
        other = self.choice(depth + 1)
        self.comparable(one, other)
        return Term(
            one.kind | other.kind,
            asked.at,
            lambda scope: one.value(scope) if asked.value(scope) is True else other.value(scope),
        )

    def either(self, depth: int) -> Term:
        """Read `||`."""
        terms = [self.both(depth)]
        while self.take("||"):
            terms.append(self.both(depth))
        return self.joined(terms, "||", until=True)

    def both(self, depth: int) -> Term:
        """Read `&&`."""
        terms = [self.comparison(depth)]
        while self.take("&&"):
            terms.append(self.comparison(depth))
        return self.joined(terms, "&&", until=False)

    def joined(self, terms: list[Term], sign: str, *, until: bool) -> Term:
        """Join terms that are asked one after the other, until one is as wanted."""
        if len(terms) == 1:
            return terms[0]
        for term in terms:
            self.demand(term, Kind.BOOLEAN, f"what {sign} joins is")

        def value(scope: Scope) -> bool:
            return any((term.value(scope) is True) is until for term in terms) is until

        return Term(Kind.BOOLEAN, terms[0].at, value)

    def comparison(self, depth: int) -> Term:
        """Read comparisons."""
        left = self.negation(depth)
        for _ in range(MAX_NESTING):
            if self.take("=="):
                left = self.equal(left, self.negation(depth), wanted=True)
            elif self.take("!="):
                left = self.equal(left, self.negation(depth), wanted=False)
            elif self.take("=~"):
                left = self.matching(left, self.negation(depth), wanted=True)
            elif self.take("!~"):
                left = self.matching(left, self.negation(depth), wanted=False)
            elif self.take("includes"):
                left = self.including(left, self.negation(depth))
            else:
                return left
        raise self.refuse(f"more than {MAX_NESTING} comparisons follow each other.")

    def comparable(self, left: Term, right: Term) -> None:
        """Refuse two values that can never be equal."""
        for term in (left, right):
            if Kind.PATTERN in term.kind:
                raise self.refuse("a regular expression is compared with =~ and !~.", term.at)
        if not left.kind & right.kind and Kind.NULL not in left.kind | right.kind:
            raise self.refuse(f"{named(left.kind)} is never {named(right.kind)}.", left.at)

    def equal(self, left: Term, right: Term, *, wanted: bool) -> Term:
        """Compare two values."""
        self.comparable(left, right)

        def value(scope: Scope) -> bool:
            return same(left.value(scope), right.value(scope)) is wanted

        return Term(Kind.BOOLEAN, left.at, value)

    def pattern_of(self, term: Term) -> Pattern:
        """Demand a regular expression."""
        if term.pattern is None:
            raise self.refuse("on the right of =~ and !~ stands a regular expression, as in /^v1/.", term.at)
        return term.pattern

    def matching(self, left: Term, right: Term, *, wanted: bool) -> Term:
        """Match a text; null matches nothing."""
        pattern = self.pattern_of(right)
        self.demand(left, Kind.TEXT, "a regular expression matches")

        def value(scope: Scope) -> bool:
            text = left.value(scope)
            return (isinstance(text, str) and pattern.found_in(text, scope.budget)) is wanted

        return Term(Kind.BOOLEAN, left.at, value)

    def including(self, left: Term, right: Term) -> Term:
        """Look for a text, or a match, in a list; nothing is in null."""
        self.demand(left, Kind.LIST, "on the left of includes stands")
        if right.pattern is None:
            self.demand(right, Kind.TEXT, "on the right of includes stands")

        def value(scope: Scope) -> bool:
            found = left.value(scope)
            if not isinstance(found, list | tuple):
                return False
            if right.pattern is not None:
                texts = (part for part in found if isinstance(part, str))
                return any(right.pattern.found_in(text, scope.budget) for text in texts)
            sought = right.value(scope)
            return sought is not None and any(same(part, sought) for part in found)

        return Term(Kind.BOOLEAN, left.at, value)

    def negation(self, depth: int) -> Term:
        """Read `!`, any number of times."""
        at, turns = self.token.at, 0
        while self.take("!"):
            turns += 1
        term = self.primary(depth)
        if not turns:
            return term
        self.demand(term, Kind.BOOLEAN, "! turns")
        return Term(Kind.BOOLEAN, at, lambda scope: (term.value(scope) is True) is (turns % 2 == 0))

    def primary(self, depth: int) -> Term:
        """Read a value: a literal, a variable, a call, a list, or what stands in parentheses."""
        token = self.step()
        if token.word is Word.TEXT:
            return Term(Kind.TEXT, token.at, lambda _: token.value)
        if token.word is Word.NUMBER:
            number = int(token.value)
            return Term(Kind.NUMBER, token.at, lambda _: number)
        if token.word is Word.PATTERN:
            return self.pattern(token)
        if token.word is Word.NAME:
            return self.named(token)
        if token.value == "(":
            term = self.choice(depth + 1)
            self.expect(")")
            return term
        if token.value == "[":
            return self.listed(token, depth)
        raise self.refuse(f"a value is missing before {token}.", token.at)

    def pattern(self, token: Token) -> Term:
        """Read a regular expression."""
        if token.flags not in ("", "i"):
            raise self.refuse(f"the flag after a regular expression is i, not {token.flags}.", token.at)
        try:
            pattern = compile_pattern(token.value, ignore_case=bool(token.flags))
        except Invalid as error:
            raise self.refuse(error.message, token.at) from None
        return Term(Kind.PATTERN, token.at, lambda _: None, pattern)

    def listed(self, token: Token, depth: int) -> Term:
        """Read a list of texts."""
        terms: list[Term] = []
        while not self.take("]"):
            if terms:
                self.expect(",")
            terms.append(self.demand(self.choice(depth + 1), Kind.TEXT, "a list holds"))
        return Term(Kind.LIST, token.at, lambda scope: [term.value(scope) for term in terms])

    def named(self, token: Token) -> Term:
        """Read a word of the language, a variable, or a call."""
        name = token.value
        if name in ("true", "false"):
            return Term(Kind.BOOLEAN, token.at, lambda _: name == "true")
        if name == "null":
            return Term(Kind.NULL, token.at, lambda _: None)
        if self.take("("):
            return self.call(token)
        if name not in VARIABLES:
            called = ' It is called with a name: build.env("NAME").' if name in FUNCTIONS else ""
            hint = suggest(name, VARIABLES)
            raise self.refuse(f"{name} is not a variable{hint}.{called}", token.at)
        return Term(VARIABLES[name], token.at, lambda scope: scope.variables.get(name))

    def call(self, token: Token) -> Term:
        """Read `build.env("NAME")`."""
        if token.value not in FUNCTIONS:
            raise self.refuse(f"{token.value} is not a function; there is {ENVIRONMENT}.", token.at)
        name = self.step()
        if name.word is not Word.TEXT:
            raise self.refuse("the name of a variable is a text in quotes.", name.at)
        self.expect(")")
        absent = FUNCTIONS[token.value]

        def value(scope: Scope) -> object:
            known = scope.variables.get(ENVIRONMENT)
            return known.get(name.value, absent) if isinstance(known, Mapping) else absent

        return Term(Kind.TEXT, token.at, value)
