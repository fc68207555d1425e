#!/bin/sh
# When its standard output is closed, the client exits quietly.
set -eu
. "$(dirname "$0")/lib.sh"
start_server 127.0.0.1:0

yes | {
    run capchat connect
    echo "$status" > status
    cat errors >> status
} | head -n 1 > got
echo Y | diff - got
echo 0 | diff - status

# The server goes on.
echo hi | capchat connect > got
echo HI | diff - got
