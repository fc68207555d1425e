#!/bin/sh
# The sessions printed in RFCs: one file is both the mock server's side and the check against it.
set -eu
. "$(dirname "$0")/lib.sh"

for session in rfc5321-d1 rfc1939-10; do
    start_server --play "$chats/$session.chat" --connections 1 127.0.0.1:0
    check "$chats/$session.chat"
    # The mock exits by itself; its status says whether the client followed.
    wait "$server"
    server=
done
