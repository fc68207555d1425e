//! What `--help` ends with: examples, keys, the environment and exit statuses.

pub(super) const CAPCHAT: &str = "\
Examples:
  capchat serve                   Reply in capitals to anyone on 127.0.0.1:5605
  echo hi | capchat connect       Send a line to that server, print its reply
  capchat check tests/*.chat      Check that server against transcripts

See 'capchat COMMAND --help', and the manual page capchat(1).";

pub(super) const SERVE: &str = "\
Examples:
  Reply in capitals to clients on all interfaces:
    capchat serve 0.0.0.0
  Act as the mail server of a transcript for one client, on any free port:
    capchat serve --play smtp.chat --connections 1 0
  Record what clients of port 2525 and a mail server say to each other:
    capchat serve --forward localhost:smtp --record conversations 2525

Environment:
  CAPCHAT_ADDRESS  Default address, in place of 127.0.0.1:5605

Exit status:
  0    Stopped by SIGTERM, SIGINT or SIGHUP, or all N clients were served
  1    The address cannot be listened on, or standard output cannot be written;
       with --forward and --connections: the target could not be reached
  2    Usage error, or an invalid transcript
  3    With --play and --connections: a client departed from the transcript";

pub(super) const CONNECT: &str = "\
Examples:
  Talk to a server at a prompt:
    capchat connect localhost 5605
  Send two lines, print the replies:
    printf 'one\\ntwo\\n' | capchat connect
  Send a mail line by line, and record the conversation:
    capchat connect -C --lockstep --greeting --gap 1s --record mail.chat \\
        localhost smtp < mail.txt

Keys at the prompt:
  Ctrl-D  End the conversation
  Ctrl-C  Clear the line; quit if it is empty; stop waiting for a reply
  Ctrl-R  Search the history
  Ctrl-Z  Suspend capchat
  Ctrl-V  Insert the next character as is, such as a control character
  Tab     Insert a tab

Environment:
  CAPCHAT_ADDRESS  Default address, in place of 127.0.0.1:5605
  NO_COLOR         If set, the prompt and reports have no color
  XDG_STATE_HOME   The history is $XDG_STATE_HOME/capchat/history
                   [default: ~/.local/state]

Exit status:
  0    Success
  1    Could not connect or listen, connection reset, or an I/O error
  2    Usage error, or an invalid prologue
  3    The server closed the connection before all input was sent, or departed
       from the prologue
  124  Timed out (-w or --max-time)
  129, 130, 131, 143
       Ended by SIGHUP, SIGINT, SIGQUIT, SIGTERM";

pub(super) const CHECK: &str = "\
Examples:
  Check the server at the default address against all transcripts in tests:
    capchat check tests
  Wait for a server to start, then check it, showing each line:
    capchat check -v --retry 10s -a localhost:smtp smtp.chat
  Accept the server's new replies:
    capchat check --update -a localhost:smtp smtp.chat

Environment:
  CAPCHAT_ADDRESS  Default address, in place of 127.0.0.1:5605
  NO_COLOR         If set, --color auto means never

Exit status, the first that applies:
  2    Usage error, or an invalid transcript; nothing was run
  1    Could not connect, or a file could not be written
  124  Timed out (-w or --max-time)
  3    The server departed from a transcript
  0    Success
  129, 130, 131, 143
       Ended by SIGHUP, SIGINT, SIGQUIT, SIGTERM";
