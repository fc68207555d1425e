#!/bin/sh
# An unfinished line is answered at a quiet gap, while the input stays open.
set -eu
. "$(dirname "$0")/lib.sh"
start_server 127.0.0.1:0

mkfifo input output
capchat connect < input > output &
client=$!
exec 3> input 4< output
printf hello >&3
is "$(dd bs=1 count=5 <&4 2> /dev/null)" HELLO
# Half a character waits for the other half.
printf 'stra\303' >&3
is "$(dd bs=1 count=4 <&4 2> /dev/null)" STRA
printf '\237e\n' >&3
read -r reply <&4
is "$reply" SSE
exec 3>&-
wait "$client"
is "$(cat <&4)" ''
