#!/bin/sh
# A Unix socket works like a port, and its file is removed when the server exits.
set -eu
. "$(dirname "$0")/lib.sh"
start_server 'unix:chat room.socket'
is "$CAPCHAT_ADDRESS" 'unix:chat room.socket'

echo hi | capchat connect > got
echo HI | diff - got
echo hi | capchat connect 'unix:chat room.socket' > got
echo HI | diff - got
echo hi | capchat connect "unix:$PWD/chat room.socket" > got
echo HI | diff - got
printf 'one\nCLOSE SOCKET\ntwo\n' | capchat connect 'unix:chat room.socket' > got
echo ONE | diff - got

# A second server does not take the socket away from the first.
run capchat serve 'unix:chat room.socket'
is "$status" 1
echo hi | capchat connect 'unix:chat room.socket' > got
echo HI | diff - got

stop_server
if [ -e 'chat room.socket' ]; then
    echo "the socket file still exists"
    exit 1
fi
