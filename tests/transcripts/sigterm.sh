#!/bin/sh
# SIGTERM ends a server cleanly: its clients see EOF, not an error, and the address is free immediately.
set -eu
. "$(dirname "$0")/lib.sh"
start_server 127.0.0.9:0

mkfifo input output
capchat connect < input > output &
client=$!
exec 3> input 4< output
echo hello >&3
read -r reply <&4
is "$reply" HELLO

stop_server
wait "$client"
is "$(cat <&4)" ''

address=$CAPCHAT_ADDRESS
start_server "$address"
is "$CAPCHAT_ADDRESS" "$address"
echo again | capchat connect > got
echo AGAIN | diff - got
