#!/bin/sh
# --eol: lines are sent as they are, or with the line ending asked for. A recorder writes down what arrives.
set -eu
. "$(dirname "$0")/lib.sh"

if ! command -v socat > /dev/null; then
    echo 'skipped: no socat'
    exit
fi

# sends EXPECTED [OPTION]...: the lines arrive in this form (a printf format).
sends() {
    # shellcheck disable=SC2059  # EXPECTED is the format
    printf "$1" > expected
    shift
    socat -u UNIX-LISTEN:recorder.socket,accept-timeout=30 - > recorded &
    recorder=$!
    printf 'one\ntwo\r\n\nthree' | capchat connect --retry 10s "$@" unix:recorder.socket
    wait "$recorder"
    cmp expected recorded
}

sends 'one\ntwo\r\n\nthree'
sends 'one\r\ntwo\r\n\r\nthree' -C
sends 'one\r\ntwo\r\n\r\nthree' --eol crlf
sends 'one\ntwo\n\nthree' --eol lf
sends 'one\rtwo\r\rthree' --eol cr
sends 'onetwothree' --eol none
