"""Wrong scenarios: each is refused before anything is begun, with the place of its mistake and what would be right."""

from pathlib import Path

import pytest
from support.scenarios import refused, written

from cardsim.scenario.outcome import Came

GENERATED = "people: {rush: {generate: {count: 3, old_card: sle4442}}}"
ONE = "people: {one: {generate: {count: 1}}}"
JIA = "people: {jia: {cards: {old: old-jia}}}"
TWO = "stations: 2"
VISIT = "{route: hospital, visit: {kind: outpatient, number: OP-1}}"

# what is wrong stands behind the mark
MARK = "¦"

NAMES = {
    "a name in a text that nobody has": (
        '- activate: {route: pharmacy, request: ¦"{vist.activation}"}',
        "",
        "`vist` stands for nothing here: there are seed, station",
    ),
    "a name nearly right": (
        '- call: system.status\n  as: state\n- call: card.read\n  params: {reader: ¦"{stat.version}"}',
        "",
        "did you mean `state`?",
    ),
    "a name before it is given": (
        '- call: activation.get\n  params: {activation: ¦"{it.activation}"}\n- activate: {route: bank}\n  as: it',
        "",
        "(a name is given with `as:`, before this step)",
    ),
    "a name of a loop, behind it": (
        "- repeat: 2\n  do:\n    - activate: {route: pharmacy}\n      as: it\n- wait: activation.expired\n  of: ¦it",
        "",
        "`it` stands for something only inside the step of line 4",
    ),
    "a name of a timeline at its side": (
        '- together:\n    - - call: system.status\n        as: it\n    - - answer: ¦"{it.version}"',
        "",
        "`it` stands for something only inside the step of line 4",
    ),
    "a member that an answer has not": (
        '- activate: {route: pharmacy}\n  as: it\n- call: activation.cancel\n  params: {activation: ¦"{it.activaton}"}',
        "",
        "`it` has no `activaton`: did you mean `activation`?",
    ),
    "a member that an event has not": (
        '- wait: card.identified\n  as: seen\n- answer: ¦"{seen.data.kin}"',
        "",
        "`seen.data` has no `kin`: did you mean `kind`?",
    ),
    "a member that a person has not": (
        '- for_each: rush\n  do:\n    - answer: ¦"{person.register.nam}"',
        GENERATED,
        "`person.register` has no `nam`: did you mean `name`?",
    ),
    "a number's member": ('- repeat: 2\n  do: [{answer: ¦"{n.x}"}]', "", "`n` has no `x`: it is one word or number"),
    "a register that says nothing of somebody": (
        '- answer: ¦"{jia.register.name}"',
        JIA,
        "`jia.register` has no `name`",
    ),
    "a name with room around it": ('- repeat: 2\n  do: [{answer: ¦"{ n }"}]', "", "write `{n}`"),
    "a station's name where there is none": (
        '- activate: {route: pharmacy, station: ¦"{station}"}',
        TWO,
        "`{station}` stands for nothing here: stand `at:` a station",
    ),
    "an unknown name of a station to stand at": (
        '- at: ¦"{place}"\n  do: [{pass: 1}]',
        "",
        "`place` stands for nothing",
    ),
    "a name that is taken": ("- for_each: rush\n  as: ¦n\n  do: [{pass: 1}]", GENERATED, "`{n}` stands for something"),
    "an event of nothing": (
        "- wait: activation.completed\n  of: ¦visit",
        "",
        "`visit` stands for nothing here",
    ),
    "an event of what is no activation": (
        "- call: system.status\n  as: it\n- wait: activation.completed\n  of: ¦it",
        "",
        "`it` is no activation: name one with `as:` where it begins",
    ),
    "how nothing stands": ("- expect: {activation: ¦visit, state: completed}", "", "`visit` stands for nothing here"),
}

