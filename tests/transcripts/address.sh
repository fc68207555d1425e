#!/bin/sh
# CAPCHAT_ADDRESS replaces the default address, in every form an address can have.
set -eu
. "$(dirname "$0")/lib.sh"
start_server 127.0.0.1:0
port=${CAPCHAT_ADDRESS##*:}

for CAPCHAT_ADDRESS in "127.0.0.1:$port" "127.0.0.1 $port" ":$port" "$port" "localhost:$port"; do
    echo hi | capchat connect -4 > got
    echo HI | diff - got
done

# The command line wins; the variable provides the missing parts.
CAPCHAT_ADDRESS="127.0.0.2:$port"
run capchat connect < /dev/null
is "$status" 1
has errors "127.0.0.2:$port"
echo hi | capchat connect 127.0.0.1 > got
echo HI | diff - got
CAPCHAT_ADDRESS=127.0.0.1:1
echo hi | capchat connect "$port" > got
echo HI | diff - got
echo hi | capchat connect ":$port" > got
echo HI | diff - got
echo hi | capchat connect 127.0.0.1 "$port" > got
echo HI | diff - got

# A mistake in the variable is reported as such.
CAPCHAT_ADDRESS=127.0.0.1:
run capchat connect < /dev/null
is "$status" 2
has errors CAPCHAT_ADDRESS
stop_server

# The server uses it too.
CAPCHAT_ADDRESS=unix:chat.socket
start_server
is "$CAPCHAT_ADDRESS" unix:chat.socket
echo hi | capchat connect > got
echo HI | diff - got
