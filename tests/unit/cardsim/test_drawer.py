"""Physical cards of a laboratory."""

import pytest

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardsim.drawer import Drawer
from cardsim.persona import load_persona

JIA = "social-jia-3.0"
SELECT = bytes.fromhex("00A404000F") + bytes.fromhex("7378312E73682EC9E7BBE1B1A3D5CF")
WRONG_PIN = bytes.fromhex("00200000 03 999999".replace(" ", ""))


def drawer_with(name: str) -> Drawer:
    drawer = Drawer()
    drawer.provide(name, load_persona(JIA))
    return drawer


def verify(drawer: Drawer, name: str, interface: str = "contact") -> bytes:
    card = drawer.take(name, interface)
    card.power_on()
    card.transmit(SELECT)
    answer = card.transmit(WRONG_PIN)
    card.power_off()
    return answer


def test_what_was_done_to_a_card_stays_until_it_is_made_afresh() -> None:
    drawer = drawer_with("a")
    first = verify(drawer, "a")
    second = verify(drawer, "a")
    drawer.provide("a", load_persona(JIA))
    third = verify(drawer, "a")
    drawer.make("a", load_persona(JIA))
    fresh = verify(drawer, "a")
    assert first[0] == 0x63, first.hex()
    assert first > second > third
    assert fresh == first


def test_two_names_are_two_cards() -> None:
    drawer = drawer_with("a")
    drawer.provide("b", load_persona(JIA))
    first = verify(drawer, "a")
    verify(drawer, "a")
    assert verify(drawer, "b") == first


def test_a_card_is_the_same_through_both_interfaces() -> None:
    drawer = drawer_with("a")
    first = verify(drawer, "a", "contact")
    assert first > verify(drawer, "a", "contactless") > verify(drawer, "a", "contact")


def test_a_name_is_not_two_personas() -> None:
    drawer = drawer_with("a")
    with pytest.raises(CarddError) as caught:
        drawer.provide("a", load_persona("old-jia"))
    assert caught.value.reason is Reason.INVALID


def test_an_interface_that_a_card_lacks_is_refused() -> None:
    drawer = Drawer()
    drawer.provide("old", load_persona("old-jia"))
    with pytest.raises(CarddError) as caught:
        drawer.take("old", "contactless")
    assert caught.value.reason is Reason.INVALID
    assert drawer.first_interface("old") == "contact"


def test_a_name_that_nobody_has_given_is_not_found() -> None:
    with pytest.raises(CarddError) as caught:
        Drawer().take("nobody", "contact")
    assert caught.value.reason is Reason.NOT_FOUND
