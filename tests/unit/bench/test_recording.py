"""What is recorded of card work becomes a script that another program can repeat."""

from bench.recording import Deed, Exchange, script

CHALLENGE = bytes(range(1, 9))
CRYPTOGRAM = bytes(range(16, 32))
FOLDED = bytes(one ^ other for one, other in zip(CRYPTOGRAM[:8], CRYPTOGRAM[8:], strict=True))
ASK = bytes.fromhex("0084000008")
DONE = b"\x90\x00"


def written(*steps: Exchange | Deed) -> list[str]:
    return script(steps, "card", "sam").splitlines()


def test_what_a_card_answered_is_sent_on_by_reference() -> None:
    ask = Exchange("card", ASK, CHALLENGE + DONE)
    deliver = Exchange("sam", bytes.fromhex("BFDE670A0A") + b"\xaa" + CHALLENGE + b"\xbb", DONE)
    assert written(ask, deliver) == ["send 0 9000 0084000008", "send 1 9000 bfde670a0aaa r0 bb"]


def test_what_the_module_enciphered_is_sent_on_folded() -> None:
    encipher = Exchange("sam", bytes.fromhex("80FA000000"), CRYPTOGRAM + DONE)
    prove = Exchange("card", bytes.fromhex("0082000A08") + FOLDED, DONE)
    assert written(encipher, prove) == ["send 1 9000 80fa000000", "send 0 9000 0082000a08 x0"]


def test_a_proof_that_the_module_confirms_is_compared() -> None:
    proof = Exchange("card", bytes.fromhex("0088000000"), FOLDED + DONE)
    encipher = Exchange("sam", bytes.fromhex("80FA000000"), CRYPTOGRAM + DONE)
    assert written(proof, encipher)[-1] == "same r0 x1"


def test_connections_and_transactions_keep_their_place_among_the_commands() -> None:
    steps = (Deed("connect", "card"), Deed("begin", "sam"), Exchange("sam", ASK, b"\x6d\x00"), Deed("end", "sam"))
    assert written(*steps) == ["connect 0", "begin 1", "send 1 6D00 0084000008", "end 1"]
