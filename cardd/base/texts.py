"""What a clerk reads: prompts and hints by code, English and Chinese, from one table.

The journal stores codes and arguments; the sentences are rendered when an event is delivered, so that a better
sentence also serves old events. Every `Reason` is a code too.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cardd.base.reasons import REASONS, Reason

Text = dict[str, str]

TEXTS: Final = MappingProxyType(
    {
        "insert_old_card": ("Insert the old medical insurance card.", "请插入原医保卡。"),
        "reading_old_card": ("Reading the old card. Leave it in.", "正在读取原医保卡，请勿拔卡。"),
        "old_card_password": ("Ask the holder for the old card's password.", "请持卡人输入原医保卡密码。"),
        "old_card_password_again": (
            "The old card's password was wrong; {tries_left} tries are left.",
            "原医保卡密码错误，还可尝试{tries_left}次。",
        ),
        "checking_password": ("Checking the password.", "正在验证密码。"),
        "insert_social_card": (
            "Take the old card out and insert the social security card.",
            "请取出原医保卡，插入社会保障卡。",
        ),
        "insert_card": ("Insert the social security card.", "请插入社会保障卡。"),
        "old_card_not_needed": (
            "This is an old medical insurance card, which is not needed here. Insert the social security card.",
            "这是原医保卡，此处无需使用。请插入社会保障卡。",
        ),
        "secret_lost": (
            "What was typed before is not kept. Ask the holder to type it again; leave the card in.",
            "先前输入的密码未保留。请持卡人重新输入，请勿拔卡。",
        ),
        "reading_social_card": (
            "Reading the social security card. Leave it in.",
            "正在读取社会保障卡，请勿拔卡。",
        ),
        "social_card_first": (
            "This is the social security card. Insert the old medical insurance card first.",
            "这是社会保障卡。请先插入原医保卡。",
        ),
        "same_old_card": (
            "This is the old card again. Insert the social security card.",
            "仍是原医保卡。请插入社会保障卡。",
        ),
        "other_old_card": (
            "This is an old card too. Insert the social security card.",
            "这也是原医保卡。请插入社会保障卡。",
        ),
        "card_pulled": (
            "The card was taken out too early. Insert it again and leave it in.",
            "卡片被提前取出。请重新插入，勿拔卡。",
        ),
        "social_pin": ("Ask the holder for the social security card's password.", "请持卡人输入社会保障卡密码。"),
        "social_pin_again": (
            "The password was wrong; {tries_left} tries are left.",
            "密码错误，还可尝试{tries_left}次。",
        ),
        "new_pin": ("Ask the holder for a new password, twice.", "请持卡人输入新密码（两次）。"),
        "changing_pin": ("Setting the new password. Leave the card in.", "正在设置新密码，请勿拔卡。"),
        "pin_torn": (
            "It is not certain that the new password was set. Ask the holder to type the new password again, once.",
            "无法确定新密码是否已设置。请持卡人再输入一次新密码。",
        ),
        "pin_not_changed": (
            "The new password was not set. Ask for the password that the card had before; {tries_left} tries are left.",
            "新密码未设置成功。请持卡人输入卡片原来的密码，还可尝试{tries_left}次。",
        ),
        "authorising": ("Asking the card centre. Leave the card in.", "正在向卡中心办理启用，请勿拔卡。"),
        "updating_card": ("Writing to the card. Leave it in.", "正在写卡，请勿拔卡。"),
        "same_card_again": (
            "Insert the same social security card again, so that it can be finished.",
            "请重新插入同一张社会保障卡，以完成办理。",
        ),
        "stranger_card": (
            "This is another card. Insert the social security card that was read before.",
            "这是另一张卡。请插入先前读取的社会保障卡。",
        ),
        "confirming": ("Confirming with the card centre.", "正在向卡中心确认。"),
        "in_doubt": (
            "The card centre's answer is not known yet. It is being asked; do not start again.",
            "尚未得到卡中心的结果，正在查询，请勿重复办理。",
        ),
        "completed": ("The social security card is activated.", "社会保障卡已启用。"),
        "already_active": ("This social security card is already in use.", "社会保障卡已是启用状态。"),
        "activated_update_pending": (
            "The card is activated; writing to it has to be finished at the next visit.",
            "社会保障卡已启用，卡内信息待下次补写。",
        ),
        "cancelled": ("The activation was cancelled. Nothing was changed.", "启用已取消，未做任何更改。"),
        "expired": (
            "The activation took too long and was given up. Nothing was changed.",
            "启用超时，已终止，未做任何更改。",
        ),
        "cancelled_pin": (
            "The activation was cancelled. The card's password may have been changed, nothing else.",
            "启用已取消。卡片密码可能已更改，其他未做更改。",
        ),
        "expired_pin": (
            "The activation took too long and was given up. The card's password may have been changed, nothing else.",
            "启用超时，已终止。卡片密码可能已更改，其他未做更改。",
        ),
        "interrupted_pin": (
            "A restart interrupted this. The card's password may have been changed, nothing else; begin again.",
            "启用因系统重启中断。卡片密码可能已更改，其他未做更改。请重新开始。",
        ),
        "lease_own": (
            "You hold a lease on the card in this station yourself. Release it first, or work under it.",
            "您自己正占用本工位内的卡片。请先释放占用，或在该占用下操作。",
        ),
        "reader_held": (
            "Another program holds the reader, perhaps one of these: {programs}. Close it, then try again.",
            "读卡器被其他程序占用，可能是：{programs}。请关闭该程序后重试。",
        ),
        "pcsc_other_version": (
            "The smart-card service (pcscd) and its library are of two versions. Have both installed from one release.",
            "智能卡服务（pcscd）与其库的版本不一致。请安装同一版本的 pcscd 和 libpcsclite1，并重启服务。",
        ),
        "pcsc_cards_denied": (
            "The smart-card service runs and refuses access to cards. Have cardd's polkit rule installed.",
            "智能卡服务正在运行，但拒绝访问卡片。请为 cardd 用户安装 polkit 规则。",
        ),
        "pcsc_socket_closed": (
            "The smart-card service's socket is closed to the cardd user. Have its permissions corrected.",
            "cardd 用户无权访问智能卡服务的套接字。请更正其访问权限。",
        ),
        "pcsc_overloaded": (
            "The smart-card service is overloaded. Close other programs that use readers, or have it restarted.",
            "智能卡服务繁忙。请关闭其他使用读卡器的程序，或重启该服务。",
        ),
        "pcsc_slept": (
            "The computer has slept. The cards are being read anew.",
            "计算机曾休眠，正在重新读取卡片。",
        ),
        "driver_unsupported": ("The driver has no such function.", "驱动不支持该函数。"),
        "driver_debited_before": (
            "The bill of the same amounts that was asked for before was paid after all. Look at the card's records.",
            "此前同额消费已成功，本次未扣款。请读取消费记录核对。",
        ),
        "driver_unknown_before": (
            "What became of the same write before cannot be read here. Look at the card, then call again.",
            "此前同样的写卡结果不明，本机无法读取核对。请核对卡内数据后再次写卡。",
        ),
        "driver_data_illegal": (
            "The data cannot be written so. Compare them with the address.",
            "写入数据不合法。请与文件地址核对。",
        ),
        "driver_data_characters": (
            "The data have a character that separates data.",
            "数据中有非法字符（分隔符）。",
        ),
        "driver_data_length": (
            "The data have no room in the function's buffer. Name fewer files.",
            "数据长度超出缓冲区。请减少文件或数据项。",
        ),
        "station_cleared": (
            "The station was cleared by its operator. Insert the card again.",
            "管理员已解除本工位的停用，请重新插卡。",
        ),
        "interrupted": (
            "The activation was interrupted by a restart and given up. Nothing was changed; begin again.",
            "启用因系统重启中断，未做任何更改。请重新开始。",
        ),
    }
)


def render(code: str, args: Mapping[str, object] | None = None) -> Text:
    """Return `{"en": …, "zh-CN": …}` for a code of TEXTS or a Reason.

    An argument that a sentence names and that is missing shows as `?`; an unknown code is its own text, so that an old
    journal never breaks a new daemon.
    """
    if code in TEXTS:
        en, zh = TEXTS[code]
    elif code in Reason.__members__:
        row = REASONS[Reason(code)]
        en, zh = row.en, row.zh
    else:
        return {"en": code, "zh-CN": code}
    values = _Defaulting(args or {})
    return {"en": en.format_map(values), "zh-CN": zh.format_map(values)}


class _Defaulting(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "?"
