#!/bin/sh
# A message that contains CLOSE SOCKET ends the conversation; all earlier messages are answered.
set -eu
. "$(dirname "$0")/lib.sh"
start_server 127.0.0.1:0

# Inside a line. That line gets no reply, nor does anything after it.
capchat connect > got <<'END'
one
two
now CLOSE SOCKET please
three
END
diff - got <<'END'
ONE
TWO
END

# None of these counts.
capchat connect > got <<'END'
CLOSE
SOCKET
close socket
CLOSE  SOCKET
CLOSESOCKET
END
diff - got <<'END'
CLOSE
SOCKET
CLOSE SOCKET
CLOSE  SOCKET
CLOSESOCKET
END

# Without a line feed, and with nothing else.
printf 'CLOSE SOCKET' | capchat connect > got
printf '' | diff - got

# Split over two writes: the first half is answered before the second is sent. The client exits although its
# standard input is still open.
mkfifo input output
capchat connect < input > output &
client=$!
exec 3> input 4< output
printf 'one\nCLOSE SO' >&3
dd bs=1 count=12 <&4 > got 2> /dev/null
printf 'CKET\ntwo\n' >&3
wait "$client"
cat <&4 >> got
printf 'ONE\nCLOSE SO' | diff - got
