#!/bin/sh
# A line ends in the reply as it did in the message.
set -eu
. "$(dirname "$0")/lib.sh"
start_server 127.0.0.1:0

printf 'one\r\ntwo\nthree\r\n\r\n\nfo\rur\r\n' | capchat connect > got
printf 'ONE\r\nTWO\nTHREE\r\n\r\n\nFO\rUR\r\n' | cmp - got

# A carriage return that no line feed follows is part of the message.
printf 'end\r' | capchat connect > got
printf 'END\r' | cmp - got
