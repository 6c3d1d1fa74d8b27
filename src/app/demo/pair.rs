//! The pair: two load balancers, one address, and the scenes.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use super::load::Load;
use super::network::{self, CLIENT, Door, ORIGINS, PREFIX, VIP};
use super::node::{Order, SUBCOMMAND};
use super::origin::Origin;
use super::story::{self, Outcome, Printer};
use super::{Options, PAGE, WEB, names};
use crate::sys::clock;

/// How long anything may take before the demo gives up on it.
const PATIENCE: Duration = Duration::from_secs(20);

const HAPROXY_CFG: &str = include_str!("../../../compat-fixtures/demo/haproxy.cfg");
const KEEPALIVED_CONF: [&str; 2] = [
    include_str!("../../../compat-fixtures/demo/keepalived-1.conf"),
    include_str!("../../../compat-fixtures/demo/keepalived-2.conf"),
];
/// Programs that tell whether a process of some name runs, in order of preference.
const CHECKS: [&str; 4] = ["/usr/bin/killall -0", "/usr/bin/pidof", "/bin/pidof", "/usr/bin/pgrep -x"];

/// A line that one of the hosts' programs wrote.
#[derive(Clone, Debug)]
struct Line {
    node: usize,
    text: String,
}

struct Node {
    process: Child,
    orders: ChildStdin,
}

impl Node {
    async fn tell(&mut self, order: &Order) -> io::Result<()> {
        self.orders.write_all(order.line().as_bytes()).await?;
        self.orders.flush().await
    }
}

/// Files of the demo, removed with this value.
struct Files(PathBuf);

impl Files {
    fn write() -> io::Result<Self> {
        let dir = std::env::temp_dir().join(format!("tandem-demo-{}", std::process::id()));
        std::fs::create_dir(&dir)?;
        let files = Self(dir);
        let program = std::env::current_exe()?;
        for name in ["haproxy", "keepalived"] {
            std::os::unix::fs::symlink(&program, files.0.join(name))?;
        }
        std::fs::write(files.0.join("haproxy.cfg"), HAPROXY_CFG)?;
        let check = CHECKS.iter().find(|c| c.split(' ').next().is_some_and(|p| Path::new(p).exists()));
        let check = check.ok_or_else(|| {
            io::Error::other("none of killall, pidof and pgrep is installed; the check script needs one")
        })?;
        for (i, text) in KEEPALIVED_CONF.iter().enumerate() {
            let text = text.replace("@CHECK@", check);
            std::fs::write(files.0.join(format!("keepalived-{}.conf", i + 1)), text)?;
        }
        Ok(files)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // A file that stays behind in the temporary directory is no reason to fail.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs the scenes.
///
/// # Errors
/// What could not be set up.
pub(super) fn run(options: Options, printer: &Printer, door: Door) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            result = play(options, printer, door) => result,
            _ = tokio::signal::ctrl_c() => {
                printer.say("interrupted; everything is taken down");
                Ok(())
            }
        }
    })
}

async fn play(options: Options, printer: &Printer, door: Door) -> io::Result<()> {
    printer.scene("three origins, two load balancers, one address");
    let mut stage = Stage::set(*printer, options).await?;
    open(door)?;
    printer.say(&format!(
        "from this machine: http://{WEB}/ is the address that moves, http://{PAGE}/ its statistics"
    ));
    stage.start_node(0).await?;
    stage.start_node(1).await?;
    stage.wait_for(0, "Entering MASTER STATE").await?;
    stage.wait_answers().await?;

    stage.scene("all is well", |_| Box::pin(async { Ok(String::new()) })).await?;
    stage.scene("origin2 dies", |s| Box::pin(s.origin_dies())).await?;
    stage.scene("origin2 is back", |s| Box::pin(s.origin_returns())).await?;
    stage.scene("the active proxy is killed", |s| Box::pin(s.proxy_dies())).await?;
    stage.scene("the proxy is back", |s| Box::pin(s.proxy_returns())).await?;
    stage.scene("the whole active node dies", |s| Box::pin(s.node_dies())).await?;
    stage.scene("the node is back", |s| Box::pin(s.node_returns())).await?;
    story::raw(&story::table(&stage.outcomes));
    if options.keep {
        printer.say(&format!("left running: http://{WEB}/ and http://{PAGE}/ ; Ctrl-C ends it"));
        std::future::pending::<()>().await;
    }
    Ok(())
}

