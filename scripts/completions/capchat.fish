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

complete -c capchat -n "__fish_capchat_needs_command" -s h -l help -d 'Print help'
complete -c capchat -n "__fish_capchat_needs_command" -s V -l version -d 'Print version'
complete -c capchat -n "__fish_capchat_needs_command" -f -a "serve" -d 'Answer every message with the same text in CAPITALS'
complete -c capchat -n "__fish_capchat_needs_command" -f -a "connect" -d 'Talk to a server: at a prompt, or in a pipe'
complete -c capchat -n "__fish_capchat_using_subcommand serve" -l message-gap -d 'Answer an unfinished message once nothing has come for so long, or never' -r
complete -c capchat -n "__fish_capchat_using_subcommand serve" -l max-clients -d 'Serve so many clients at once; more wait until one leaves [default: no limit]' -r
complete -c capchat -n "__fish_capchat_using_subcommand serve" -l idle-timeout -d 'Close the connection of a client that has sent nothing for so long [default: never]' -r
complete -c capchat -n "__fish_capchat_using_subcommand serve" -l play -d 'Play the server\'s side of a transcript to each client, instead of answering in capitals' -r -F
complete -c capchat -n "__fish_capchat_using_subcommand serve" -l connections -d 'Play to so many clients, then leave; with exit status 3 where any did not follow the transcript' -r
complete -c capchat -n "__fish_capchat_using_subcommand serve" -l record -d 'Record each connection as a transcript of its own in a folder' -r -f -a "(__fish_complete_directories)"
complete -c capchat -n "__fish_capchat_using_subcommand serve" -l log -d 'How events are written to standard error' -r -f -a "text\t'A sentence a line'
json\t'A JSON object a line'"
complete -c capchat -n "__fish_capchat_using_subcommand serve" -s 4 -d 'Use IPv4 addresses only'
complete -c capchat -n "__fish_capchat_using_subcommand serve" -s 6 -d 'Use IPv6 addresses only'
complete -c capchat -n "__fish_capchat_using_subcommand serve" -s q -l quiet -d 'Tell nothing of the clients'
complete -c capchat -n "__fish_capchat_using_subcommand serve" -s v -l verbose -d 'Tell more of the clients'
complete -c capchat -n "__fish_capchat_using_subcommand serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l eol -d 'How each line that is sent ends [default: as in the input; lf from the prompt]' -r -f -a "lf\t'With a line feed'
crlf\t'With a carriage return and a line feed'
none\t'With nothing, for servers that take each recv as a message'"
complete -c capchat -n "__fish_capchat_using_subcommand connect" -s w -l timeout -d 'Give up (exit status 124) when a reply is owed and nothing was sent or received for so long' -r
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l max-time -d 'Give up (exit status 124) when the whole run takes longer' -r
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l connect-timeout -d 'Give up (exit status 1) when one attempt to connect takes longer' -r
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l retry -d 'Keep trying for so long while the server is not there yet' -r
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l check -d 'Check the server by transcripts: files, and folders of *.chat' -r -F
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l update -d 'Check, and rewrite the server\'s side of the transcripts to what it says now' -r -F
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l jobs -d 'Play so many transcripts at a time' -r
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l report -d 'How the results are written to standard output' -r -f -a "text\t'For people'
tap\t'The Test Anything Protocol, version 13'
junit\t'JUnit\'s XML'"
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l color -d 'When the report is coloured; auto is on a terminal, unless NO_COLOR is set' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l record -d 'Record the conversation as a transcript' -r -F
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l prompt -d 'The prompt, on a terminal' -r
complete -c capchat -n "__fish_capchat_using_subcommand connect" -s 4 -d 'Use IPv4 addresses only'
complete -c capchat -n "__fish_capchat_using_subcommand connect" -s 6 -d 'Use IPv6 addresses only'
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l lockstep -d 'Send one line, wait for its reply, send the next'
complete -c capchat -n "__fish_capchat_using_subcommand connect" -s C -d 'The same as --eol crlf'
complete -c capchat -n "__fish_capchat_using_subcommand connect" -l no-history -d 'Neither read nor keep the history of the prompt'
complete -c capchat -n "__fish_capchat_using_subcommand connect" -s v -l verbose -d 'Tell on standard error what happens to the connection'
complete -c capchat -n "__fish_capchat_using_subcommand connect" -s h -l help -d 'Print help (see more with \'--help\')'
