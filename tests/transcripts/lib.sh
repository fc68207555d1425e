# shellcheck shell=sh
# What the scripts beside this file share: a new folder to work in, a server, and an end that leaves nothing.

folder=$(mktemp -d)
server=

clean_up() {
    if [ -n "$server" ]; then
        kill "$server"
        wait "$server" || :
    fi
    cd /
    rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
cd "$folder" || exit

# start_server [OPTION]... ADDRESS: starts a server, and makes its address the one that clients use.
start_server() {
    mkfifo announcement
    capchat serve -q "$@" > announcement &
    server=$!
    read -r _ _ CAPCHAT_ADDRESS < announcement
    export CAPCHAT_ADDRESS
    rm announcement
}

# stop_server: asks the server to end; its exit status is the result.
stop_server() {
    set -- "$server"
    server=
    kill "$1"
    wait "$1"
}

# run COMMAND...: runs it, and keeps its exit status in $status and its standard error in the file `errors`.
run() {
    status=0
    # shellcheck disable=SC2034  # the scripts read it
    "$@" 2> errors || status=$?
}

# is ACTUAL EXPECTED: fails, and says so, where the two differ.
is() {
    if [ "$1" != "$2" ]; then
        printf 'expected: %s\n but got: %s\n' "$2" "$1"
        exit 1
    fi
}

# has FILE TEXT: fails, and shows the file, where it does not contain the text.
has() {
    if ! grep -qF -e "$2" "$1"; then
        printf 'no "%s" in %s:\n' "$2" "$1"
        cat "$1"
        exit 1
    fi
}
