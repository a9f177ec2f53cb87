#!/usr/bin/env python3
"""Write docs/activation.md from the routes' tables; with --check, only tell whether it is current."""

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from cardd.activation.moves import AFTER_NO_RETURN, Move, RouteTable  # noqa: E402
from cardd.activation.pins import FEWEST_TRIES, PIN_RULES, PinMoment, PinRule  # noqa: E402
from cardd.activation.policy import Deadlines, Policy  # noqa: E402
from cardd.activation.routes import TABLES  # noqa: E402
from cardd.base.reasons import REASONS, Reason  # noqa: E402
from cardd.base.texts import TEXTS, render  # noqa: E402
from cardd.wire.activation import ENDS, Route, State  # noqa: E402

PAGE = ROOT / "docs" / "activation.md"
Cells = Iterable[object]

INTRODUCTION = """# Activation

How the social function of a card is enabled, state by state. The page is written by `tools/activation_doc.py` from
`cardd/activation`; do not edit it. Why routes are tables is told in [decision 2](decisions/0002-routes-as-tables.md),
how a client begins an activation in [the API](api.md).

Whatever happens is reduced to one *fact* of a closed set; a table says for each state and each fact where it leads.
There is no wildcard: a fact that changes nothing in a state is named there as such. A move is committed to the journal
with its events before anything follows from it.

**Point of no return**: the commit that begins `authorising`. Before it, every state can be cancelled and has a
deadline, and a restart of the daemon goes on where it stood: cards are awaited in any reader of the station, what was
typed is asked for again, the deadline goes on. After it there is only forward: the centre is asked for the outcome by
the same key, the same card is waited for, and the activation completes, if need be as `activated_update_pending`.
"""

POLICIES = """## What a configuration decides

| key of `activation` | default | otherwise |
|---|---|---|
| `routes` | all three | those that are offered here; another one is `INVALID` |
| `pin_policy` | `none` | see below; one for all routes, or `{pharmacy, hospital, bank}` |
| `expired_cards` | `refuse` | `ask`: the centre decides |
| `other_regions` | `ask`: the centre decides | `refuse`: a card that `region` did not issue is refused here |
| `without_old_card` | `refuse` | `accept`: for people who never had an old card: the new one may come first |
| `old_numbers` | `accept` | `refuse`: an old card cannot be given by its number |
| `deadlines` | see below | `person_s`, `card_s`, `authority_s`, or any state by its name |
| `auto` of a station | `false` | `true`: an old card put in begins a pharmacy activation by itself |

What the counter refuses by itself is refused before the centre is asked: a card of another region, an identity document
that is not the holder's, an expired card. Where the centre does not answer before the point of no return, the
activation ends as refused with `AUTHORITY_UNAVAILABLE`; who the card says it belongs to is in the answer all the same.
"""

PINS = f"""## The PIN

A policy says what each moment comes to. A new PIN is set by the holder's right (CHANGE PIN, presented once) or by the
issuer's (PIN CHANGE/UNBLOCK, which done again comes to the same).

A change whose answer was lost is *torn*: nobody knows which PIN the card has. Nothing is ever tried by itself then. The
tries that are left are asked for, which costs none; with {FEWEST_TRIES} or more the holder types the new PIN again, and
that is presented once. If the card takes it, the change was made. If not, the holder types both and it is made.
With fewer tries the PIN is left alone.

A PIN that is locked ends an activation only where it would have to be presented. The issuer's right sets a new one all
the same and gives all tries back: under `take_over` the tries are not even asked for.
"""


def table(head: Cells, rows: Iterable[Cells]) -> Iterator[str]:
    """Give the lines of a table and an empty one."""
    yield "| " + " | ".join(map(str, head)) + " |"
    yield "|" + "---|" * len(list(head))
    for row in rows:
        yield "| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |"
    yield ""


def groups() -> list[tuple[list[Route], RouteTable]]:
    """Return the tables, each with the routes that it serves."""
    found: list[tuple[list[Route], RouteTable]] = []
    for route, rules in TABLES.items():
        same = next((routes for routes, other in found if other == rules), None)
        if same is None:
            found.append(([route], rules))
        else:
            same.append(route)
    return found


def diagram(rules: RouteTable) -> Iterator[str]:
    """Give a route's diagram: moves between states by their facts; what every state has in common is left out."""
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield f"    [*] --> {rules.begin.state}"
    for state, row in rules.moves.items():
        leading: dict[State, list[str]] = defaultdict(list)
        for fact, move in row.items():
            if move.to is not state and move.to not in {State.CANCELLED, State.EXPIRED}:
                leading[move.to].append(str(fact))
        for to, by in leading.items():
            yield f"    {state} --> {to}: {', '.join(by)}"
    yield f"    {State.COMPLETED} --> [*]"
    yield f"    {State.REFUSED} --> [*]"
    yield "```\n"
    yield "Left out: moves that stay in their state, and those to `cancelled` and `expired`, which every state before"
    yield "`authorising` has.\n"


