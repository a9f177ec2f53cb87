"""Every reason for which something did not happen, in one table.

A row holds what the program that asked should do next, the number that the national terminal driver has for it
(LD/T 33, annex A; the driver negates card status words itself), and one sentence with the remedy in English and
Chinese. Placeholders in braces are filled from the error's facts.
"""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from cardd.base.structs import Struct


class Reason(StrEnum):
    """Stable names of refusals and failures, as clients see them."""

    FORBIDDEN = "FORBIDDEN"
    INVALID = "INVALID"
    NOT_FOUND = "NOT_FOUND"
    BUSY = "BUSY"
    TIMEOUT = "TIMEOUT"
    TOO_LATE = "TOO_LATE"
    INTERNAL = "INTERNAL"

    PCSC_UNAVAILABLE = "PCSC_UNAVAILABLE"
    PCSC_DENIED = "PCSC_DENIED"
    READER_UNAVAILABLE = "READER_UNAVAILABLE"
    READER_IN_USE = "READER_IN_USE"

    NO_CARD = "NO_CARD"
    CARD_REMOVED = "CARD_REMOVED"
    CARD_MUTE = "CARD_MUTE"
    CARD_UNPOWERED = "CARD_UNPOWERED"
    CARD_UNKNOWN = "CARD_UNKNOWN"
    CARD_NOT_GENUINE = "CARD_NOT_GENUINE"
    CARD_BLOCKED = "CARD_BLOCKED"
    CARD_ID_MALFORMED = "CARD_ID_MALFORMED"
    CARD_DATA_DIFFERS = "CARD_DATA_DIFFERS"
    STALE_INSERTION = "STALE_INSERTION"

    LEASE_HELD = "LEASE_HELD"
    LEASE_LOST = "LEASE_LOST"

    FILE_ABSENT = "FILE_ABSENT"
    RECORD_ABSENT = "RECORD_ABSENT"
    ACCESS_DENIED = "ACCESS_DENIED"
    STATUS_WORD = "STATUS_WORD"
    ACCOUNT_NOT_IN_USE = "ACCOUNT_NOT_IN_USE"
    BALANCE_TOO_SMALL = "BALANCE_TOO_SMALL"
    ALGORITHM_UNSUPPORTED = "ALGORITHM_UNSUPPORTED"
    NO_CERTIFICATE_APPLICATION = "NO_CERTIFICATE_APPLICATION"

    PIN_WRONG = "PIN_WRONG"
    PIN_LOCKED = "PIN_LOCKED"
    PIN_CANCELLED = "PIN_CANCELLED"
    PIN_TIMEOUT = "PIN_TIMEOUT"
    PIN_LENGTH = "PIN_LENGTH"
    PIN_MISMATCH = "PIN_MISMATCH"
    PIN_UNCHANGED = "PIN_UNCHANGED"

    PSAM_ABSENT = "PSAM_ABSENT"
    PSAM_ALGORITHM = "PSAM_ALGORITHM"
    PSAM_KEY_MISSING = "PSAM_KEY_MISSING"
    PSAM_LEVEL = "PSAM_LEVEL"
    HSM_UNAVAILABLE = "HSM_UNAVAILABLE"
    HSM_NOT_NEEDED = "HSM_NOT_NEEDED"
    KEY_STOPPED = "KEY_STOPPED"

    AUTHORITY_UNAVAILABLE = "AUTHORITY_UNAVAILABLE"
    NAME_DIFFERS = "NAME_DIFFERS"
    NUMBER_DIFFERS = "NUMBER_DIFFERS"
    OTHER_PERSON = "OTHER_PERSON"
    DOCUMENT_DIFFERS = "DOCUMENT_DIFFERS"
    CARD_LOST = "CARD_LOST"
    CARD_VOID = "CARD_VOID"
    CARD_EXPIRED = "CARD_EXPIRED"
    OTHER_REGION = "OTHER_REGION"
    OLD_CARD_LOST = "OLD_CARD_LOST"
    OLD_CARD_VOID = "OLD_CARD_VOID"
    OLD_CARD_FROZEN = "OLD_CARD_FROZEN"
    OLD_CARD_UNREADABLE = "OLD_CARD_UNREADABLE"
    OLD_PASSWORD_WRONG = "OLD_PASSWORD_WRONG"  # noqa: S105 - a reason's name, no password
    OLD_PASSWORD_LOCKED = "OLD_PASSWORD_LOCKED"  # noqa: S105 - a reason's name, no password

    CURSOR_GONE = "CURSOR_GONE"
    SLOW_CONSUMER = "SLOW_CONSUMER"
    JOURNAL_FULL = "JOURNAL_FULL"
    JOURNAL_UNAVAILABLE = "JOURNAL_UNAVAILABLE"


