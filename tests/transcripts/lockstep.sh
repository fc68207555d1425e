#!/bin/sh
# --lockstep sends each line after the reply to the one before it.
set -eu
. "$(dirname "$0")/lib.sh"
start_server 127.0.0.1:0

# A conversation: the script chooses the next line when it has read the reply.
mkfifo input output
capchat connect --lockstep < input > output &
client=$!
exec 3> input 4< output
echo hello >&3
read -r reply <&4
is "$reply" HELLO
echo "you said $reply, did you?" >&3
read -r reply <&4
is "$reply" 'YOU SAID HELLO, DID YOU?'
echo CLOSE SOCKET >&3
wait "$client"
exec 3>&- 4<&-

# The last line needs no line feed, and may contain CLOSE SOCKET.
printf 'one\ntwo' | capchat connect --lockstep > got
printf 'ONE\nTWO' | diff - got
printf 'one\nCLOSE SOCKET' | capchat connect --lockstep > got
printf 'ONE\n' | diff - got

# If the server closes with lines left to send, that is a failure.
cat > input_lines <<'END'
one
CLOSE SOCKET
two
END
run capchat connect --lockstep < input_lines > got
is "$status" 3
has errors "capchat: $CAPCHAT_ADDRESS closed the connection"
is "$(cat got)" ONE