PEOPLE = {
    "a card that invented people have not": (
        "- for_each: rush\n  do: [{insert: ¦person.new}]",
        GENERATED,
        "`person` has no card `new`: there are old, social",
    ),
    "an old card of people who have none": (
        "- for_each: rush\n  do: [{insert: ¦person.old}]",
        "people: {rush: {generate: {count: 3, old_card: none}}}",
        "`person` has no card `old`: there are social",
    ),
    "several people as if they were one": (
        "- insert: ¦rush.social",
        GENERATED,
        "`rush` are several people: go through them with `for_each: rush`",
    ),
    "a person of a loop, behind it": (
        "- for_each: rush\n  as: guest\n  do: [{pass: 1}]\n- insert: ¦guest.social",
        GENERATED,
        "no card and nobody's card `guest.social`",
    ),
    "the register's word of a stranger": ("- expect: {register: ¦bob}", JIA, "`bob` stands for nothing here"),
    "the register's word of somebody it does not have": (
        "- expect: {register: ¦jia}",
        JIA,
        "give `people.jia` a `register`",
    ),
    "a number that nobody has": (
        '- expect: {register: ¦"510101190001010013"}',
        "",
        "nobody in the register has that number",
    ),
    "two people of one number": (
        "- pass: 1",
        """
people:
  a: {cards: {c: social-jia-3.0}, register: {social_security_number: "51", name: 测试甲}}
  b: {cards: {c: social-yi-3.0}, register: {social_security_number: ¦"51", name: 测试乙}}""",
        "somebody else has that number",
    ),
    "a register of invented people": (
        "- pass: 1",
        'people: {a: {generate: {count: 1}, register: ¦{social_security_number: "51", name: 测试甲}}}',
        "the register knows invented people by itself: remove it",
    ),
    "a register that is not there": (
        "- pass: 1",
        "register: ¦people.yaml",
        "no file `people.yaml` beside the scenario",
    ),
}

CARDS = {
    "a fault that a card of invented people cannot have": (
        "- for_each: rush\n  do:\n    - insert: person.old\n      faults: [{do: slow, ms: 1}, {do: mute, at: ¦VERIFY}]",
        GENERATED,
        "no command `VERIFY` here; known are",
    ),
    "a fault that some of their cards cannot have": (
        "- for_each: rush\n  do:\n    - swap: person.old\n      faults: [{do: mute, at: ¦READ MEMORY CARD}]",
        "people: {rush: {generate: {count: 3, old_card: any}}}",
        "(on a card of theirs that is cpu)",
    ),
    "a fault that the card of one person cannot have": (
        "- insert: jia.old\n  faults: [{do: stick, counter: ¦online}]",
        JIA,
        "counter",
    ),
    "an interface that the card has not": (
        "- insert: old-jia\n  interface: ¦contactless",
        "",
        "the card has no interface `contactless`: write contact, or nothing",
    ),
    "an interface that some of their cards have not": (
        "- for_each: rush\n  do: [{insert: person.social, interface: ¦contactless}]",
        GENERATED,
        "(on a card of theirs that is 1.0 with",
    ),
    "what no card remembers": ("- expect: {card: old-jia, where: {¦pn: 1}}", "", "did you mean `pin`?"),
    "a file that the card has not": (
        "- expect: {card: social-jia-3.0, where: {¦files.SSSEEF55.06: 1}}",
        "",
        "did you mean `SSSEEF05`?",
    ),
    "an item that the file has not": (
        "- expect: {card: social-jia-3.0, where: {¦files.SSSEEF05.AA: 1}}",
        "",
        "a card remembers nothing called `files.SSSEEF05.AA`",
    ),
    "a card that cannot be made": (
        "- pass: 1",
        'cards: {x: {card: social-security, profile: "3.0", identification_code: ¦"00", card_number: T90000004}}',
        "has 16 bytes",
    ),
    "a module that is none": ("- pass: 1", "psam: ¦old-jia", "`old-jia` is no security module (card: psam)"),
}