/// Lines worth a place in the timeline: an address moves, a server changes its state, something is wrong.
fn is_news(said: &str) -> bool {
    let server = said.starts_with("Server ") && (said.contains(" is DOWN") || said.contains(" is UP"));
    server || said.contains(" STATE") || said.starts_with("[ALERT]")
}

/// Lets the machine's own network in.
fn open(door: Door) -> io::Result<()> {
    for (listener, target) in door.listeners {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        tokio::spawn(async move {
            while let Ok((mut outside, _)) = listener.accept().await {
                tokio::spawn(async move {
                    if let Ok(mut inside) = TcpStream::connect(target).await {
                        // Either side may go away at any time.
                        let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
                    }
                });
            }
        });
    }
    Ok(())
}

type Scene<'a> = std::pin::Pin<Box<dyn Future<Output = io::Result<String>> + 'a>>;

struct Stage {
    printer: Printer,
    pause: Duration,
    files: Files,
    nodes: [Option<Node>; 2],
    origins: Vec<Origin>,
    lines: UnboundedReceiver<Line>,
    pen: UnboundedSender<Line>,
    load: Load,
    outcomes: Vec<Outcome>,
    /// Generation of the cables' names: a dead host's cable goes a moment after it.
    cables: usize,
}

impl Stage {
    async fn set(printer: Printer, options: Options) -> io::Result<Self> {
        let hosts = (1..).zip(ORIGINS).map(|(i, ip)| (format!("origin{i}"), ip)).collect();
        names::start(SocketAddr::from((CLIENT, 53)), hosts).await?;
        let mut origins = Vec::new();
        for (i, ip) in (1..).zip(ORIGINS) {
            origins.push(Origin::start(format!("origin{i}"), SocketAddr::from((ip, 80))).await?);
        }
        let (pen, lines) = unbounded_channel();
        Ok(Self {
            printer,
            pause: options.pause,
            files: Files::write()?,
            nodes: [None, None],
            origins,
            lines,
            pen,
            load: Load::start(SocketAddr::from((VIP, 80))),
            outcomes: Vec::new(),
            cables: 0,
        })
    }

    /// Plays one scene and notes what it cost the clients.
    async fn scene(&mut self, title: &str, act: impl FnOnce(&mut Self) -> Scene<'_>) -> io::Result<()> {
        self.printer.scene(title);
        // What was said before this scene is no answer to it.
        while self.lines.try_recv().is_ok() {}
        self.load.take();
        let note = act(self).await?;
        tokio::time::sleep(self.pause).await;
        let tally = self.load.take();
        self.printer.say(&format!(
            "{} requests, {} lost; answered by {}",
            tally.sent,
            tally.lost,
            tally.origins()
        ));
        self.outcomes.push(Outcome {
            scene: title.to_owned(),
            sent: tally.sent,
            lost: tally.lost,
            longest_gap: tally.longest_gap,
            note,
        });
        Ok(())
    }

