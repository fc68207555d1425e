#!/bin/sh
# Capitals are Unicode's, and what is not UTF-8 comes back as it was.
set -eu
. "$(dirname "$0")/lib.sh"
start_server 127.0.0.1:0

capchat connect > got <<'END'
straße
Ελληνικά: αβγδς
привет, ñandú, iıİ
ﬃ ŉ ǆ
日本語 and 🦀
END
diff - got <<'END'
STRASSE
ΕΛΛΗΝΙΚΆ: ΑΒΓΔΣ
ПРИВЕТ, ÑANDÚ, IIİ
FFI ʼN Ǆ
日本語 AND 🦀
END

printf 'a\377b\000c\303\n\342\202\n\300\200d\n' | capchat connect > got
printf 'A\377B\000C\303\n\342\202\n\300\200D\n' | cmp - got
