#!/bin/sh
# Asks the holder for a password, for libsscard: SSCARD_PIN_HELPER=/usr/lib/cardd/bin/sscard-pin-helper (as the Debian
# package installs it), or the whole path of this file. Called with purpose, fewest digits, most digits, and tries left
# (empty: not known); prints the digits and nothing else. Exit code 1: the holder has cancelled.
case $1 in
  social_pin) text='请输入社会保障卡密码' ;;
  new_pin) text='请输入新密码' ;;
  new_pin_again) text='请再次输入新密码' ;;
  *) exit 2 ;;
esac
text="$text（$2-$3位数字）"
[ -z "$4" ] || text="${text}，还可尝试$4次"

# the window takes this program's place, so that it goes with it when the card is taken out or the time is over
if [ -n "$WAYLAND_DISPLAY$DISPLAY" ]; then
  command -v zenity >/dev/null && exec zenity --entry --hide-text --title=社会保障卡 --text="$text"
  command -v kdialog >/dev/null && exec kdialog --title 社会保障卡 --password "$text"
fi

# else the terminal that the program was started from
{ exec 3<>/dev/tty; } 2>/dev/null || exit 2
saved=$(stty -g <&3) || exit 2
trap 'stty "$saved" <&3; echo >&3' EXIT
trap 'exit 1' HUP INT TERM
stty -echo <&3
printf '%s: ' "$text" >&3
IFS= read -r digits <&3 && [ -n "$digits" ] || exit 1
printf '%s\n' "$digits"