class Retry(StrEnum):
    """What the asking program may do next."""

    NEVER = "never"
    NOW = "now"
    AFTER_EVENT = "after_event"


class ReasonRow(Struct, frozen=True):
    """One reason's consequences: retry advice, the driver's number (or None), a sentence in both languages."""

    retry: Retry
    driver: int | None
    en: str
    zh: str


_N, _NOW, _EV = Retry.NEVER, Retry.NOW, Retry.AFTER_EVENT

# fmt: off
REASONS: Final = MappingProxyType(
    {
        Reason.FORBIDDEN: ReasonRow(_N, None, "This user may not do that. Ask the operator for the right it needs.", "当前用户无此权限。请联系管理员授权。"),
        Reason.INVALID: ReasonRow(_N, -14, "The request is not in order. Correct it and send it again.", "请求参数有误。请更正后重试。"),
        Reason.NOT_FOUND: ReasonRow(_N, -14, "There is no such thing here. Check the name.", "未找到所指定的对象。请核对名称。"),
        Reason.BUSY: ReasonRow(_EV, -11, "The reader is busy with other work. Wait until that has ended.", "读卡器正忙。请等待当前业务结束。"),
        Reason.TIMEOUT: ReasonRow(_NOW, -4, "That took too long and was given up. Try again.", "操作超时，已中止。请重试。"),
        Reason.TOO_LATE: ReasonRow(_N, -14, "The activation is already with the centre and can no longer be cancelled.", "启用请求已提交中心，无法取消。"),
        Reason.INTERNAL: ReasonRow(
            _N,
            None,
            "Something went wrong inside cardd. Tell the operator; the log says where.",
            "cardd 内部错误。请联系管理员查看日志。",
        ),
        Reason.PCSC_UNAVAILABLE: ReasonRow(_EV, -11, "The smart-card service (pcscd) is not reachable. Start it: systemctl start pcscd.socket.", "智能卡服务（pcscd）不可用。请启动该服务。"),
        Reason.PCSC_DENIED: ReasonRow(_EV, -11, "The smart-card service refused access. Install the polkit rule for the cardd user.", "智能卡服务拒绝访问。请为 cardd 用户安装 polkit 规则。"),
        Reason.READER_UNAVAILABLE: ReasonRow(_EV, -11, "The reader does not answer. Unplug it and plug it in again.", "读卡器无响应。请重新插拔读卡器。"),
        Reason.READER_IN_USE: ReasonRow(_NOW, -11, "Another program holds the reader. Close that program, then try again.", "读卡器被其他程序占用。请关闭该程序后重试。"),
        Reason.NO_CARD: ReasonRow(_EV, -2, "There is no card in the reader. Insert the card.", "读卡器中没有卡。请插卡。"),
        Reason.CARD_REMOVED: ReasonRow(_EV, -4, "The card was taken out too early. Insert it again and leave it in.", "卡片被提前取出。请重新插卡，勿拔出。"),
        Reason.CARD_MUTE: ReasonRow(_EV, -4, "The card does not answer. Insert it with the chip forward and upwards.", "卡片无应答。请芯片朝上、朝前重新插入。"),
        Reason.CARD_UNPOWERED: ReasonRow(_EV, -3, "The card could not be powered. Take it out, clean the chip and insert it again.", "卡片未能上电。请取出擦拭芯片后重新插入。"),
        Reason.CARD_UNKNOWN: ReasonRow(_EV, -1, "This is neither a social security card nor a medical insurance card.", "该卡不是社会保障卡或医保卡。"),
        Reason.CARD_NOT_GENUINE: ReasonRow(_N, -21, "The card could not prove that it is genuine. Keep it and tell the card centre.", "卡片内部认证失败，可能为非真卡。请联系卡中心。"),
        Reason.CARD_BLOCKED: ReasonRow(_N, -27265, "The card or this application on it is blocked for good. Send the holder to the card centre.", "卡片或应用已锁定。请持卡人到卡中心办理。"),
        Reason.CARD_ID_MALFORMED: ReasonRow(_N, -20, "The card's identification code is damaged. Send the holder to the card centre.", "卡识别码格式错误。请持卡人到卡中心办理。"),
        Reason.CARD_DATA_DIFFERS: ReasonRow(_EV, -22, "This is not the card that was read before. Insert the right card.", "与先前读取的卡不一致。请插入正确的卡。"),
        Reason.STALE_INSERTION: ReasonRow(_N, -22, "That card has left the reader since. Read the card that is in now.", "该卡已离开读卡器。请重新读卡。"),
        Reason.LEASE_HELD: ReasonRow(_EV, -11, "Another client holds this card. Wait until it lets go.", "该卡正被其他客户端占用。请稍候。"),
        Reason.LEASE_LOST: ReasonRow(_N, -12, "The hold on the card has ended. Acquire it again.", "对卡片的占用已结束。请重新获取。"),
        Reason.FILE_ABSENT: ReasonRow(_N, -27266, "The card has no such file.", "卡内没有该文件。"),
        Reason.RECORD_ABSENT: ReasonRow(_N, -27267, "The card has no such record.", "卡内没有该记录。"),
        Reason.ACCESS_DENIED: ReasonRow(_N, -27010, "The card asks for a right that was not obtained.", "安全条件不满足，卡片拒绝访问。"),
        Reason.STATUS_WORD: ReasonRow(_N, None, "The card refused the command.", "卡片返回错误状态字。"),
        Reason.ACCOUNT_NOT_IN_USE: ReasonRow(_N, -27013, "The medical account on this card is not in use: the card is for settling online. Settle with the centre.", "该卡未启用卡内医保个人账户（联网用卡方式）。请联网结算。"),
        Reason.BALANCE_TOO_SMALL: ReasonRow(_N, -37889, "The card's medical account does not hold that much. Settle another way.", "医保个人账户余额不足。请改用其他方式结算。"),
        Reason.ALGORITHM_UNSUPPORTED: ReasonRow(_N, -2202, "The card uses an algorithm that is not supported here (SSF33).", "不支持该卡的算法（SSF33）。"),
        Reason.NO_CERTIFICATE_APPLICATION: ReasonRow(_N, -13, "The card has no certificate application that is publicly specified.", "不支持证书应用。"),
        Reason.PIN_WRONG: ReasonRow(_NOW, -51, "The password is wrong. Ask the holder to type it again.", "密码错误。请持卡人重新输入。"),
        Reason.PIN_LOCKED: ReasonRow(_N, -52, "The password is locked. Send the holder to the card centre with the identity card.", "密码已锁定。请持卡人携身份证到卡中心办理。"),
        Reason.PIN_CANCELLED: ReasonRow(_NOW, -31, "The holder cancelled the password.", "持卡人取消了密码输入。"),
        Reason.PIN_TIMEOUT: ReasonRow(_NOW, -32, "No password was typed in time.", "密码输入超时。"),
        Reason.PIN_LENGTH: ReasonRow(_NOW, -33, "A password has 4 to 16 digits. Ask the holder to type it again.", "密码应为4至16位数字。请重新输入。"),
        Reason.PIN_MISMATCH: ReasonRow(_NOW, -34, "The two new passwords differ. Ask the holder to type them again.", "两次输入的新密码不一致。请重新输入。"),
        Reason.PIN_UNCHANGED: ReasonRow(_NOW, -36, "The new password is the one that the card has. Ask the holder for another one.", "新密码与原密码相同。请设置其他密码。"),
        Reason.PSAM_ABSENT: ReasonRow(_EV, -2201, "The security module (PSAM) is missing. Insert it into the reader with the role sam.", "未检测到PSAM卡。请将其插入SAM卡槽。"),
        Reason.PSAM_ALGORITHM: ReasonRow(_N, -2202, "The security module does not support this card's algorithm. Order a newer PSAM.", "PSAM卡不支持该卡的算法。请更换PSAM卡。"),
        Reason.PSAM_KEY_MISSING: ReasonRow(_N, -2203, "The security module lacks a key for this card. Order a PSAM that has it.", "PSAM卡缺少所需密钥。请更换PSAM卡。"),
        Reason.PSAM_LEVEL: ReasonRow(_N, -24, "The security module's keys are of a level that cannot serve this card.", "PSAM卡密钥级别不足。"),
        Reason.HSM_UNAVAILABLE: ReasonRow(_NOW, -2201, "The key server (HSM) is not reachable. Check the network.", "加密机不可用。请检查网络。"),
        Reason.HSM_NOT_NEEDED: ReasonRow(_N, -2204, "This file needs no key server. Read it directly.", "该文件无需加密机。请直接读取。"),
        Reason.KEY_STOPPED: ReasonRow(_N, -27011, "A key was refused by a card and is stopped on this station. The operator checks the PSAM, then clears the station.", "密钥认证失败，本工位已停用该密钥。请管理员检查PSAM卡后解除。"),
        Reason.AUTHORITY_UNAVAILABLE: ReasonRow(_NOW, None, "The card centre is not reachable. Nothing was changed; try again later.", "无法连接卡中心，未做任何更改。请稍后重试。"),
        Reason.NAME_DIFFERS: ReasonRow(_N, None, "The name on the card differs from the register. Send the holder to the card centre.", "姓名不符。请持卡人到卡中心办理。"),
        Reason.NUMBER_DIFFERS: ReasonRow(_N, None, "The social security number differs from the register. Send the holder to the card centre.", "社会保障号码不一致。请持卡人到卡中心办理。"),
        Reason.OTHER_PERSON: ReasonRow(_N, None, "The two cards belong to different persons. Ask for the holder's own old card.", "两张卡不属于同一人。请使用本人的旧卡。"),
        Reason.DOCUMENT_DIFFERS: ReasonRow(_N, None, "The identity document does not belong to the card's holder. Ask for the holder's own document.", "身份证件与持卡人不符。请出示持卡人本人的有效证件。"),
        Reason.CARD_LOST: ReasonRow(_N, None, "This card was reported lost. Keep it and ask the card centre.", "该卡已挂失。请联系卡中心。"),
        Reason.CARD_VOID: ReasonRow(_N, None, "This card is void. Send the holder to the card centre.", "该卡已作废。请持卡人到卡中心办理。"),
        Reason.CARD_EXPIRED: ReasonRow(_N, None, "This card has expired. Send the holder to the card centre for a new one.", "该卡已过有效期。请持卡人到卡中心换卡。"),
        Reason.OTHER_REGION: ReasonRow(_N, None, "This card was issued in another region and can be activated only there.", "异地卡，只能在发卡地启用。请持卡人到发卡地办理。"),
        Reason.OLD_CARD_LOST: ReasonRow(_N, None, "The old card was reported lost. Send the holder to the card centre.", "旧卡已挂失。请持卡人到卡中心办理。"),
        Reason.OLD_CARD_VOID: ReasonRow(_N, None, "The old card is no longer valid. Send the holder to the card centre.", "旧卡已失效。请持卡人到卡中心办理。"),
        Reason.OLD_CARD_FROZEN: ReasonRow(_N, None, "The old card is frozen. Send the holder to the card centre.", "旧卡已冻结。请持卡人到卡中心办理。"),
        Reason.OLD_CARD_UNREADABLE: ReasonRow(_N, None, "The old card cannot be read. Activate at a hospital or at the card centre instead.", "旧卡无法读取。请到医院或卡中心办理启用。"),
        Reason.OLD_PASSWORD_WRONG: ReasonRow(_NOW, None, "The old card's password is wrong. Ask the holder to type it again.", "旧卡密码错误。请重新输入。"),
        Reason.OLD_PASSWORD_LOCKED: ReasonRow(_N, None, "The old card's password is locked. Send the holder to the card centre with the identity card.", "旧卡密码已锁定。请持卡人携身份证到卡中心办理。"),
        Reason.CURSOR_GONE: ReasonRow(_N, None, "That place in the event stream no longer exists. Subscribe again from the earliest.", "该事件位置已不存在。请从最早的事件重新订阅。"),
        Reason.SLOW_CONSUMER: ReasonRow(_NOW, None, "This client reads too slowly and was disconnected. Connect again from the cursor given.", "客户端接收过慢，已断开。请从所给位置重新连接。"),
        Reason.JOURNAL_FULL: ReasonRow(_EV, None, "The journal's disk is full. Nothing new is begun until there is space.", "日志存储空间不足，暂停新业务。请清理磁盘。"),
        Reason.JOURNAL_UNAVAILABLE: ReasonRow(_EV, None, "The journal cannot be written. Nothing new is begun; check the disk and the daemon's log.", "日志无法写入，暂停新业务。请检查磁盘和程序日志。"),
    }
)
# fmt: on