QUESTIONS = {
    "a path that an event has not": (
        "- wait: card.identified\n  where: {¦data.kin: psam}",
        "",
        "nothing called `kin` in `data`: did you mean `kind`?",
    ),
    "a path that no event of a kind has": (
        "- wait: prompt.*\n  where: {¦outcome: activated}",
        "",
        "nothing called `outcome`: there are",
    ),
    "a path that goes on behind a word": (
        "- wait: card.identified\n  where: {¦kind.name: psam}",
        "",
        "nothing called `name` in `kind`: nothing goes on from there",
    ),
    "a path of events that are counted": (
        "- expect: {events: {card.rejected: 0}, where: {¦raeson: CARD_MUTE}}",
        "",
        "did you mean `reason`?",
    ),
    "a value that an event never has": (
        "- wait: activation.step\n  where: {state: ¦waiting_socal_card}",
        "",
        "it is never `waiting_socal_card`: did you mean `waiting_social_card`?",
    ),
    "one of several values that an event never has": (
        "- wait: card.identified\n  where: {kind: ¦[psam, sam]}",
        "",
        "it is never `sam`",
    ),
    "a truth that is neither": (
        '- wait: card.identified\n  where: {authentic: ¦"yes"}',
        "",
        "it is never `yes`: there are true or false",
    ),
    "a reason that there is not": (
        "- wait: activation.refused\n  where: {reason: ¦CARD_LOSD}",
        "",
        "no reason `CARD_LOSD`: did you mean `CARD_LOST`?",
    ),
    "a state that there is not": (
        "- activate: {route: pharmacy}\n  as: it\n- expect: {activation: it, state: ¦complete}",
        "",
        "it is never `complete`: did you mean `completed`?",
    ),
    "a path that an answer has not": (
        "- call: readers.list\n  where: {¦readers.0.stat: empty}",
        "",
        "nothing called `stat` in `readers.0`: did you mean `state`?",
    ),
    "a path that the register has not": (
        '- expect: {register: "510101190001010012", where: {¦card.0.status: normal}}',
        "",
        "nothing called `card`: did you mean `cards`?",
    ),
    "a standing that the register does not know": (
        '- expect: {register: "510101190001010012", where: {cards.0.status: ¦active}}',
        "",
        "it is never `active`",
    ),
    "a name in a path": (
        '- repeat: 2\n  do:\n    - call: readers.list\n      where: {¦"readers.{n}.state": empty}',
        "",
        "names stand in values, not in paths",
    ),
    "a name in a counted type": (
        '- repeat: 2\n  do: [{expect: {events: {¦"card.{n}": 0}}}]',
        "",
        "no names stand in the types of events that are counted",
    ),
    "a parameter that the method has not": (
        "- call: card.read\n  params: {¦readr: reader-0}",
        "",
        "no parameter `readr`: did you mean `reader`?",
    ),
    "a parameter that is no such thing": (
        "- call: card.read\n  params: {reader: reader-0, wait_s: ¦long}",
        "",
        "expected a number or nothing, got text",
    ),
    "a parameter that is missing": (
        "- call: activation.cancel\n  params: ¦{}",
        "",
        "missing required field activation",
    ),
    "a station that an activation has not": (
        "- activate: {route: pharmacy, station: ¦counter-7}",
        "",
        "no station `counter-7`: there are counter-0",
    ),
    "a reader that a method does not find": (
        "- call: card.read\n  params: {reader: ¦reader-7}",
        "",
        "no reader `reader-7`: there are reader-0, sam-0",
    ),
    "a refusal that there is not": ("- read:\n  refused: ¦NOCARD", "", "no reason `NOCARD`: did you mean `NO_CARD`?"),
    "a name for what is refused": ("- read:\n  refused: NO_CARD\n  as: ¦it", "", "leave out `as` or `refused`"),
    "what nobody can type": ("- insert: old-bing\n- answer: ¦rigth", "", "did you mean `right`?"),
    "what nobody can type meanwhile": (
        "- wait: activation.completed\n  answering: ¦yes",
        "",
        "nobody can type `yes`: write right, wrong, cancel, or up to 16 digits",
    ),
    "what may have been meant as a PIN": (
        "- insert: old-bing\n- answer: ¦12345O",
        "",
        "nobody can type that: write right, wrong, cancel, or up to 16 digits",
    ),
}

