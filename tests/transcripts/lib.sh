# shellcheck shell=sh
# Shared by the scripts in this directory: a temporary directory to work in, a server, and cleanup.

# shellcheck disable=SC2034  # used by the scripts
chats=$(cd "$(dirname "$0")/../chats" && pwd)
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

# start_server [OPTION]... ADDRESS: starts a server, and makes its address the default for clients.
start_server() {
    mkfifo announcement
    capchat serve -q "$@" > announcement &
    server=$!
    read -r _ _ CAPCHAT_ADDRESS < announcement
    export CAPCHAT_ADDRESS
    rm announcement
}

# stop_server: sends SIGTERM to the server, and returns its exit status.
stop_server() {
    set -- "$server"
    server=
    kill "$1"
    wait "$1"
}

# run COMMAND...: runs it, with its exit status in $status and its standard error in the file `errors`.
run() {
    status=0
    # shellcheck disable=SC2034  # used by the scripts
    "$@" 2> errors || status=$?
}

# check PATH... [OPTION]...: checks the server against transcripts; if one fails, shows the report and fails too.
check() {
    capchat check "$@" > report || {
        cat report
        exit 1
    }
}

# is ACTUAL EXPECTED: fails with a message if the two differ.
is() {
    if [ "$1" != "$2" ]; then
        printf 'expected: %s\n but got: %s\n' "$2" "$1"
        exit 1
    fi
}

# has FILE TEXT: fails and shows the file if it does not contain the text.
has() {
    if ! grep -qF -e "$2" "$1"; then
        printf 'no "%s" in %s:\n' "$2" "$1"
        cat "$1"
        exit 1
    fi
}
