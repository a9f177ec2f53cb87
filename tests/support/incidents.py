"""Failures provoked at a counter in this process, and their accounts as `cardctl incident` prints them."""

from pathlib import Path
from textwrap import dedent
from typing import Final

from cardd.client.blocking import Client
from cardd.ctl.incident import written
from cardd.wire.activation import ActivationListParams
from cardd.wire.incident import ActivationIncidentParams, Incident
from cardd.wire.methods import ACTIVATION_INCIDENT, ACTIVATION_LIST
from support.scenarios import told

PEOPLE = """
people:
  jia:
    cards: {old: old-jia, social: social-jia-3.0}
    register:
      social_security_number: "510101190001010012"
      name: 测试甲
      cards: [{number: T0000001X, identification_code: 510100D156000005C0FFEE01FFFFFFFF, status: STATUS}]
      old_cards: [{number: "1900000001", status: OLD}]
      updates: UPDATES
"""


def people(*, status: str = "not_enabled", old: str = "valid", updates: str = "{}") -> str:
    """Return the section `people` with 测试甲, and how the cards stand at the centre."""
    return PEOPLE.replace("STATUS", status).replace("OLD}", f"{old}}}").replace("UPDATES", updates)


def account(client: Client) -> Incident:
    """Return the account of the newest activation, through the socket."""
    (found,) = client.call(ACTIVATION_LIST, ActivationListParams(limit=1)).activations
    return client.call(ACTIVATION_INCIDENT, ActivationIncidentParams(activation=found.activation))


def provoked(folder: Path, head: str, timeline: str) -> tuple[Incident, Path]:
    """Play a failure, and return its account and the file that was written of it."""
    with told(folder, dedent(timeline), dedent(head)) as story:
        assert story.failures == [], story.failures
        with story.ground.client() as client:
            incident = account(client)
    path = folder / "incident.yaml"
    path.write_text(written(incident), encoding="utf-8")
    return incident, path


def torn(at: str, nth: int = 1, when: str = "before") -> str:
    """Return the faults of a card that is torn out at a command."""
    return f"[{{do: tear, at: {at}, nth: {nth}, when: {when}, stays_out: true}}]"


OLD = """
- insert: {old}
- wait: activation.step
  where: {{state: waiting_social_card}}
- remove:
"""
OLD_JIA = OLD.format(old="old-jia")
AT_HOSPITAL = """
- activate: {route: hospital, visit: {kind: outpatient, number: V4711}}
  as: it
"""
LATE = """
cards:
  late:
    card: social-security
    profile: "3.0"
    algorithm: sm4
    keys: {root: 00112233445566778899AABBCCDDEEFF}
    atr: 3B6D00000081544C9686845101C0FFEE01
    identification_code: 510100D156000005C0FFEE01FFFFFFFF
    card_number: T0000001X
    valid_until: "2021-01-01"
    holder: {social_security_number: "510101190001010012", name: 测试甲}
"""
UPDATES = '{SSSEEF05: {"06": "20400101"}}'
HOSPITAL_PIN = "settings: {{activation: {{pin_policy: {{hospital: {policy}}}}}}}"
GONE = """
- wait: activation.step
  where: {{{path}: {value}}}
- remove:
"""
END = """
- wait: activation.{end}
  within_s: 600
"""
AGAIN = GONE.format(path="prompt.code", value="card_pulled")
SAME = GONE.format(path="state", value="waiting_same_card")
DIES_WHILE_READ = """
- wait: activation.step
  where: {state: reading_social_card}
  within_s: 60
- pass: 1
- kill: daemon
- pass: 1
- start: daemon
"""

