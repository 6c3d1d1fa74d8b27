//! The one binary: `tandem`, or `haproxy` / `keepalived` by the name it is called by.

fn main() -> std::process::ExitCode {
    tandem::cli::main()
}