PLACES = {
    "a hand at none of several stations": (
        "- insert: ¦old-jia",
        TWO,
        "at which station? name `reader:`, or stand `at:` one; there are counter-0, counter-1",
    ),
    "an activation at none of several stations": (f"- activate: ¦{VISIT}", TWO, "name `station:`, or stand `at:` one"),
    "a hand behind the steps at a station": (
        "- at: counter-1\n  do: [{insert: old-jia}]\n- remove:¦",
        TWO,
        "at which station? name a reader, or stand `at:` one",
    ),
    "a counter without a reader for people": (
        "- insert: ¦old-jia",
        "stations: [{name: a, readers: [{name: x, role: sam}]}]",
        "there are none with a reader for people's cards",
    ),
    "two stations of one name": (
        "- pass: 1",
        "stations: [{name: a, readers: [{name: x}]}, {name: ¦a, readers: [{name: y}]}]",
        "two stations are called `a`",
    ),
    "two readers of one name": (
        "- pass: 1",
        "stations: [{name: a, readers: [{name: x}]}, {name: b, readers: [{name: ¦x}]}]",
        "two readers are called `x`",
    ),
    "the name of the module's reader": (
        "- pass: 1",
        "stations: [{name: a, readers: [{name: ¦sam-0}]}]",
        "`sam-0` is what the security module's is called: give another name",
    ),
    "a station with two pairs of hands": (
        "- repeat: 4\n  across: [counter-0, ¦counter-0]\n  do: [{pass: 1}]",
        TWO,
        "`counter-0` stands here twice",
    ),
    "stations among the daemon's settings": (
        "- pass: 1",
        "settings: {activation: {}, ¦stations: []}",
        "write `stations` at the scenario's first level",
    ),
    "a socket among the daemon's settings": (
        "- pass: 1",
        "settings: {socket: {¦path: a.sock}}",
        "a run has a socket of its own",
    ),
    "nowhere to run": ("- pass: 1", "run_on: ¦[]", "name at least one of in-process, pcscd, running"),
    "steps inside themselves": ("- ¦&a\n  repeat: 2\n  do: [*a]", "", "inside itself"),
}

COURSE = {
    "a second card": (
        "- insert: old-jia\n- insert: ¦old-yi",
        "",
        "there is a card in `reader-0` since line 4: remove it first, or write `swap`",
    ),
    "a card beside the module": (
        "- insert: ¦psam-provincial\n  reader: sam-0",
        "",
        "there is a card in `sam-0`: remove it first, or write `swap`",
    ),
    "a card taken out of an empty reader": ("- remove:¦", "", "there is no card in `reader-0`: put one in first"),
    "an exchange of nothing": ("- swap: ¦old-jia", "", "there is no card in `reader-0`: write `insert`"),
    "a second card in the next round": (
        "- repeat: 2\n  do: [{insert: ¦old-jia}]",
        "",
        "there is a card in `reader-0` since line 5",
    ),
    "a second card at one of the stations": (
        "- for_each: rush\n  across: all\n  do:\n    - insert: person.old\n    - insert: ¦person.social",
        f"{TWO}\n{GENERATED}",
        "there is a card in `reader-0` since line 8",
    ),
    "a question to a daemon that was killed": (
        "- kill: daemon\n- call: ¦system.status",
        "",
        "the daemon was killed (line 4): `start: daemon` first",
    ),
    "the start of a daemon that runs": ("- start: ¦daemon", "", "the daemon runs: kill it first, or write `restart`"),
}

MISTAKES = {**NAMES, **PEOPLE, **CARDS, **QUESTIONS, **PLACES, **COURSE}


@pytest.mark.parametrize(("timeline", "head", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_wrong_scenario_is_refused_with_its_place_before_anything_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, timeline: str, head: str, said: str
) -> None:
    path = written(tmp_path, timeline, head)
    text = path.read_text(encoding="utf-8")
    before, _, after = text.partition(MARK)
    path.write_text(before + after, encoding="utf-8")
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    result = refused(monkeypatch, path)
    (failure,) = result.failures
    assert said in failure.came
    assert (result.came, result.steps, failure.place) == (Came.BROKEN, 0, f"{path}:{line}:{column}")
