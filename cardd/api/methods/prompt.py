"""Answers to prompts: the only way in for a PIN."""

from cardd.api.method import Call, Method
from cardd.api.rights import Right
from cardd.api.services import ActivationService, PromptService
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.wire.activation import PromptAnswerParams, PromptAnswerResult
from cardd.wire.methods import PROMPT_ANSWER


async def _answer(call: Call, params: PromptAnswerParams) -> PromptAnswerResult:
    pin = _taken_pin(params)
    if params.cancel == (pin is not None):
        raise CarddError(Reason.INVALID, "give either `pin` or `cancel: true`", path="$")
    await call.office.deeds.carry_out(_asking(call, params.prompt).answer(params.prompt, pin))
    return PromptAnswerResult(prompt=params.prompt)


def _asking(call: Call, prompt: str) -> PromptService | ActivationService:
    """Return who asked: an activation, unless it is one of the others' prompts."""
    prompts = call.office.services.prompts
    return call.office.services.activations if prompts is None or not prompts.knows(prompt) else prompts


def _taken_pin(params: PromptAnswerParams) -> Secret | None:
    """Turn the PIN into a Secret and leave no trace of it in the parameters."""
    text, params.pin = params.pin, None
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise CarddError(Reason.INVALID, "a password consists of digits", path="$.pin")
    return Secret(text.encode("ascii"))


METHODS = (Method(PROMPT_ANSWER, Right.PIN, _answer),)