    async fn start_node(&mut self, index: usize) -> io::Result<()> {
        let name = format!("lb{}", index + 1);
        let mut process = Command::new(std::env::current_exe()?)
            .args([SUBCOMMAND, &name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let (Some(orders), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(io::Error::other("no pipes to the host"));
        };
        let mut output = BufReader::new(output).lines();
        let ready = timeout(PATIENCE, output.next_line()).await??;
        if ready.as_deref() != Some("ready") {
            return Err(io::Error::other(format!("{name} did not come up")));
        }
        let pid = process.id().ok_or_else(|| io::Error::other("the host ended at once"))?;
        self.cables += 1;
        network::plug_in(&format!("port{}", self.cables), pid)?;
        let (pen, printer) = (self.pen.clone(), self.printer);
        tokio::spawn(async move {
            while let Ok(Some(text)) = output.next_line().await {
                let (_, said) = text.split_once(' ').unwrap_or_default();
                if is_news(said) {
                    printer.say(&format!("    {name}: {said}"));
                }
                if pen.send(Line { node: index, text: said.to_owned() }).is_err() {
                    return;
                }
            }
        });
        let mut node = Node { process, orders };
        let address = Ipv4Addr::new(172, 20, 0, 11 + index as u8);
        node.tell(&Order::Net(format!("{address}/{PREFIX}"))).await?;
        self.nodes[index] = Some(node);
        self.start_proxy(index).await?;
        let mut command = vec![self.files.path("keepalived")];
        let conf = self.files.path(&format!("keepalived-{}.conf", index + 1));
        command.extend(["-n", "-l", "-D", "-f", &conf].map(str::to_owned));
        self.tell(index, &Order::Start("vrrp".into(), command)).await?;
        self.printer.say(&format!("lb{} is up at {address}", index + 1));
        Ok(())
    }

    async fn start_proxy(&mut self, index: usize) -> io::Result<()> {
        let command =
            vec![self.files.path("haproxy"), "-db".into(), "-f".into(), self.files.path("haproxy.cfg")];
        self.tell(index, &Order::Start("proxy".into(), command)).await
    }

    async fn tell(&mut self, index: usize, order: &Order) -> io::Result<()> {
        match &mut self.nodes[index] {
            Some(node) => node.tell(order).await,
            None => Err(io::Error::other("that host is down")),
        }
    }

    /// Waits until a program of host `index` writes `text`; the seconds it took.
    async fn wait_for(&mut self, index: usize, text: &str) -> io::Result<f64> {
        let start = clock::now();
        let found = timeout(PATIENCE, async {
            while let Some(line) = self.lines.recv().await {
                if line.node == index && line.text.contains(text) {
                    return true;
                }
            }
            false
        })
        .await;
        match found {
            Ok(true) => Ok(clock::now().duration_since(start).as_secs_f64()),
            _ => Err(io::Error::other(format!("lb{} never said '{text}'", index + 1))),
        }
    }

    async fn wait_answers(&mut self) -> io::Result<f64> {
        let start = clock::now();
        self.load.take();
        while self.load.answered() == 0 {
            if clock::now().duration_since(start) > PATIENCE {
                return Err(io::Error::other("the address never answered"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(clock::now().duration_since(start).as_secs_f64())
    }

    async fn origin_dies(&mut self) -> io::Result<String> {
        self.origins[1].kill();
        let seconds = self.wait_for(0, "Server origins/origin2 is DOWN").await?;
        Ok(format!("seen down after {seconds:.1} s"))
    }

    async fn origin_returns(&mut self) -> io::Result<String> {
        self.origins[1] = Origin::start("origin2".into(), SocketAddr::from((ORIGINS[1], 80))).await?;
        let seconds = self.wait_for(0, "Server origins/origin2 is UP").await?;
        Ok(format!("in use again after {seconds:.1} s"))
    }

    async fn proxy_dies(&mut self) -> io::Result<String> {
        self.tell(0, &Order::Kill("proxy".into())).await?;
        let seconds = self.wait_for(1, "Entering MASTER STATE").await?;
        Ok(format!("lb2 took the address after {seconds:.1} s"))
    }

    async fn proxy_returns(&mut self) -> io::Result<String> {
        self.start_proxy(0).await?;
        let seconds = self.wait_for(0, "Entering MASTER STATE").await?;
        Ok(format!("lb1 took it back after {seconds:.1} s"))
    }

    async fn node_dies(&mut self) -> io::Result<String> {
        if let Some(mut node) = self.nodes[0].take() {
            node.process.kill().await?;
        }
        let seconds = self.wait_for(1, "Entering MASTER STATE").await?;
        Ok(format!("lb2 took the address after {seconds:.1} s"))
    }

    async fn node_returns(&mut self) -> io::Result<String> {
        self.start_node(0).await?;
        let seconds = self.wait_for(0, "Entering MASTER STATE").await?;
        Ok(format!("lb1 took it back after {seconds:.1} s"))
    }
}
