from cardd.api.methods.prompt import _taken_pin
from cardd.base.secret import Secret
from cardd.wire.activation import PromptAnswerParams


def test_the_pin_leaves_no_trace_in_the_parameters_once_it_is_a_secret() -> None:
    params = PromptAnswerParams(prompt="p", pin="246813")
    assert _taken_pin(params) == Secret(b"246813")
    assert params.pin is None
