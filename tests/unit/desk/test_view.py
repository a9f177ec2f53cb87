import json
from pathlib import Path
from typing import Any

import msgspec
from support.cards import DEADLINE, RefusingKeys, altered, insert, software_keys

from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.desk.identify import identify
from cardd.desk.read import read_card
from cardd.desk.reading import CardReading
from cardd.desk.stopped import StoppedKeys
from cardd.desk.view import holder_token, masked_result, summary, whole_result
from cardd.wire.cards import CardReadResult

KEY = Secret(b"0123456789abcdef")
FILES = "SSSEEF05|01|05|07|$SSSEEF06|08|09|0D|$"


def reading(persona: str | Path = "social-jia-3.0", files: str | None = FILES) -> CardReading:
    card = insert(persona)
    return read_card(card.channel, card.insertion, software_keys(), None, DEADLINE, files, stopped=StoppedKeys())


def json_of(result: CardReadResult) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(msgspec.json.encode(result))
    return document


def test_the_whole_result_is_what_is_on_the_card() -> None:
    result = json_of(whole_result("1-1", reading(), KEY))
    assert {key: result[key] for key in ("insertion", "kind", "generation", "authentic", "via", "number")} == {
        "insertion": "1-1",
        "kind": "social_security",
        "generation": "3.0",
        "authentic": True,
        "via": "contact",
        "number": "T0000001X",
    }
    assert result["issuer"] == {
        "identification_code": "510100D156000005C0FFEE01FFFFFFFF",
        "card_class": "3",
        "specification_version": "3.00",
        "initialising_organisation": "915600000251010051010001",
        "issue_date": "2024-01-02",
        "valid_until": "2034-01-02",
        "card_number": "T0000001X",
        "region": "510100",
    }
    assert {key: value for key, value in result["holder"].items() if key != "token"} == {
        "social_security_number": "510101190001010012",
        "name": "测试甲",
        "sex": "1",
        "ethnic_group": "01",
        "birthplace": "510100",
        "birth_date": "1900-01-01",
    }
    assert result["records"] == {
        "SSSEEF05": {"01": "510100D156000005C0FFEE01FFFFFFFF", "05": "2024-01-02", "07": "T0000001X"},
        "SSSEEF06": {"08": "510101190001010012", "09": "测试甲", "0D": "1900-01-01"},
    }


def test_the_masked_result_keeps_what_masks_keep() -> None:
    result = json_of(masked_result("1-1", reading(), KEY))
    assert result["holder"]["name"] == "测*甲"
    assert result["holder"]["social_security_number"] == "5101************12"
    assert result["holder"]["birth_date"] == "*"
    assert result["issuer"]["card_number"] == result["number"] == "*****001X"
    assert result["issuer"]["region"] == "510100"
    assert result["records"]["SSSEEF06"] == {"08": "5101************12", "09": "测*甲", "0D": "*"}


def test_the_masked_result_holds_nothing_whole() -> None:
    text = json.dumps(json_of(masked_result("1-1", reading(), KEY)), ensure_ascii=False)
    for value in ("测试甲", "510101190001010012", "T0000001X", "1900-01-01", "C0FFEE01"):
        assert value not in text


def test_what_does_not_parse_is_shown_raw_to_those_who_may_see_persons_only() -> None:
    card = insert("social-bing-2.0")
    inner = card.card.transmit

    def transmit(command: bytes) -> bytes:
        bad = {bytes((0xB2, 0x0D)): "0D0419001340", bytes((0xB2, 0x06)): "060420241301"}
        return bytes.fromhex(bad[command[1:3]] + "9000") if command[1:3] in bad else inner(command)

    card.channel._transmit = transmit
    found = read_card(card.channel, card.insertion, software_keys(), None, DEADLINE, stopped=StoppedKeys())
    whole, masked = json_of(whole_result("1-1", found, KEY)), json_of(masked_result("1-1", found, KEY))
    assert whole["holder"]["birth_date"]["raw"] == "19001340"
    assert masked["holder"]["birth_date"]["raw"] == "*"
    assert "calendar" in masked["holder"]["birth_date"]["error"]
    assert whole["issuer"]["valid_until"]["raw"] == masked["issuer"]["valid_until"]["raw"] == "20241301"


def test_an_item_that_is_not_set_is_null(tmp_path: Path) -> None:
    found = reading(altered(tmp_path, "social-jia-3.0", holder={"birthplace": ""}), "SSSEEF06|0C|$")
    for result in (whole_result("1-1", found, KEY), masked_result("1-1", found, KEY)):
        assert json_of(result)["holder"]["birthplace"] is None
        assert json_of(result)["records"] == {"SSSEEF06": {"0C": None}}


def test_a_person_has_one_token_on_one_machine() -> None:
    def token(key: Secret, persona: str = "social-jia-3.0") -> str:
        result = masked_result("1-1", reading(persona), key)
        assert result.holder is not None
        assert result.holder.token is not None
        return result.holder.token

    mine = token(KEY)
    assert mine == token(KEY)
    assert len({mine, token(KEY, "social-yi-3.0"), token(Secret(b"another machine!"))}) == 3
    assert int(mine, 16) >= 0
    assert len(mine) == 32


def test_a_holder_without_a_number_has_no_token() -> None:
    assert holder_token(None, KEY) is None


def test_an_old_card_is_shown_by_its_number() -> None:
    found = reading("old-jia", None)
    whole, masked = json_of(whole_result("1-1", found, KEY)), json_of(masked_result("1-1", found, KEY))
    assert (whole["kind"], whole["number"]) == ("medical_insurance", "1900000001")
    assert masked["number"] == "******0001"
    assert whole["issuer"] is whole["holder"] is whole["generation"] is whole["authentic"] is None
    assert whole["records"] == {}


def test_a_summary_tells_what_a_card_is_and_its_number_masked() -> None:
    card = insert("social-jia-3.0")
    identity = identify(card.channel, card.insertion, RefusingKeys(Reason.PSAM_ABSENT), DEADLINE)
    assert msgspec.to_builtins(summary("1-1", identity)) == {
        "insertion": "1-1",
        "kind": "social_security",
        "generation": "3.0",
        "authentic": None,
        "number": "*****001X",
    }
    assert msgspec.to_builtins(summary("1-1", None))["kind"] == "unknown"
