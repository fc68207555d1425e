#!/bin/sh
# A long conversation is answered completely and in order, and so is one very long line.
set -eu
. "$(dirname "$0")/lib.sh"
start_server 127.0.0.1:0

awk 'BEGIN { for (line = 1; line <= 100000; line++) print "this is line " line }' > lines
LC_ALL=C tr '[:lower:]' '[:upper:]' < lines > expected
capchat connect < lines > got
cmp expected got

tr '\n' ' ' < lines > line
tr '\n' ' ' < expected > expected_line
capchat connect < line > got
cmp expected_line got