def route(routes: list[Route], rules: RouteTable) -> Iterator[str]:
    """Give a route's section."""
    yield f"## {' and '.join(map(str, routes)).capitalize()}\n"
    yield f"Begins in `{rules.begin.state}`, saying `{rules.begin.say}`.\n"
    yield from diagram(rules)
    for state in rules.moves:
        if state not in AFTER_NO_RETURN:
            yield from rows(state, rules)


def after() -> Iterator[str]:
    """Give the states beyond the point of no return."""
    yield "## Beyond the point of no return\n"
    yield "The same for every route.\n"
    rules = TABLES[Route.PHARMACY]
    for state in rules.moves:
        if state in AFTER_NO_RETURN:
            yield from rows(state, rules)


def rows(state: State, rules: RouteTable) -> Iterator[str]:
    """Give one state's moves, and how many facts change nothing in it."""
    yield f"### {state}\n"
    head = ("fact", "leads to", "says", "asks for", "does", "outcome")
    yield from table(head, (_move(str(fact), move) for fact, move in rules.moves[state].items()))
    moving, idle = len(rules.moves[state]), len(rules.ignored[state])
    yield f"{moving} facts move it; the table names the other {idle}, which change nothing.\n"


def _move(fact: str, move: Move) -> Cells:
    says = f"`{move.say}`" if move.say is not None else "the outcome" if move.to is State.COMPLETED else "the reason"
    return (
        f"`{fact}`",
        f"`{move.to}`",
        says,
        "" if move.ask is None else f"`{move.ask}`",
        ", ".join(f"`{effect}`" for effect in move.do),
        "" if move.outcome is None else f"`{move.outcome}`",
    )


def pins() -> Iterator[str]:
    """Give the PIN rule."""
    yield PINS
    head = ("policy", "new PIN set", *(f"`{moment}`" for moment in PinMoment))
    yield from table(head, ((f"`{policy}`", _set(rule), *_facts(rule)) for policy, rule in PIN_RULES.items()))


def _set(rule: PinRule) -> str:
    if rule.setter is None:
        return "no"
    return f"by the {rule.setter}, {'before' if rule.before else 'after'} the centre's word"


def _facts(rule: PinRule) -> Iterator[str]:
    return (f"`{rule.facts[moment]}`" for moment in PinMoment)


def deadlines() -> Iterator[str]:
    """Give how long each state lasts by default."""
    yield "## Deadlines\n"
    default = Deadlines()
    yield (
        f"By default a person has {default.person_s:g} s, work on a card {default.card_s:g} s, an answer of the centre"
        f" {default.authority_s:g} s.\n"
    )
    lasting = ((state, Policy().deadline_s(state)) for state in State if state not in ENDS)
    told = ((f"`{state}`", "no end of its own" if seconds is None else f"{seconds:g}") for state, seconds in lasting)
    yield from table(("state", "seconds"), told)


def texts() -> Iterator[str]:
    """Give every sentence that an activation can say."""
    yield "## Sentences\n"
    yield "Events hold codes and arguments; the sentences are rendered at delivery, in both languages.\n"
    said = {move.say for rules in TABLES.values() for row in rules.moves.values() for move in row.values()}
    codes = [*(code for code in TEXTS if code in said or code in ENDING), *sorted(map(str, REFUSALS))]
    yield from table(
        ("code", "English", "中文"), ((f"`{code}`", *render(code, {"tries_left": "…"}).values()) for code in codes)
    )


ENDING = frozenset({"insert_old_card", "completed", "activated_update_pending"}) | {
    code for code in TEXTS if code.endswith("_pin")
}
"""Codes that no table names: those of outcomes, and of ends after which the card's PIN may be another one."""

REFUSALS = frozenset(
    reason
    for reason in REASONS
    if reason.startswith(("OLD_", "CARD_", "PIN_", "PSAM_"))
    or reason
    in {
        Reason.AUTHORITY_UNAVAILABLE,
        Reason.NAME_DIFFERS,
        Reason.NUMBER_DIFFERS,
        Reason.OTHER_PERSON,
        Reason.DOCUMENT_DIFFERS,
        Reason.OTHER_REGION,
        Reason.KEY_STOPPED,
    }
)
"""Reasons that a counter meets in an activation."""


def page() -> str:
    """Return the whole page."""
    sections = [*(route(routes, rules) for routes, rules in groups()), after(), pins()]
    lines = [INTRODUCTION, *(line for section in sections for line in section), POLICIES]
    lines.extend(line for section in (deadlines(), texts()) for line in section)
    return "\n".join(lines).rstrip() + "\n"


def main(arguments: list[str]) -> int:
    """Write the page, or check it."""
    if arguments == ["--check"]:
        current = PAGE.exists() and PAGE.read_text(encoding="utf-8") == page()
        if not current:
            sys.stderr.write("docs/activation.md is not what cardd.activation says: run tools/activation_doc.py\n")
        return 0 if current else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
