//! The servers that are measured: the floor, capchat, and the peers that are installed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, io, process};

use crate::answer::Answer;
use crate::servers::{Kind, PORT};

/// A server on asyncio, or on uvloop.
const ASYNCIO: &str = r"
import asyncio, sys
if sys.argv[1] == 'uvloop':
    import uvloop; uvloop.install()
class Upper(asyncio.Protocol):
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data): self.transport.write(data.upper())
async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upper, '127.0.0.1', 0, backlog=4096)
    print('listening on 127.0.0.1:%d' % server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
";

/// A first attempt at a server: one client at a time, and each recv is a message.
const PLAIN: &str = r"
import socket
server = socket.create_server(('127.0.0.1', 0), backlog=4096)
print('listening on 127.0.0.1:%d' % server.getsockname()[1], flush=True)
while True:
    client, _ = server.accept()
    with client:
        while data := client.recv(65536):
            client.sendall(data.upper())
";

/// A server in Go: a goroutine per client, with bufio.
const GO: &str = r#"
package main
import ("bufio"; "bytes"; "fmt"; "net")
func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0"); if err != nil { panic(err) }
	fmt.Printf("listening on %s\n", l.Addr())
	for {
		c, err := l.Accept(); if err != nil { continue }
		go func() {
			defer c.Close()
			r, w := bufio.NewReaderSize(c, 65536), bufio.NewWriterSize(c, 65536)
			for {
				line, err := r.ReadSlice('\n')
				w.Write(bytes.ToUpper(line))
				if r.Buffered() == 0 { w.Flush() }
				if err != nil && err != bufio.ErrBufferFull { return }
			}
		}()
	}
}
"#;

/// The filter that tcpserver runs for each client.
const FILTER: &str = r"
#include <ctype.h>
#include <unistd.h>
int main(void) {
    static char buffer[65536];
    for (ssize_t n; (n = read(0, buffer, sizeof buffer)) > 0;) {
        for (ssize_t i = 0; i < n; i++) buffer[i] = toupper((unsigned char)buffer[i]);
        for (ssize_t at = 0, m; at < n; at += m) if ((m = write(1, buffer + at, n - at)) < 0) return 1;
    }
}
";

/// The usual echo server with nc: its output goes back to its input through a FIFO.
const NC: &str = r#"
mkfifo "$0" 2>&-
cat "$0" | nc -lk 127.0.0.1 "$1" > "$0"
"#;

/// How many clients a peer gets that starts a process for each.
const PROCESSES: usize = 200;

/// Programs built for the benchmark, in a directory that is removed with this.
pub(crate) struct Workshop {
    folder: PathBuf,
}

impl Workshop {
    pub(crate) fn open() -> io::Result<Self> {
        let folder = env::temp_dir().join(format!("capchat-bench-{}", process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    pub(crate) fn floor(&self) -> io::Result<Kind> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("floor.c");
        let floor = self.compile("floor", &source)?;
        Ok(Kind::new("floor", Answer::Echo, usize::MAX, &[&floor]))
    }

    /// The peers that are installed.
    pub(crate) fn peers(&self) -> io::Result<Vec<Kind>> {
        let mut peers = Vec::new();
        if is_installed("tcpserver") {
            let filter = self.compile("filter", &self.write("filter.c", FILTER)?)?;
            let command = ["tcpserver", "-HRl0", "-b4096", "-c20000", "127.0.0.1", PORT, &filter];
            peers.push(Kind::new("tcpserver", Answer::AsciiCapitals, PROCESSES, &command));
        }
        if is_installed("nc") {
            let fifo = self.folder.join("fifo").display().to_string();
            peers.push(Kind::new("nc", Answer::Echo, 1, &["sh", "-c", NC, &fifo, PORT]));
        }
        if is_installed("ncat") {
            let command = ["ncat", "-lk", "-m", "2000", "127.0.0.1", PORT, "-e", "/bin/cat"];
            peers.push(Kind::new("ncat", Answer::Echo, PROCESSES, &command));
        }
        if is_installed("socat") {
            let listen = format!("TCP-LISTEN:{PORT},bind=127.0.0.1,fork,reuseaddr,backlog=4096");
            // With a buffer larger than a pipe it locks up.
            let command = ["socat", &listen, "PIPE"];
            peers.push(Kind::new("socat", Answer::Echo, PROCESSES, &command));
        }
        if is_installed("python3") {
            let command = ["python3", "-c", ASYNCIO, "asyncio"];
            peers.push(Kind::new("asyncio", Answer::AsciiCapitals, usize::MAX, &command));
            let import = ["-c", "import uvloop"];
            if Command::new("python3").args(import).stderr(Stdio::null()).status()?.success() {
                let command = ["python3", "-c", ASYNCIO, "uvloop"];
                peers.push(Kind::new("uvloop", Answer::AsciiCapitals, usize::MAX, &command));
            }
            peers.push(Kind::new("python", Answer::AsciiCapitals, 1, &["python3", "-c", PLAIN]));
        }
        if is_installed("go") {
            let source = self.write("server.go", GO)?;
            let binary = self.folder.join("server").display().to_string();
            let built = Command::new("go").args(["build", "-o", &binary]).arg(source).status()?;
            if built.success() {
                peers.push(Kind::new("go", Answer::Capitals, usize::MAX, &[&binary]));
            }
        }
        Ok(peers)
    }

    fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.folder.join(name);
        fs::write(&path, text)?;
        Ok(path)
    }

    fn compile(&self, name: &str, source: &Path) -> io::Result<String> {
        let binary = self.folder.join(name);
        let built = Command::new("cc").args(["-O2", "-o"]).arg(&binary).arg(source).status()?;
        if built.success() {
            Ok(binary.display().to_string())
        } else {
            Err(io::Error::other(format!("cc failed: {built}")))
        }
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

pub(crate) fn capchat(program: &str) -> Kind {
    let command = [program, "serve", "-q", "127.0.0.1:0"];
    Kind::new("capchat", Answer::Capitals, usize::MAX, &command)
}

pub(crate) fn is_installed(program: &str) -> bool {
    env::var_os("PATH")
        .is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}
