"""What a case is: a function with a sentence, the tools it needs, and how long it takes."""

ALL = []


class Failure(Exception):
    """A case did not hold; the text says what was expected and what was seen."""


class Skip(Exception):
    """This machine lacks what the case needs."""


class Case:
    def __init__(self, name, about, body, arguments, tools, is_quick, is_late):
        self.name, self.about, self.body, self.arguments, self.tools, self.is_quick = name, about, body, arguments, tools, is_quick
        self.is_late = is_late


def case(*variants, tools=(), quick=True, late=False):
    """Registers a function as a case, or as one for each variant (a tuple of arguments). `quick` is whether CI runs it: True, False, or the list of
    variants that CI runs. `late` cases come after the others: whole networks, which take long while other tests have the processors."""

    def register(body):
        base = body.__name__.replace("_", "-")
        for variant in variants or [()]:
            name = "-".join([base] + [str(part) for part in variant])
            is_quick = quick if isinstance(quick, bool) else variant in quick
            ALL.append(Case(name, body.__doc__.strip().split("\n")[0], body, variant, tools, is_quick, late))
        return body

    return register


def expect(condition, text):
    """Fails the case unless the condition holds. `text` may be a function, called only then."""
    if not condition:
        raise Failure(text() if callable(text) else text)
