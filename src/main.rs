//! The program.

use std::process::ExitCode;

fn main() -> ExitCode {
    capchat::main()
}
