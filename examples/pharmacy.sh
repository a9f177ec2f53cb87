#!/usr/bin/env bash
# pharmacy.sh STATION REQUEST: an activation at a pharmacy counter, and what the clerk has to do. Needs socat and jq.
set -eu
coproc CARDD { socat - "UNIX-CONNECT:${CARDD_SOCKET:-/run/cardd/cardd.sock}"; }
ask() { jq -cn --arg method "$1" --argjson params "$2" '{jsonrpc: "2.0", id: 1, $method, $params}' >&"${CARDD[1]}"; }
ask events.subscribe "{\"types\": [\"activation.*\"], \"readers\": [\"$1\"]}"
ask activation.start "{\"route\": \"pharmacy\", \"station\": \"$1\", \"request\": \"$2\"}"
while read -r line <&"${CARDD[0]}"; do
  jq -r --arg s "$1" '.error.message // (.params.event.data // (.result.snapshot.activations[]? |
    select(.station == $s)) // (.result | select(.ended)) // {} | (.prompt.text // .text // empty)["zh-CN"])' <<<"$line"
  case $line in
    *'"state":"completed"'*) exit 0 ;;
    *'"ended_in":'* | *'"ended":"'* | *'"error":'*) exit 1 ;;
  esac
done; exit 2
