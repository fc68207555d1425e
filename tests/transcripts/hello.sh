#!/bin/sh
# A message is answered in capitals, with and without a line feed at its end.
set -eu
. "$(dirname "$0")/lib.sh"
start_server 127.0.0.1:0

echo hi | capchat connect > got
echo HI | diff - got

printf hi | capchat connect > got
printf HI | diff - got

# No message, no reply.
printf '' | capchat connect > got
printf '' | diff - got

# An empty message has an empty reply.
echo | capchat connect > got
echo | diff - got
