"""Every finding of `cardctl doctor`: what it says and what to do, English and Chinese, in one table."""

from types import MappingProxyType
from typing import Final

from cardd.base.structs import Struct

Pair = tuple[str, str]


class Row(Struct, frozen=True):
    """What was looked at, how much it matters, the sentence, and the remedy."""

    check: str
    level: str
    text: Pair
    remedy: Pair = ("", "")


def _ok(check: str, en: str, zh: str) -> Row:
    return Row(check, "ok", (en, zh))


_START: Final = (
    "Start it: systemctl start cardd; why it ended: journalctl -u cardd -n 50",
    "启动：systemctl start cardd；查看退出原因：journalctl -u cardd -n 50",
)
_AS_ROOT: Final = ("Run cardctl doctor as root to look at it.", "请以 root 身份运行 cardctl doctor 进行检查。")

ROWS: Final = MappingProxyType(
    {
        # -- the configuration
        "config_right": _ok("config", "{path} is in order", "{path} 配置正确"),
        "config_absent": Row("config", "note", ("there is no {path}; what needs it was not looked at", "没有 {path}，相关项目未检查"), ("Name the daemon's configuration: cardctl doctor --config FILE", "请指定守护进程的配置：cardctl doctor --config FILE")),
        "config_unreadable": Row("config", "note", ("you may not read {path}; what needs it was not looked at", "无权读取 {path}，相关项目未检查"), _AS_ROOT),
        "config_foreign": Row("config", "note", ("{path} is for another socket ({theirs}); what needs it was not looked at", "{path} 对应另一个套接字（{theirs}），相关项目未检查"), ("Name the configuration of this daemon: cardctl doctor --config FILE", "请指定本守护进程的配置：cardctl doctor --config FILE")),
        "config_wrong": Row("config", "wrong", ("the configuration has a mistake: {detail}", "配置有误：{detail}"), ("Correct that line; then: cardd check --config {path}", "请更正该行，然后运行：cardd check --config {path}")),
        "look_failed": Row("doctor", "note", ("looking at {part} failed ({error})", "检查 {part} 时出错（{error}）"), ("Please report it, with the output of cardctl bundle", "请附上 cardctl bundle 的输出进行报告")),
        # -- the daemon and the way to it
        "daemon_answers": _ok("daemon", "cardd {version} answers on {path}", "cardd {version} 在 {path} 上应答"),
        "daemon_absent": Row("daemon", "wrong", ("the daemon does not run: there is no socket {path}", "守护进程未运行：没有套接字 {path}"), _START),
        "daemon_gone": Row("daemon", "wrong", ("the daemon does not run: nobody answers on {path}", "守护进程未运行：{path} 无人应答"), _START),
        "daemon_silent": Row("daemon", "wrong", ("the daemon does not answer on {path}", "守护进程在 {path} 上不应答"), ("Restart it: systemctl restart cardd; its last words: journalctl -u cardd -n 50", "请重启：systemctl restart cardd；查看日志：journalctl -u cardd -n 50")),
        "daemon_foreign": Row("daemon", "wrong", ("what answers on {path} does not speak as cardd does: {detail}", "{path} 上的应答不符合 cardd 协议：{detail}"), ("Install cardctl and cardd from one release, and restart: systemctl restart cardd", "请安装同一版本的 cardctl 与 cardd，并重启：systemctl restart cardd")),
        "daemon_unusable": Row("daemon", "wrong", ("{path} cannot be used: {detail}", "{path} 无法使用：{detail}"), ("Name the daemon's socket: cardctl --socket PATH doctor", "请指定守护进程的套接字：cardctl --socket PATH doctor")),
        "daemon_of_other_version": Row("daemon", "note", ("cardd {version} runs, cardctl is {own}", "运行中的 cardd 为 {version}，cardctl 为 {own}"), ("After an upgrade, restart the daemon: systemctl restart cardd", "升级后请重启守护进程：systemctl restart cardd")),
        # -- who asks
        "group_right": _ok("groups", "{user} may open the socket", "{user} 可打开套接字"),
        "group_missing": Row("groups", "wrong", ("{user} may not open {path}, which is for the group {group}", "{user} 无权打开 {path}，该套接字属于组 {group}"), ("As root: usermod -a -G {group} {user}; then log in again", "以 root 运行：usermod -a -G {group} {user}，然后重新登录")),
        "group_of_root": Row("groups", "wrong", ("{user} may not open {path}, which is for the group {group} alone", "{user} 无权打开 {path}，该套接字仅属于组 {group}"), ("Set socket.group in the configuration to a group of clients, such as cardd, and put {user} into it: usermod -a -G cardd {user}; then restart cardd, and log in again", "请在配置中将 socket.group 设为客户端组（例如 cardd），将 {user} 加入该组：usermod -a -G cardd {user}；然后重启 cardd 并重新登录")),
        "group_not_yet": Row("groups", "wrong", ("{user} is in the group {group}, but was logged in before", "{user} 已加入组 {group}，但登录在此之前"), ("Log out and in again, or: newgrp {group}", "请注销后重新登录，或运行：newgrp {group}")),
        "group_closed": Row("groups", "wrong", ("{user} may not open {path}; its mode is {mode}, of {owner}:{group}", "{user} 无权打开 {path}，其权限为 {mode}，属于 {owner}:{group}"), ("Set socket.group and socket.mode in the configuration, or open the directories above it", "请在配置中设置 socket.group 与 socket.mode，或开放其上级目录")),
        "rights_some": _ok("rights", "{user} has the rights {rights}", "{user} 拥有权限 {rights}"),
        "rights_none": Row("rights", "wrong", ("{user} has no right at this daemon", "{user} 在本守护进程没有任何权限"), ("Add a row for {user} or one of its groups to socket.rights in the configuration; then: systemctl reload cardd", "请在配置的 socket.rights 中为 {user} 或其所在组添加一行，然后运行：systemctl reload cardd")),
        "rights_too_few": Row("rights", "note", ("{user} lacks the right observe: what the daemon knows was not looked at", "{user} 缺少 observe 权限，守护进程内部状态未检查"), ("Run cardctl doctor as a user who may observe (the preset operator, say)", "请以拥有 observe 权限的用户（例如预设 operator）运行 cardctl doctor")),
        # -- the smart-card service
        "pcsc_up": _ok("pcsc", "the smart-card service answers; it has {readers} readers", "智能卡服务正常，共 {readers} 个读卡器"),
        "pcsc_simulated": _ok("pcsc", "readers are those of the simulator ({backend})", "使用模拟读卡器（{backend}）"),
        "pcsc_simulator_away": Row("pcsc", "wrong", ("the simulator of the readers ({backend}) does not answer: {detail}", "读卡器模拟器（{backend}）不应答：{detail}"), ("Start the simulator, or set backend to pcsc", "请启动模拟器，或将 backend 设为 pcsc")),
        "pcsc_unavailable": Row("pcsc", "wrong", ("the smart-card service does not answer: {detail}", "智能卡服务不应答：{detail}"), ("Install and start it: apt-get install pcscd; systemctl start pcscd.socket", "请安装并启动：apt-get install pcscd；systemctl start pcscd.socket")),
        "pcsc_silent": Row("pcsc", "wrong", ("the smart-card service takes calls and does not answer them", "智能卡服务接受调用但不应答"), ("Restart it: systemctl restart pcscd; if that does not end, unplug the readers first", "请重启：systemctl restart pcscd；如仍无法结束，请先拔下读卡器")),
        "pcsc_socket_closed": Row("pcsc", "wrong", ("the smart-card service's socket may not be opened: {detail}", "无权打开智能卡服务的套接字：{detail}"), ("Let the user cardd write to /run/pcscd/pcscd.comm: systemctl restart pcscd.socket restores its mode", "请允许用户 cardd 写入 /run/pcscd/pcscd.comm：systemctl restart pcscd.socket 可恢复其权限")),
        "pcsc_other_version": Row("pcsc", "wrong", ("libpcsclite and pcscd speak different protocol versions: {detail}", "libpcsclite 与 pcscd 的协议版本不一致：{detail}"), ("Install both from one release: apt-get install --reinstall libpcsclite1 pcscd; then restart pcscd and cardd", "请安装同一版本：apt-get install --reinstall libpcsclite1 pcscd，然后重启 pcscd 与 cardd")),
        "pcsc_packages_differ": Row("pcsc", "note", ("libpcsclite1 is {library}, pcscd is {service}: they may not understand each other", "libpcsclite1 为 {library}，pcscd 为 {service}：可能不兼容"), ("Install both from one release: apt-get install libpcsclite1 pcscd", "请安装同一版本：apt-get install libpcsclite1 pcscd")),
        "pcsc_denied": Row("polkit", "wrong", ("polkit refuses the smart-card service: {detail}", "polkit 拒绝访问智能卡服务：{detail}"), ("Install cardd's polkit rule for org.debian.pcsc-lite.access_pcsc and access_card, then: systemctl restart pcscd", "请安装 cardd 的 polkit 规则（org.debian.pcsc-lite.access_pcsc 与 access_card），然后运行：systemctl restart pcscd")),
        "pcsc_cards_denied": Row("polkit", "wrong", ("polkit refuses the cards: {detail}", "polkit 拒绝访问卡片：{detail}"), ("Install cardd's polkit rule for org.debian.pcsc-lite.access_card, then: systemctl restart pcscd", "请安装 cardd 的 polkit 规则（org.debian.pcsc-lite.access_card），然后运行：systemctl restart pcscd")),
        "polkit_rule": _ok("polkit", "a rule for the smart-card service is installed: {path}", "已安装智能卡服务的规则：{path}"),
        "polkit_none": _ok("polkit", "polkit is not installed here", "本机未安装 polkit"),
        "polkit_rule_absent": Row("polkit", "note", ("no polkit rule lets cardd use the smart-card service: it works as root only", "没有允许 cardd 使用智能卡服务的 polkit 规则：仅 root 可用"), ("Install cardd's polkit rule (the package does), then: systemctl restart pcscd", "请安装 cardd 的 polkit 规则（软件包自带），然后运行：systemctl restart pcscd")),
        "polkit_unreadable": Row("polkit", "note", ("{path} may not be read: whether cardd's rule is there was not looked at", "无权读取 {path}：未检查 cardd 的规则是否存在"), _AS_ROOT),
        # -- readers and their roles
        "readers_right": _ok("roles", "{count} readers serve the stations {stations}", "{count} 个读卡器服务于工位 {stations}"),
        "readers_none": Row("roles", "wrong", ("there is no reader", "没有读卡器"), ("Plug one in; if it is, its driver may be missing: apt-get install libccid", "请连接读卡器；若已连接，可能缺少驱动：apt-get install libccid")),
        "reader_unmatched": Row("roles", "note", ("no rule of the configuration fits the reader {reader}: it is ignored", "配置中没有规则与读卡器 {reader} 匹配：已忽略"), ("If it is to serve, add a match for this name to a station's readers; cardctl readers shows the names", "如需使用，请在工位的 readers 中为该名称添加 match；cardctl readers 可查看名称")),
        "station_without_reader": Row("roles", "wrong", ("the station {station} has no reader for cards", "工位 {station} 没有读卡用读卡器"), ("Plug its reader in, or correct its match: cardctl readers shows what there is", "请连接其读卡器，或更正 match：cardctl readers 可查看现有读卡器")),
        "reader_unavailable": Row("roles", "wrong", ("the reader {reader} does not answer", "读卡器 {reader} 不应答"), ("Unplug it and plug it in again; then: cardctl clear {station}", "请拔下后重新连接，然后运行：cardctl clear {station}")),
        "reader_in_use": Row("roles", "note", ("another program has the reader {reader}", "另一程序正在占用读卡器 {reader}"), ("Close that program if the counter is to work", "如柜台需要工作，请关闭该程序")),
        "sam_empty": Row("roles", "wrong", ("the reader {reader} is for a security module and has none", "读卡器 {reader} 用于安全模块，但其中没有"), ("Put the PSAM in with its chip towards the contacts, or correct the reader's role", "请插入 PSAM（芯片朝向触点），或更正该读卡器的 role")),
        "sam_other_card": Row("roles", "wrong", ("the reader {reader} is for a security module; what is in it is {kind}", "读卡器 {reader} 用于安全模块，其中的卡为 {kind}"), ("Put the PSAM into it, or correct the reader's role", "请插入 PSAM，或更正该读卡器的 role")),
        "sam_none": Row("roles", "wrong", ("keys come from a PSAM, and no reader has the role sam", "密钥来自 PSAM，但没有 role 为 sam 的读卡器"), ("Give the PSAM's reader `role: sam` in the configuration, or plug it in", "请在配置中为 PSAM 读卡器设置 `role: sam`，或连接该读卡器")),
        # -- keys
        "keys_right": _ok("keys", "the key service {provider} is there", "密钥服务 {provider} 正常"),
        "keys_unasked": _ok("keys", "the key service {provider} has not been asked yet", "密钥服务 {provider} 尚未被使用"),
        "keys_none": Row("keys", "note", ("no key service is configured: no card can prove itself", "未配置密钥服务：无法验证卡片真伪"), ("Set keys.provider to psam or remote", "请将 keys.provider 设为 psam 或 remote")),
        "keys_for_tests": Row("keys", "note", ("software keys are in use: this is a test machine", "正在使用软件密钥：这是测试机"), ("At a real counter set keys.provider to psam or remote", "正式柜台请将 keys.provider 设为 psam 或 remote")),
        "psam_absent": Row("keys", "wrong", ("no security module (PSAM) is there", "没有安全模块（PSAM）"), ("Put the PSAM into the reader with the role sam", "请将 PSAM 插入 role 为 sam 的读卡器")),
        "hsm_away": Row("keys", "wrong", ("the security machine {host} does not answer", "密码机 {host} 不应答"), ("Look at the network and the machine: keys.url, keys.ca_file, keys.token_file", "请检查网络与密码机：keys.url、keys.ca_file、keys.token_file")),
        "key_stopped": Row("keys", "wrong", ("the station {station} has stopped using {keys}: a card refused it", "工位 {station} 已停用 {keys}：卡片拒绝了该密钥"), ("Make sure that the PSAM is the right one, then: cardctl clear {station}", "请确认 PSAM 正确，然后运行：cardctl clear {station}")),
        # -- the authority
        "authority_right": _ok("authority", "the card centre ({provider}) answers", "卡管中心（{provider}）应答正常"),
        "authority_unasked": _ok("authority", "the card centre ({provider}) has not been asked yet", "卡管中心（{provider}）尚未被查询"),
        "authority_reached": _ok("authority", "the card centre {host} can be reached", "可连接卡管中心 {host}"),
        "authority_away": Row("authority", "wrong", ("the card centre {host} does not answer", "卡管中心 {host} 不应答"), ("Look at the network, authority.url and the certificates; a proxy or firewall may be in between", "请检查网络、authority.url 与证书；中间可能有代理或防火墙")),
        "register_absent": Row("authority", "wrong", ("the register {path} cannot be read", "无法读取名册 {path}"), ("Put the file there, readable for the user cardd, or correct authority.register", "请放置该文件并允许用户 cardd 读取，或更正 authority.register")),
        "register_broken": Row("authority", "wrong", ("the register of this machine fails", "本机名册出错"), ("Look at its disk and at journalctl -u cardd; then restart cardd", "请检查磁盘与 journalctl -u cardd，然后重启 cardd")),
        "authority_none_yet": Row("authority", "note", ("this machine decides by a register of its own, and none is named", "由本机名册裁决，但未指定名册"), ("Name one in authority.register, or a card centre in authority.url", "请在 authority.register 指定名册，或在 authority.url 指定卡管中心")),
        # -- the clock
        "clock_right": _ok("clock", "the clock is synchronised", "时钟已同步"),
        "clock_unsynchronised": Row("clock", "note", ("the clock is not synchronised: the journal's times are only this machine's word", "时钟未同步：日志时间仅以本机为准"), ("Switch synchronisation on: timedatectl set-ntp true", "请开启同步：timedatectl set-ntp true")),
        "clock_behind": Row("clock", "wrong", ("the clock is {seconds} s behind the journal's newest event", "时钟落后于最新日志事件 {seconds} 秒"), ("Set the clock right: timedatectl set-ntp true; the order of events is by their sequence and stays right", "请校准时钟：timedatectl set-ntp true；事件顺序以序号为准，不受影响")),
        "clock_set": Row("clock", "note", ("the clock was set by {days} days since cardd began", "自 cardd 启动以来时钟被调整 {days} 天"), ("Look whether it is right now (timedatectl); cards' dates are held against it, and events and heads from before bear the other time", "请确认当前时间是否正确（timedatectl）；卡片有效期以此判断，此前的事件与链头仍为原时间")),
        "clock_ahead": Row("clock", "note", ("the clock is more than {days} days past what the journal has seen: it was set, or the counter was closed; nothing old is taken out by it for a day", "时钟超前日志所见时间 {days} 天以上：时钟被调整，或柜台停用过；一天内不据此清除旧记录"), ("Look whether it is right: timedatectl; if it is, nothing is to be done", "请确认时间是否正确：timedatectl；若正确则无需处理")),
        # -- what the journal needs
        "sqlite_right": _ok("sqlite", "SQLite {version}", "SQLite {version}"),
        "sqlite_old": Row("sqlite", "wrong", ("SQLite {version} is too old: the journal needs {least}", "SQLite {version} 过旧：日志需要 {least}"), ("Use the SQLite of Debian 12 or newer: apt-get install libsqlite3-0", "请使用 Debian 12 或更新版本的 SQLite：apt-get install libsqlite3-0")),
        "disk_right": _ok("disk", "{free_mb} MB are free for the journal", "日志可用空间 {free_mb} MB"),
        "disk_enough": _ok("disk", "the journal has room", "日志空间充足"),
        "disk_small": Row("disk", "note", ("{free_mb} MB are left in {path}", "{path} 剩余 {free_mb} MB"), ("Make room on that disk, or set journal.most_mb", "请清理该磁盘，或设置 journal.most_mb")),
        "disk_full": Row("disk", "wrong", ("the journal's disk is full ({space}): nothing new begins", "日志磁盘已满（{space}）：不再开始新业务"), ("Make room on the disk of state_dir; the daemon notices by itself", "请清理 state_dir 所在磁盘；守护进程会自动恢复")),
        "state_unreadable": Row("disk", "note", ("{path} may not be looked at", "无权查看 {path}"), _AS_ROOT),
        "state_absent": _ok("disk", "{path} is not there yet: the daemon makes it at its first start", "{path} 尚不存在：守护进程首次启动时创建"),
    }
)  # fmt: skip
