#!/bin/sh
# The server's own protocol: conversations that it must follow, each on a connection of its own.
set -eu
conversations=$(cd "$(dirname "$0")" && pwd)
. "$(dirname "$0")/lib.sh"

start_server 127.0.0.1:0
capchat connect --check "$conversations/capitals" --jobs 4 > report || { cat report; exit 1; }
stop_server

start_server --message-gap never 127.0.0.1:0
capchat connect --check "$conversations/capitals-without-gap" > report || { cat report; exit 1; }
