"""Names, application identifiers and paths of the card and of the PSAM (LD/T 32.3, 32.5, 32.9; JR/T 0025)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

SSSE_NAME: Final = bytes.fromhex("7378312E73682EC9E7BBE1B1A3D5CF")
"""`sx1.sh.社会保障`: the environment of a social security card, and the DES environment of a PSAM."""

SX1_NAME: Final = SSSE_NAME
SX2_NAME: Final = b"sx2" + SSSE_NAME[3:]
SX3_NAME: Final = b"sx3" + SSSE_NAME[3:]

PSAM_NAMES: Final[Mapping[int, bytes]] = MappingProxyType({1: SX1_NAME, 2: SX2_NAME, 3: SX3_NAME})
"""The PSAM's environment by the number of the algorithm: 1 DES, 2 SSF33, 3 SM4."""

PSAM_APPLICATION: Final = bytes.fromhex("D15600000590")
"""DF01 inside each environment of a PSAM: where its keys are used."""

PBOC_CONTACT: Final = b"1PAY.SYS.DDF01"
"""The bank environment; old medical insurance cards bear the same name."""

PBOC_CONTACTLESS: Final = b"2PAY.SYS.DDF01"
PBOC_DEBIT: Final = bytes.fromhex("A000000333010101")

AIDS: Final[Mapping[str, bytes]] = MappingProxyType(
    {
        "SSSE": SSSE_NAME,
        "DF01": bytes.fromhex("D15600000500"),
        "DF02": bytes.fromhex("D15600000501"),
        "DF03": bytes.fromhex("D15600000502"),
        "DF04": bytes.fromhex("D15600000503"),
        "DF07": bytes.fromhex("D15600000504"),
    }
)
"""What an application is selected by. DF05 and DF06 have none: they are found by their label in the DIR file."""

LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "DF01": "公共应用信息区",
        "DF02": "就业与失业信息区",
        "DF03": "社会保险信息区1",
        "DF04": "社会保险信息区2",
        "DF05": "生命与健康信息区",
        "DF06": "救助与优抚信息区",
        "DF07": "人事人才信息区",
    }
)
"""Labels in the DIR file, stored in GBK."""

FCI_NAME: Final = (0x6F, 0x84)
"""Path of tags to the name in the answer to SELECT."""

FCI_DIRECTORY: Final = (0x6F, 0xA5, 0x88)
"""Path to the short identifier of the DIR file."""

FCI_ALGORITHM: Final = (0x6F, 0xA5, 0x9F0C, 0x86)
"""Path to the algorithm byte. A card without it is DES, or SSF33 where the region begins with 11."""

SSF33_REGION: Final = "11"
