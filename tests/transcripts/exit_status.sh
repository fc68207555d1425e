#!/bin/sh
# The exit status says how a run ended, and each failure is one line on standard error.
set -eu
. "$(dirname "$0")/lib.sh"

# fails_with STATUS TEXT: the last `run` failed with this status, and an error that contains TEXT.
fails_with() {
    is "$status" "$1"
    has errors 'capchat: '
    has errors "$2"
    is "$(grep -c '' errors)" 1
}

# 1: connection refused. Port 1 belongs to a service that nobody runs anymore.
run capchat connect 127.0.0.1:1 < /dev/null
fails_with 1 127.0.0.1:1
run capchat connect unix:nobody.socket < /dev/null
fails_with 1 unix:nobody.socket

# 2: usage errors.
for arguments in --no-such-option '-w soon' 'a b c' 127.0.0.1: 70000; do
    # shellcheck disable=SC2086  # several arguments
    run capchat connect $arguments < /dev/null
    is "$status" 2
done
run capchat
is "$status" 2

# 3: the server closed before all input was sent.
start_server --message-gap never 127.0.0.1:0
printf 'CLOSE SOCKET\nwait\n' > lines
run capchat connect --lockstep < lines
fails_with 3 "$CAPCHAT_ADDRESS"

# 1: the address is in use.
run capchat serve "$CAPCHAT_ADDRESS"
fails_with 1 "$CAPCHAT_ADDRESS"

# 124: this server waits for the end of the line, which never arrives.
mkfifo input
capchat connect -w 200ms < input 2> errors &
client=$!
exec 3> input
printf hello >&3
status=0
wait "$client" || status=$?
exec 3>&-
fails_with 124 "$CAPCHAT_ADDRESS"

# 124: everything was answered, but the input stays open.
capchat connect --max-time 2s < input > got 2> errors &
client=$!
exec 3> input
echo hello >&3
status=0
wait "$client" || status=$?
exec 3>&-
fails_with 124 2s
is "$(cat got)" HELLO
