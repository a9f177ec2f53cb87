"""What the configuration says of the durable record."""

from typing import Annotated, ClassVar, Literal

import msgspec

from cardd.base.options import Place, Seconds, Strict

Days = Annotated[int, msgspec.Meta(ge=1, le=36500)]
Megabytes = Annotated[int, msgspec.Meta(ge=1)]


class JournalOptions(Strict):
    """The durable record, sealed, signed and kept.

    `key_file` holds the sealing key, `signing_key_file` the signing one (each made at the first start, readable by its
    owner only; credentials `journal.key` and `journal.signing` of the service manager go before them). A head is signed
    every `heads_s` seconds in which anything happened. Events are kept for `keep_days`; over `most_mb` the oldest go
    earlier, but none that is younger than `floor_days`. `reserve_mb` are set aside for the day when the disk is full.
    """

    key_file: str | None = None
    sealing: Literal["sm4-gcm", "aes-256-gcm"] = "sm4-gcm"
    signing_key_file: str | None = None
    signing: Literal["ed25519", "sm2"] = "ed25519"
    heads_s: Seconds = 60.0
    keep_days: Days = 366
    floor_days: Days = 183
    most_mb: Megabytes | None = None
    reserve_mb: Annotated[int, msgspec.Meta(ge=0, le=1024)] = 16

    FILES: ClassVar = ("key_file", "signing_key_file")

    def check(self, place: Place) -> None:
        """Find a time that is shorter than the least. Raises DocumentError."""
        if self.keep_days < self.floor_days:
            problem = f"events are kept for at least `floor_days` ({self.floor_days}): write as many or more"
            raise place.wrong(".keep_days", problem)
