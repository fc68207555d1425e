#!/bin/sh
# A Unix socket does as well as a port, and its file goes when the server does.
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

# A second server does not take it away from the first.
run capchat serve 'unix:chat room.socket'
is "$status" 1
echo hi | capchat connect 'unix:chat room.socket' > got
echo HI | diff - got

stop_server
if [ -e 'chat room.socket' ]; then
    echo "the socket's file is still there"
    exit 1
fi
