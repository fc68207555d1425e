# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_capchat_global_optspecs
    string join \n h/help V/version
end

function __fish_capchat_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_capchat_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_capchat_using_subcommand
    set -l cmd (__fish_capchat_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c capchat -n "__fish_capchat_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c capchat -n "__fish_capchat_needs_command" -s V -l version -d 'Print version'
complete -c capchat -n "__fish_capchat_needs_command" -f -a "serve" -d 'Run a server that replies in capitals, a mock server or a forwarder'
complete -c capchat -n "__fish_capchat_needs_command" -f -a "connect" -d 'Connect to a server from a prompt, a pipe or a script'
complete -c capchat -n "__fish_capchat_needs_command" -f -a "check" -d 'Check a server against transcripts, or update them'
complete -c capchat -n "__fish_capchat_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c capchat -n "__fish_capchat_using_subcommand serve" -l cert -d 'Own certificate, followed by its chain (PEM)' -r -F
complete -c capchat -n "__fish_capchat_using_subcommand serve" -l key -d 'Private key of --cert [default: in the same file]' -r -F
complete -c capchat -n "__fish_capchat_using_subcommand serve" -l client-ca -d 'Require client certificates issued by one in FILE' -r -F
complete -c capchat -n "__fish_capchat_using_subcommand serve" -l max-clients -d 'Serve N clients at a time; others wait' -r -f
complete -c capchat -n "__fish_capchat_using_subcommand serve" -l idle-timeout -d 'Disconnect clients idle for TIME' -r -f
complete -c capchat -n "__fish_capchat_using_subcommand serve" -l max-connection-time -d 'Disconnect clients after TIME in any case' -r -f
complete -c capchat -n "__fish_capchat_using_subcommand serve" -l connections -d 'Exit after N clients' -r -f
complete -c capchat -n "__fish_capchat_using_subcommand serve" -l message-gap -d 'Reply to an unfinished line after TIME, or never' -r -f
complete -c capchat -n "__fish_capchat_using_subcommand serve" -l forward -d 'Pass bytes between each client and ADDRESS' -r -f -a "(__fish_print_hostnames)"
complete -c capchat -n "__fish_capchat_using_subcommand serve" -l play -d 'Act as a mock server: play a transcript to each client' -r -F
complete -c capchat -n "__fish_capchat_using_subcommand serve" -l set -d 'Give a variable a value (may be repeated)' -r -f
complete -c capchat -n "__fish_capchat_using_subcommand serve" -l secret -d 'Take a secret from the environment variable NAME' -r -f
complete -c capchat -n "__fish_capchat_using_subcommand serve" -l record -d 'Record each connection as a transcript in DIR' -r -f -a "(__fish_complete_directories)"
complete -c capchat -n "__fish_capchat_using_subcommand serve" -l log-format -d 'Log format: text or json' -r -f -a "text\t'One line per event'
json\t'One JSON object per line'"
complete -c capchat -n "__fish_capchat_using_subcommand serve" -s 4 -d 'Use IPv4 only'
complete -c capchat -n "__fish_capchat_using_subcommand serve" -s 6 -d 'Use IPv6 only'
complete -c capchat -n "__fish_capchat_using_subcommand serve" -l tls -d 'Use TLS from the start'
complete -c capchat -n "__fish_capchat_using_subcommand serve" -s q -l quiet -d 'Do not log client activity'
complete -c capchat -n "__fish_capchat_using_subcommand serve" -s v -l verbose -d 'Log more detail'
complete -c capchat -n "__fish_capchat_using_subcommand serve" -s h -l help -d 'Print help (-h is shorter)'
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l connect-timeout -d 'Time limit for each attempt (status 1)' -r -f
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l retry -d 'Keep trying to connect for up to TIME' -r -f
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l cacert -d 'Trust the certificates in FILE, not the system\'s' -r -F
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l cert -d 'Own certificate, followed by its chain (PEM)' -r -F
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l key -d 'Private key of --cert [default: in the same file]' -r -F
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l server-name -d 'Name to verify [default: the host]' -r -f -a "(__fish_print_hostnames)"
complete -c capchat -n "__fish_capchat_using_subcommand connect" -s w -l timeout -d 'Give up after TIME without a reply (status 124)' -r -f
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l max-time -d 'Give up if the run exceeds TIME (status 124)' -r -f
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l eol -d 'Line ending to send: lf, crlf, cr or none' -r -f -a "lf\t'Line feed'
crlf\t'Carriage return and line feed'
cr\t'Carriage return'
none\t'Nothing, for servers that take each recv as a message'"
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l gap -d 'With --lockstep, end each reply after TIME of silence' -r -f
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l prompt -d 'Prompt to show [default: "enter your message: "]' -r -f
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l prologue -d 'Play the client side of a transcript first' -r -F
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l set -d 'Set a variable of the prologue (may be repeated)' -r -f
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l record -d 'Save the conversation as a transcript' -r -F
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l secret -d 'Hide the secret of environment variable NAME' -r -f
complete -c capchat -n "__fish_capchat_using_subcommand connect" -s 4 -d 'Use IPv4 only'
complete -c capchat -n "__fish_capchat_using_subcommand connect" -s 6 -d 'Use IPv6 only'
complete -c capchat -n "__fish_capchat_using_subcommand connect" -s l -l listen -d 'Wait for one connection instead of making one'
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l tls -d 'Use TLS from the start'
complete -c capchat -n "__fish_capchat_using_subcommand connect" -s k -l insecure -d 'Accept any certificate'
complete -c capchat -n "__fish_capchat_using_subcommand connect" -s C -l crlf -d 'Send CRLF line endings (same as --eol crlf)'
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l lockstep -d 'Wait for a reply to each line before sending the next'
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l greeting -d 'With --lockstep, wait for the server to speak first'
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l until-eof -d 'Send input to its end, even after the server\'s EOF'
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l no-history -d 'Do not read or save history'
complete -c capchat -n "__fish_capchat_using_subcommand connect" -s v -l verbose -d 'Report connection events on standard error'
complete -c capchat -n "__fish_capchat_using_subcommand connect" -s h -l help -d 'Print help (-h is shorter)'
complete -c capchat -n "__fish_capchat_using_subcommand check" -s a -l address -d 'Server address [default: 127.0.0.1:5605]' -r -f -a "(__fish_print_hostnames)"
complete -c capchat -n "__fish_capchat_using_subcommand check" -l connect-timeout -d 'Time limit for each attempt (status 1)' -r -f
complete -c capchat -n "__fish_capchat_using_subcommand check" -l retry -d 'Keep trying to connect for up to TIME' -r -f
complete -c capchat -n "__fish_capchat_using_subcommand check" -l cacert -d 'Trust the certificates in FILE, not the system\'s' -r -F
complete -c capchat -n "__fish_capchat_using_subcommand check" -l cert -d 'Own certificate, followed by its chain (PEM)' -r -F
complete -c capchat -n "__fish_capchat_using_subcommand check" -l key -d 'Private key of --cert [default: in the same file]' -r -F
complete -c capchat -n "__fish_capchat_using_subcommand check" -l server-name -d 'Name to verify [default: the host]' -r -f -a "(__fish_print_hostnames)"
complete -c capchat -n "__fish_capchat_using_subcommand check" -s w -l timeout -d 'Give up after TIME without a reply (status 124)' -r -f
complete -c capchat -n "__fish_capchat_using_subcommand check" -l max-time -d 'Give up if the run exceeds TIME (status 124)' -r -f
complete -c capchat -n "__fish_capchat_using_subcommand check" -l set -d 'Give a variable a value (may be repeated)' -r -f
complete -c capchat -n "__fish_capchat_using_subcommand check" -l secret -d 'Take a secret from the environment variable NAME' -r -f
complete -c capchat -n "__fish_capchat_using_subcommand check" -s j -l jobs -d 'Run N transcripts in parallel' -r -f
complete -c capchat -n "__fish_capchat_using_subcommand check" -l report -d 'Report format: text, tap or junit' -r -f -a "text\t'For people'
tap\t'The Test Anything Protocol, version 13'
junit\t'JUnit XML'"
complete -c capchat -n "__fish_capchat_using_subcommand check" -l color -d 'Use color: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c capchat -n "__fish_capchat_using_subcommand check" -s 4 -d 'Use IPv4 only'
complete -c capchat -n "__fish_capchat_using_subcommand check" -s 6 -d 'Use IPv6 only'
complete -c capchat -n "__fish_capchat_using_subcommand check" -l tls -d 'Use TLS from the start'
complete -c capchat -n "__fish_capchat_using_subcommand check" -s k -l insecure -d 'Accept any certificate'
complete -c capchat -n "__fish_capchat_using_subcommand check" -l update -d 'Rewrite the server side to what the server says'
complete -c capchat -n "__fish_capchat_using_subcommand check" -s v -l verbose -d 'Show each line of both sides on standard error'
complete -c capchat -n "__fish_capchat_using_subcommand check" -s h -l help -d 'Print help (-h is shorter)'
complete -c capchat -n "__fish_capchat_using_subcommand help; and not __fish_seen_subcommand_from serve connect check help" -f -a "serve" -d 'Run a server that replies in capitals, a mock server or a forwarder'
complete -c capchat -n "__fish_capchat_using_subcommand help; and not __fish_seen_subcommand_from serve connect check help" -f -a "connect" -d 'Connect to a server from a prompt, a pipe or a script'
complete -c capchat -n "__fish_capchat_using_subcommand help; and not __fish_seen_subcommand_from serve connect check help" -f -a "check" -d 'Check a server against transcripts, or update them'
complete -c capchat -n "__fish_capchat_using_subcommand help; and not __fish_seen_subcommand_from serve connect check help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c capchat -n "__fish_capchat_using_subcommand serve" -a "(__fish_print_hostnames)"
complete -c capchat -n "__fish_capchat_using_subcommand connect" -a "(__fish_print_hostnames)"
