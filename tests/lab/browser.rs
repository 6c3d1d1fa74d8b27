//! A headless Chromium, steered over the DevTools protocol: what is clicked is really clicked.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::host::Host;
use super::http::read_head;
use super::process::Process;
use super::wait::wait_for;

/// How long the browser may take for anything; it shares the machine with many.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the browser listens, on its own host.
const PORT: u16 = 9222;

/// A browser with one page.
pub(crate) struct Browser {
    _process: Process,
    stream: TcpStream,
    last: u64,
}

impl Browser {
    /// Starts one on `host` and shows `url`.
    pub(crate) fn open(host: &Host, url: &str) -> Self {
        let mut command = Command::new("chromium");
        command.args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            // Clicks before a page's first frame are dropped otherwise, on a busy machine often.
            "--allow-pre-commit-input",
        ]);
        command.arg(format!("--remote-debugging-port={PORT}"));
        command.arg(format!("--user-data-dir={}", host.dir().join("chromium").display()));
        command.arg("about:blank");
        let process = host.spawn(command);
        let path = wait_for("the browser", PATIENCE, || {
            let listed = host.try_sh(&format!("curl -s http://127.0.0.1:{PORT}/json/list"));
            let pages: Vec<Value> = serde_json::from_slice(&listed.stdout).ok()?;
            let page = pages.iter().find(|page| page["type"] == "page")?;
            let address = page["webSocketDebuggerUrl"].as_str()?;
            address.split_once(&format!(":{PORT}")).map(|(_, path)| path.to_owned())
        });
        let mut stream = host.run(|| TcpStream::connect(("127.0.0.1", PORT))).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        )
        .unwrap();
        let head = read_head(&mut stream).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let mut browser = Self { _process: process, stream, last: 0 };
        browser.goto(url);
        browser
    }

    /// Calls a method of the protocol.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        self.try_call(method, params).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Calls a method of the protocol; what it complains of where it does.
    fn try_call(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        self.last += 1;
        let text = json!({ "id": self.last, "method": method, "params": params }).to_string();
        let mut frame = vec![0x81, 0x80 | 127];
        frame.extend_from_slice(&(text.len() as u64).to_be_bytes());
        // A mask of zeros leaves the text as it is.
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(text.as_bytes());
        self.stream.write_all(&frame).unwrap();
        loop {
            let message: Value = serde_json::from_slice(&self.message()).unwrap();
            if message["id"] == self.last {
                return match &message["error"] {
                    Value::Null => Ok(message["result"].clone()),
                    error => Err(error.clone()),
                };
            }
        }
    }

    fn message(&mut self) -> Vec<u8> {
        let mut whole = Vec::new();
        loop {
            let mut head = [0; 2];
            self.stream.read_exact(&mut head).unwrap();
            let length = match head[1] & 0x7f {
                126 => {
                    let mut bytes = [0; 2];
                    self.stream.read_exact(&mut bytes).unwrap();
                    usize::from(u16::from_be_bytes(bytes))
                }
                127 => {
                    let mut bytes = [0; 8];
                    self.stream.read_exact(&mut bytes).unwrap();
                    u64::from_be_bytes(bytes) as usize
                }
                short => usize::from(short),
            };
            let start = whole.len();
            whole.resize(start + length, 0);
            self.stream.read_exact(&mut whole[start..]).unwrap();
            if head[0] & 0x80 != 0 {
                return whole;
            }
        }
    }

    /// Shows a page and waits until it is there.
    pub(crate) fn goto(&mut self, url: &str) {
        self.call("Page.navigate", json!({ "url": url }));
        wait_for("the page", PATIENCE, || {
            let there = self.eval("document.readyState === 'complete' && location.href !== 'about:blank'");
            (there == true).then_some(())
        });
    }

    /// The value of an expression (what it resolves to if it is a promise).
    ///
    /// A page that gives way to another just then has no values; the next one is asked.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = wait_for("a page with values", PATIENCE, || {
            match self.try_call("Runtime.evaluate", params.clone()) {
                Ok(answer) => Some(answer),
                Err(error) => {
                    let text = error["message"].as_str().unwrap_or_default().to_lowercase();
                    let leaving = ["context", "navigated", "promise was collected"];
                    assert!(leaving.iter().any(|reason| text.contains(reason)), "{expression}: {error}");
                    None
                }
            }
        });
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Clicks the middle of an element with the mouse, once the page has been painted.
    pub(crate) fn click(&mut self, selector: &str) {
        self.eval(
            "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))",
        );
        let place = self.eval(&format!(
            "(() => {{ const e = document.querySelector({selector:?}); if (!e) return null; \
             e.scrollIntoView({{ block: 'center', inline: 'center' }}); const r = e.getBoundingClientRect(); \
             return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        ));
        assert!(place.is_array(), "there is no {selector}");
        for kind in ["mousePressed", "mouseReleased"] {
            let params =
                json!({ "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", params);
        }
    }

    /// Types text into what has the focus.
    pub(crate) fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Makes the window this wide and high, a phone's if `phone`.
    pub(crate) fn resize(&mut self, width: u32, height: u32, phone: bool) {
        let params = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone });
        self.call("Emulation.setDeviceMetricsOverride", params);
    }

    /// Asks pages for dark colours, or not.
    pub(crate) fn dark(&mut self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": value }]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// A picture (PNG) of what is shown.
    pub(crate) fn screenshot(&mut self) -> Vec<u8> {
        use base64::Engine;
        let answer = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        base64::engine::general_purpose::STANDARD.decode(answer["data"].as_str().unwrap()).unwrap()
    }
}
