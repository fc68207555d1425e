#!/bin/sh
# The server's own protocol, as transcripts: each file is a conversation on a connection of its own.
set -eu
. "$(dirname "$0")/lib.sh"

start_server 127.0.0.1:0
check "$chats/capitals" --jobs 4
stop_server

start_server --message-gap never 127.0.0.1:0
check "$chats/capitals-without-gap"
