#!/bin/sh
# With --retry, a client can be started before its server.
set -eu
. "$(dirname "$0")/lib.sh"

mkfifo events
echo hi | capchat connect -v --retry 10s unix:chat.socket > got 2> events &
client=$!
exec 3< events
# Wait until the first attempt has failed.
read -r event <&3
echo "$event" > failure
has failure 'could not connect to unix:chat.socket'

start_server unix:chat.socket
wait "$client"
echo HI | diff - got

# If the server never starts, the error says how long the client tried.
run capchat connect --retry 100ms unix:nobody.socket < /dev/null
is "$status" 1
has errors 100ms
