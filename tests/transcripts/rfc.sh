#!/bin/sh
# The sessions that RFCs print, played and checked by the same file.
set -eu
sessions=$(cd "$(dirname "$0")" && pwd)
. "$(dirname "$0")/lib.sh"

for session in rfc5321-d1 rfc1939-10; do
    start_server --play "$sessions/$session.chat" --connections 1 127.0.0.1:0
    capchat connect --check "$sessions/$session.chat" > report || { cat report; exit 1; }
    # The mock leaves by itself, and tells whether its client has followed.
    wait "$server"
    server=
done
