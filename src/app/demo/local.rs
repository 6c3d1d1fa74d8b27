//! The demo without network hosts: one proxy on this machine's own loopback.

use std::io;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use super::load::Load;
use super::origin::Origin;
use super::story::{self, Outcome, Printer};
use super::{Options, PAGE, WEB};

const PATIENCE: Duration = Duration::from_secs(20);

fn config(origins: &[SocketAddr]) -> String {
    let mut text = format!(
        "global\n    log stdout format raw local0\n    maxconn 500\n\
         defaults\n    log global\n    mode http\n    option httplog\n    option redispatch\n    retries 3\n    \
         timeout connect 2s\n    timeout client 30s\n    timeout server 30s\n\
         frontend stats\n    bind {PAGE}\n    stats enable\n    stats uri /\n    stats refresh 5s\n\
         frontend web\n    bind {WEB}\n    default_backend origins\n\
         backend origins\n    balance roundrobin\n    option httpchk GET /\n    http-check expect status 200\n"
    );
    for (i, addr) in (1..).zip(origins) {
        text.push_str(&format!("    server origin{i} {addr} check inter 1s fall 2 rise 2\n"));
    }
    text
}

/// Runs the scenes.
///
/// # Errors
/// What could not be set up.
pub(super) fn run(options: Options, printer: &Printer) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            result = play(options, printer) => result,
            _ = tokio::signal::ctrl_c() => {
                printer.say("interrupted; everything is taken down");
                Ok(())
            }
        }
    })
}

async fn play(options: Options, printer: &Printer) -> io::Result<()> {
    // Addresses of 127/8 that nobody else uses, with ports the kernel picks: reserved, then handed to the origins.
    let mut addrs = Vec::new();
    let mut origins = Vec::new();
    for i in 1..=3 {
        let addr = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        origins.push(Origin::start(format!("origin{i}"), addr).await?);
        addrs.push(addr);
    }
    let dir = std::env::temp_dir().join(format!("tandem-demo-{}", std::process::id()));
    std::fs::create_dir(&dir)?;
    let file = dir.join("haproxy.cfg");
    let written = std::fs::write(&file, config(&addrs));
    let proxy = written.and_then(|()| {
        Command::new(std::env::current_exe()?)
            .args(["haproxy", "-db", "-f"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    });
    let result = match proxy {
        Ok(mut proxy) => {
            let output = proxy.stdout.take().ok_or_else(|| io::Error::other("no pipe to the proxy"))?;
            if let Some(errors) = proxy.stderr.take() {
                tokio::spawn(pass_alerts(errors, *printer));
            }
            scenes(options, printer, &mut origins, &addrs, BufReader::new(output)).await
        }
        Err(error) => Err(error),
    };
    // What stays in the temporary directory harms nobody.
    let _ = std::fs::remove_dir_all(&dir);
    result
}

/// What the proxy cannot do, such as taking a port that somebody has.
async fn pass_alerts(errors: impl tokio::io::AsyncRead + Unpin, printer: Printer) {
    let mut lines = BufReader::new(errors).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if line.starts_with("[ALERT]") {
            printer.say(&line);
        }
    }
}

async fn scenes(
    options: Options,
    printer: &Printer,
    origins: &mut [Origin],
    addrs: &[SocketAddr],
    output: impl tokio::io::AsyncBufRead + Unpin,
) -> io::Result<()> {
    let mut lines = output.lines();
    let web: SocketAddr = WEB.parse().map_err(io::Error::other)?;
    let load = Load::start(web);
    timeout(PATIENCE, async {
        while load.answered() == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await?;
    printer.say(&format!("http://{WEB}/ answers; the statistics are at http://{PAGE}/"));
    let mut outcomes = Vec::new();
    for (title, wanted) in [
        ("all is well", None),
        ("origin2 dies", Some("Server origins/origin2 is DOWN")),
        ("origin2 is back", Some("Server origins/origin2 is UP")),
    ] {
        printer.scene(title);
        load.take();
        match title {
            "origin2 dies" => origins[1].kill(),
            "origin2 is back" => origins[1] = Origin::start("origin2".into(), addrs[1]).await?,
            _ => {}
        }
        if let Some(wanted) = wanted {
            timeout(PATIENCE, async {
                while let Some(line) = lines.next_line().await? {
                    if line.starts_with("Server ") {
                        printer.say(&line);
                    }
                    if line.contains(wanted) {
                        return Ok(());
                    }
                }
                Err(io::Error::other("the proxy ended"))
            })
            .await??;
        }
        tokio::time::sleep(options.pause).await;
        let tally = load.take();
        printer.say(&format!(
            "{} requests, {} lost; answered by {}",
            tally.sent,
            tally.lost,
            tally.origins()
        ));
        outcomes.push(Outcome {
            scene: title.to_owned(),
            sent: tally.sent,
            lost: tally.lost,
            longest_gap: tally.longest_gap,
            note: String::new(),
        });
    }
    story::raw(&story::table(&outcomes));
    if options.keep {
        printer.say("left running; Ctrl-C ends it");
        while lines.next_line().await?.is_some() {}
    }
    Ok(())
}
