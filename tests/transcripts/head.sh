#!/bin/sh
# A reader that has had enough ends the client, quietly.
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

# And the server goes on.
echo hi | capchat connect > got
echo HI | diff - got
