#!/bin/sh
# --lockstep sends each line once the one before it was answered.
set -eu
. "$(dirname "$0")/lib.sh"
start_server 127.0.0.1:0

# A conversation: the next line is decided on when the reply is there.
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

# The last line needs no line feed, and the close word may be in it.
printf 'one\ntwo' | capchat connect --lockstep > got
printf 'ONE\nTWO' | diff - got
printf 'one\nCLOSE SOCKET' | capchat connect --lockstep > got
printf 'ONE\n' | diff - got

# With lines left unsent, the close came too early.
cat > input_lines <<'END'
one
CLOSE SOCKET
two
END
run capchat connect --lockstep < input_lines > got
is "$status" 3
has errors "capchat: $CAPCHAT_ADDRESS closed the connection"
is "$(cat got)" ONE