FAILURES: Final[dict[str, tuple[str, str]]] = {
    "torn out while it is read, and not put in again": (
        "",
        OLD_JIA
        + f"- insert: social-jia-3.0\n  faults: {torn('INTERNAL AUTHENTICATION', 2)}\n"
        + AGAIN
        + END.format(end="expired"),
    ),
    "torn out while it is read, and put in again": (
        "",
        OLD_JIA
        + f"- insert: social-jia-3.0\n  faults: {torn('READ RECORD', 12)}\n"
        + AGAIN
        + "- pass: 3\n- insert: social-jia-3.0\n"
        + END.format(end="completed"),
    ),
    "torn out after the PIN was changed": (
        HOSPITAL_PIN.format(policy="change_is_activation"),
        AT_HOSPITAL
        + f"- insert: social-jia-3.0\n  faults: {torn('CHANGE PIN', 1, 'after')}\n"
        + "- answer: right\n  to: social_pin\n- answer: right\n  to: new_pin\n"
        + AGAIN
        + "- insert: social-jia-3.0\n- answer: right\n  to: new_pin\n"
        + END.format(end="completed"),
    ),
    "torn out before the PIN was changed": (
        HOSPITAL_PIN.format(policy="change_is_activation"),
        AT_HOSPITAL
        + f"- insert: social-jia-3.0\n  faults: {torn('CHANGE PIN')}\n"
        + "- answer: right\n  to: social_pin\n- answer: right\n  to: new_pin\n"
        + AGAIN
        + "- insert: social-jia-3.0\n- answer: right\n  to: new_pin\n- answer: right\n  to: social_pin\n"
        + "- answer: right\n  to: new_pin\n"
        + END.format(end="completed"),
    ),
    "torn out while it is written, and put in again": (
        people(updates=UPDATES),
        AT_HOSPITAL
        + f"- insert: jia.social\n  faults: {torn('UPDATE RECORD')}\n"
        + SAME
        + "- insert: jia.social\n"
        + END.format(end="completed"),
    ),
    "torn out while it is written, and not seen again": (
        people(updates=UPDATES),
        AT_HOSPITAL + f"- insert: jia.social\n  faults: {torn('UPDATE RECORD')}\n" + SAME + END.format(end="completed"),
    ),
    "a stranger's card where the same one is waited for": (
        people(updates=UPDATES),
        AT_HOSPITAL
        + f"- insert: jia.social\n  faults: {torn('UPDATE RECORD')}\n"
        + SAME
        + "- insert: social-yi-3.0\n- wait: activation.step\n- remove:\n- insert: jia.social\n"
        + END.format(end="completed"),
    ),
    "an old card's password wrong, then right": (
        "",
        "- insert: old-bing\n- answer: wrong\n- wait: prompt.closed\n- answer: right\n- wait: activation.step\n"
        "  where: {state: waiting_social_card}\n- remove:\n- insert: social-bing-2.0\n" + END.format(end="completed"),
    ),
    "an old card's password locked": (
        "",
        "- insert: old-bing\n- repeat: 6\n  do:\n    - answer: wrong\n    - wait: prompt.closed\n"
        + END.format(end="refused"),
    ),
    "a card that is not genuine": ("", OLD_JIA + "- insert: social-fake-3.0\n" + END.format(end="refused")),
    "a card whose time is over": (
        LATE,
        OLD_JIA + "- insert: late\n" + END.format(end="refused"),
    ),
    "a card of another region": (
        "settings: {activation: {region: '440100', other_regions: refuse}}",
        OLD_JIA + "- insert: social-jia-3.0\n" + END.format(end="refused"),
    ),
    "a card that was reported lost": (
        people(status="lost"),
        "- insert: jia.old\n- wait: activation.step\n  where: {state: waiting_social_card}\n"
        "- remove:\n- insert: jia.social\n" + END.format(end="refused"),
    ),
    "an old card that is void": (people(old="void"), "- insert: jia.old\n" + END.format(end="refused")),
    "an old card that is frozen": (people(old="frozen"), "- insert: jia.old\n" + END.format(end="refused")),
    "cards of two persons": ("", OLD_JIA + "- insert: social-yi-3.0\n" + END.format(end="refused")),
    "a card that is active already": (
        people(status="normal"),
        AT_HOSPITAL + "- insert: jia.social\n" + END.format(end="completed"),
    ),
    "a centre that is silent, then back": (
        "centre: true",
        '- centre: ["silent_after@activate", "silent_after@outcome"]\n' + AT_HOSPITAL + "- insert: social-jia-3.0\n"
        "- wait: activation.in_doubt\n  within_s: 60\n- pass: 45\n- centre: []\n" + END.format(end="completed"),
    ),
    "a centre that fails": (
        "centre: true",
        '- centre: ["500@look_up_old_card"]\n- insert: old-jia\n' + END.format(end="refused"),
    ),
    "an outcome that nobody knows, until it is asked for again": (
        "centre: true",
        '- centre: ["silent_before@activate:3"]\n'
        + AT_HOSPITAL
        + "- insert: social-jia-3.0\n"
        + END.format(end="completed"),
    ),
    "a deadline before the centre was asked": ("", OLD_JIA + END.format(end="expired")),
    "given up by the clerk": (
        "",
        AT_HOSPITAL + '- pass: 12\n- call: activation.cancel\n  params: {activation: "{it.activation}"}\n',
    ),
    "given up by the holder": (
        HOSPITAL_PIN.format(policy="verify"),
        AT_HOSPITAL + "- insert: social-jia-3.0\n- pass: 4\n- answer: cancel\n" + END.format(end="cancelled"),
    ),
    "a daemon that dies while the centre is asked": (
        "centre: true",
        '- centre: ["silent_after@activate"]\n' + AT_HOSPITAL + "- insert: social-jia-3.0\n"
        "- wait: activation.step\n  where: {state: authorising}\n- kill: daemon\n- centre: []\n- pass: 5\n"
        "- start: daemon\n- expect: {activation: it, state: completed}\n  within_s: 60\n",
    ),
    "a card that falls silent": (
        "",
        AT_HOSPITAL
        + "- insert: social-jia-3.0\n  faults: [{do: mute, at: READ RECORD, nth: 14}]\n"
        + END.format(end="completed"),
    ),
    "a card that never answers": (
        "",
        AT_HOSPITAL + "- insert: social-jia-3.0\n  faults: [{do: mute, at: reset}]\n"
        "- wait: activation.step\n  where: {prompt.code: CARD_MUTE}\n- remove:\n" + END.format(end="expired"),
    ),
    "no security module": (
        "psam: none",
        AT_HOSPITAL
        + "- insert: social-jia-3.0\n- wait: activation.step\n  where: {prompt.code: PSAM_ABSENT}\n"
        + END.format(end="expired"),
    ),
    "a PIN that is locked": (
        HOSPITAL_PIN.format(policy="verify"),
        AT_HOSPITAL
        + "- insert: social-jia-3.0\n- repeat: 6\n  do:\n    - answer: wrong\n    - wait: prompt.closed\n"
        + END.format(end="refused"),
    ),
    "a key that is stopped": (
        "",
        AT_HOSPITAL
        + "- insert: social-jia-3.0\n  faults: [{do: answer, at: EXTERNAL AUTHENTICATION, word: 63C2}]\n"
        + END.format(end="refused"),
    ),
    "an identity document of somebody else": (
        "",
        "- activate:\n    route: bank\n"
        "    identity_document: {type: resident, number: '510101190001010012', name: 测试乙}\n"
        "- insert: social-jia-3.0\n" + END.format(end="refused"),
    ),
    "a memory card torn out while it is read": (
        "",
        "- insert: old-sle4428-jinan\n  faults: " + torn("READ MEMORY CARD", 4) + "\n"
        "- wait: activation.step\n  where: {prompt.code: card_pulled}\n- remove:\n" + END.format(end="expired"),
    ),
    "a daemon that dies while a PIN is typed": (
        HOSPITAL_PIN.format(policy="verify"),
        AT_HOSPITAL + "- insert: social-jia-3.0\n- wait: prompt.opened\n- pass: 3\n- kill: daemon\n- pass: 8\n"
        "- start: daemon\n- wait: prompt.opened\n- answer: right\n" + END.format(end="completed"),
    ),
    "a word that no card should answer": (
        "",
        AT_HOSPITAL + "- insert: social-jia-3.0\n  faults: [{do: answer, at: READ RECORD, nth: 13, word: 6F00}]\n"
        "- pass: 1\n" + END.format(end="*"),
    ),
    "given up by the clerk while the card is read": (
        "",
        AT_HOSPITAL + "- insert: social-jia-3.0\n  faults: [{do: slow, at: READ RECORD, ms: 500}]\n"
        "- wait: activation.step\n  where: {state: reading_social_card}\n- pass: 1\n"
        '- call: activation.cancel\n  params: {activation: "{it.activation}"}\n',
    ),
    "another card in the place of the one that is read": (
        "",
        AT_HOSPITAL + "- insert: social-jia-3.0\n  faults: [{do: twin, at: READ RECORD, nth: 10}]\n"
        "- wait: activation.step\n  where: {prompt.code: CARD_DATA_DIFFERS}\n- remove:\n"
        "- insert: social-jia-3.0\n" + END.format(end="completed"),
    ),
    "a card that always has more to say": (
        "",
        AT_HOSPITAL
        + "- insert: social-jia-3.0\n  faults: [{do: endless, at: READ RECORD, nth: 12}]\n"
        + END.format(end="refused"),
    ),
    "a daemon that dies twice while the card is read": (
        "",
        AT_HOSPITAL
        + "- insert: social-jia-3.0\n  faults: [{do: slow, at: READ RECORD, ms: 500}]\n"
        + DIES_WHILE_READ
        + DIES_WHILE_READ
        + END.format(end="completed"),
    ),
    "a daemon that dies while the card is written": (
        people(updates=UPDATES),
        AT_HOSPITAL + "- insert: jia.social\n  faults: [{do: slow, at: UPDATE RECORD, ms: 3000}]\n"
        "- wait: activation.step\n  where: {state: updating_card}\n- pass: 1\n- kill: daemon\n- pass: 2\n"
        "- start: daemon\n" + END.format(end="completed"),
    ),
    "a card that no reader understands, then a right one": (
        "",
        AT_HOSPITAL + "- insert: social-jia-3.0\n  faults: [{do: answer, at: READ RECORD, nth: 1, word: 6A82}]\n"
        "- wait: activation.step\n  where: {prompt.code: CARD_ID_MALFORMED}\n- remove:\n"
        "- insert: social-jia-3.0\n  faults: [{do: answer, at: SELECT, nth: 1, word: 6581}]\n"
        "- pass: 2\n- remove:\n- insert: social-jia-3.0\n" + END.format(end="completed"),
    ),
    "a card whose code is not read a second time": (
        "",
        AT_HOSPITAL
        + "- insert: social-jia-3.0\n  faults: [{do: answer, at: '11', word: 6A82}]\n"
        + END.format(end="refused"),
    ),
    "a stranger's card after the holder was asked for the PIN": (
        "settings: {activation: {pin_policy: {pharmacy: verify}}}",
        OLD_JIA
        + "- insert: social-jia-3.0\n- wait: prompt.opened\n- remove:\n- insert: social-yi-3.0\n"
        + END.format(end="refused"),
    ),
    "a centre that hangs up on every request, then no longer": (
        "centre: true",
        '- centre: ["cut_before@activate"]\n' + AT_HOSPITAL + "- insert: social-jia-3.0\n"
        "- wait: activation.in_doubt\n- pass: 20\n- centre: []\n" + END.format(end="completed"),
    ),
    "nonsense in the middle, after which other kinds are asked for": (
        "",
        AT_HOSPITAL
        + "- insert: social-jia-3.0\n  faults: [{do: answer, at: READ RECORD, nth: 9, word: 6F00}]\n"
        + END.format(end="refused"),
    ),
    "a card on the antenna that seems to be of another kind": (
        "",
        AT_HOSPITAL + "- insert: social-jia-3.0\n  interface: contactless\n"
        "  faults: [{do: answer, at: SELECT, nth: 1, word: 6581}]\n- pass: 2\n- remove:\n"
        "- insert: social-jia-3.0\n" + END.format(end="completed"),
    ),
    "a code in which a bit is wrong": (
        "",
        AT_HOSPITAL
        + "- insert: social-jia-3.0\n  faults: [{do: flip, at: READ RECORD, nth: 8, bits: '01', offset: 5}]\n"
        + END.format(end="refused"),
    ),
    "an application that opens at the second attempt only": (
        people(updates=UPDATES),
        AT_HOSPITAL
        + "- insert: jia.social\n  faults: [{do: answer, at: '28', word: '6982'}]\n"
        + END.format(end="completed"),
    ),
    "a class in which a bit is wrong, and right the next time": (
        "",
        AT_HOSPITAL
        + "- insert: social-jia-3.0\n  faults: [{do: flip, at: READ RECORD, nth: 10, bits: '01', offset: 5}]\n"
        "- pass: 10\n- remove:\n- insert: social-jia-3.0\n" + END.format(end="completed"),
    ),
    "a card that falls silent when it is in again, and stays so": (
        people(updates=UPDATES),
        AT_HOSPITAL
        + "- insert: jia.social\n  faults: [{do: mute, at: EXTERNAL AUTHENTICATION, nth: 2}]\n"
        + END.format(end="completed"),
    ),
}
"""How each is provoked: the head of a scenario, and its timeline."""
