"""What the configuration says of activations: who decides on cards, and what this counter offers."""

from typing import Annotated, ClassVar, Literal

import msgspec

from cardd.base.options import Place, Seconds, Strict, check_address


class AuthorityOptions(Strict):
    """Who decides on cards.

    `local` is a register of this machine, filled from a YAML file when that has changed. `http` is a card centre at
    `url`, asked within `timeout_s` in all; `ca_file` holds who vouches for it, `certificate_file` and `key_file` what
    this counter shows to it.
    """

    provider: Literal["local", "http"] = "local"
    register: str | None = None
    url: str | None = None
    timeout_s: Seconds = 10.0
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None

    FILES: ClassVar = ("register", "ca_file", "certificate_file", "key_file")

    def check(self, place: Place) -> None:
        """Find a centre that cannot be asked. Raises DocumentError."""
        if self.provider != "http":
            return
        if self.url is None:
            raise place.wrong(".provider", "`url` is missing: the address of the card centre, https://…")
        check_address(self.url, place, ".url", "whole names")
        if (self.certificate_file is None) != (self.key_file is None):
            problem = (
                "`certificate_file` and `key_file` belong together: this counter shows the one and signs with the other"
            )
            raise place.wrong("", problem)


class DeadlineOptions(Strict):
    """How long each kind of waiting may take, in seconds; a state that is named goes before its kind."""

    person_s: Seconds = 120.0
    card_s: Seconds = 30.0
    authority_s: Seconds = 15.0
    waiting_old_card: Seconds | None = None
    reading_old_card: Seconds | None = None
    waiting_old_password: Seconds | None = None
    waiting_social_card: Seconds | None = None
    reading_social_card: Seconds | None = None
    waiting_pin: Seconds | None = None
    authorising: Seconds | None = None
    updating_card: Seconds | None = None
    waiting_same_card: Seconds | None = None
    confirming: Seconds | None = None


RouteName = Literal["pharmacy", "hospital", "bank"]
PinPolicyName = Literal["none", "verify", "take_over", "change", "change_is_activation"]


class PinPolicies(Strict):
    """A PIN policy for each route."""

    pharmacy: PinPolicyName = "none"
    hospital: PinPolicyName = "none"
    bank: PinPolicyName = "none"


class ActivationOptions(Strict):
    """What this counter offers, and its rules.

    `pin_policy`, for all routes or by their names: nothing is done with the card's PIN (`none`); the holder proves it
    (`verify`); the old card's password becomes the PIN (`take_over`, pharmacy only); the holder changes it, after the
    centre's word (`change`) or before it, so that nobody is activated without (`change_is_activation`).
    `expired_cards` and `other_regions` (of another region than `region`) are refused here, or the centre is asked.
    `without_old_card`: whether the pharmacy serves people who never had an old card; `old_numbers`: whether an old card
    without a chip may be given by its number.
    """

    routes: list[RouteName] = msgspec.field(default_factory=lambda: ["pharmacy", "hospital", "bank"])
    pin_policy: PinPolicyName | PinPolicies = "none"
    expired_cards: Literal["refuse", "ask"] = "refuse"
    other_regions: Literal["refuse", "ask"] = "ask"
    region: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{6}$")] | None = None
    without_old_card: Literal["refuse", "accept"] = "refuse"
    old_numbers: Literal["refuse", "accept"] = "accept"
    deadlines: DeadlineOptions = msgspec.field(default_factory=DeadlineOptions)

    def check(self, place: Place) -> None:
        """Find rules that no activation could be held against. Raises DocumentError."""
        if self.other_regions == "refuse" and self.region is None:
            problem = "`region` is missing: the six digits of the region whose cards are activated here"
            raise place.wrong(".other_regions", problem)
        if isinstance(self.pin_policy, str):
            return
        for route in ("hospital", "bank"):
            if getattr(self.pin_policy, route) == "take_over":
                problem = "an old card's password can be taken over in the pharmacy only: choose another policy here"
                raise place.wrong(f".pin_policy.{route}", problem)
