"""What a holder types: the right digits, wrong ones, or none."""

from typing import Final

from cardd.client.errors import CallError
from cardd.wire.activation import PromptAnswerParams
from cardd.wire.methods import PROMPT_ANSWER
from cardsim.persona import MedicalInsurancePersona, MemoryPersona, SocialSecurityPersona
from cardsim.scenario.expect import card_view
from cardsim.scenario.feed import Told
from cardsim.scenario.grounds.ground import Card
from cardsim.scenario.outcome import StepFailedError
from cardsim.scenario.story import Branch

_NEW_DIGITS: Final = 6
_OLD: Final = (MedicalInsurancePersona, MemoryPersona)


def open_prompts(branch: Branch, purpose: str | None) -> list[Told]:
    """Return the prompts of this station that are open, oldest first. The feed's lock is held."""
    opened: dict[str, Told] = {}
    for told in branch.story.feed.of(branch.station, 0):
        if told.kind == "prompt.opened":
            opened[str(told.event.data["prompt"])] = told
        elif told.kind == "prompt.closed":
            opened.pop(str(told.event.data["prompt"]), None)
    return [
        told
        for name, told in opened.items()
        if name not in branch.answered and purpose in {None, told.event.data["purpose"]}
    ]


def await_prompt(branch: Branch, purpose: str | None, seconds: float) -> Told:
    """Return the oldest open prompt, when there is one. Raises StepFailedError."""
    feed = branch.story.feed
    with feed.changed:
        branch.story.ground.time.wait(
            feed.changed, lambda: bool(open_prompts(branch, purpose)) or branch.story.over or feed.lost, seconds
        )
        found = open_prompts(branch, purpose)
        if not found:
            wanted = f"a prompt for {purpose}" if purpose else "a prompt"
            raise StepFailedError(f"{wanted} within {seconds:g} s", branch.since())
    return found[0]


def answer(branch: Branch, told: Told, how: str) -> None:
    """Answer a prompt: `right`, `wrong`, `cancel` or digits."""
    name, purpose = str(told.event.data["prompt"]), str(told.event.data["purpose"])
    branch.answered.add(name)
    params = PromptAnswerParams(prompt=name, cancel=True)
    if how != "cancel":
        params = PromptAnswerParams(prompt=name, pin=_digits(branch, told, purpose, how))
    try:
        branch.client().call(PROMPT_ANSWER, params)
    except CallError as error:
        raise StepFailedError(f"the prompt for {purpose} takes an answer", f"{error.reason} {error.detail}") from None


def _digits(branch: Branch, told: Told, purpose: str, how: str) -> str:
    if how not in {"right", "wrong"}:
        return branch.fill(how)
    if purpose == "new_pin":
        right = _new_pin(branch, told)
    elif purpose == "old_card_password":
        right = _password(branch, told)
    else:
        right = _pin(branch, told)
    return right if how == "right" else right[:-1] + str((int(right[-1]) + 1) % 10)


def _new_pin(branch: Branch, told: Told) -> str:
    """Return the digits that the holder chooses, the same when asked to repeat them."""
    card = _newest(branch, told, old=False)
    return branch.story.chance.digits(_NEW_DIGITS, "new-pin", card.name)


def _password(branch: Branch, told: Told) -> str:
    persona = _newest(branch, told, old=True).persona.card
    number = persona.number if isinstance(persona, MedicalInsurancePersona | MemoryPersona) else ""
    password = branch.story.cast.password_of(number)
    if password is None:
        raise StepFailedError("the register holds the old card's password", "it holds none: answer with digits")
    return password


def _pin(branch: Branch, told: Told) -> str:
    card = _newest(branch, told, old=False)
    pin = card_view(branch.story.ground.memory(card), card.persona.card)["pin"]
    if not isinstance(pin, str) or not pin:
        raise StepFailedError("the card has a PIN", "it has none: answer with digits")
    return pin


def _newest(branch: Branch, told: Told, *, old: bool) -> Card:
    """Return the old card, or the social security card, that was put in last where the prompt is."""
    kind = _OLD if old else (SocialSecurityPersona,)
    for card in reversed(branch.story.seen.get(told.station, [])):
        if isinstance(card.persona.card, kind):
            return card
    raise StepFailedError("a card that the prompt is about", "none was put in here: answer with digits")
