//! Variables of scope `proc`: one set for the process, written by rules and by `set-var` of the global section.

use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::expr::ctx::{Buffered, Captures, Client, Clock, Process, Progress, ProxyView};
use crate::expr::{Ctx, Live, Vars, eval, logformat};
use crate::ir::expr::{ProcessNumber, ProxyNumber, ServerNumber, TimeoutName, Value, VarName};
use crate::ir::global::{GlobalVar, VarSource};
use crate::ir::{Config, ProxyIdx};
use crate::sys::clock;

/// A name's id, the name for people, and the value. Few, so a linear search wins.
static VARS: Mutex<Vec<(u64, Arc<str>, Value)>> = Mutex::new(Vec::new());

/// The value of a variable.
#[must_use]
pub fn get(name: &VarName) -> Option<Value> {
    VARS.lock().iter().find(|(id, ..)| *id == name.id).map(|(.., value)| value.clone())
}

/// Sets a variable or, with `None`, forgets it.
pub fn set(name: &VarName, value: Option<Value>) {
    let mut vars = VARS.lock();
    vars.retain(|(id, ..)| *id != name.id);
    if let Some(value) = value {
        vars.push((name.id, name.name.clone(), value));
    }
}

/// All of them, with their names.
#[must_use]
pub fn all() -> Vec<(Arc<str>, Value)> {
    VARS.lock().iter().map(|(_, name, value)| (name.clone(), value.clone())).collect()
}

/// Does what the global section says, line after line: later ones see what earlier ones set.
pub fn preset(config: &Config) {
    for GlobalVar { name, source } in &config.set_vars {
        let value = evaluate(source);
        if value.is_some() {
            set(name, value);
        }
    }
}

/// The value of something that needs no session.
#[must_use]
pub fn evaluate(source: &VarSource) -> Option<Value> {
    without_session(|ctx| match source {
        VarSource::Expr(expr) => eval(expr, ctx).ok().map(|sample| sample.to_value()),
        VarSource::Format(format) => Some(Value::Str(logformat::to_vec(format, ctx).into())),
    })
}

/// An evaluation without a session.
pub(super) fn without_session<T>(look: impl FnOnce(&Ctx<'_>) -> T) -> T {
    let (vars, captures) = (Vars::default(), Captures::default());
    let zone = jiff::tz::TimeZone::system();
    look(&blank(&vars, &captures, &zone))
}

/// A view without a session.
fn blank<'a>(vars: &'a Vars, captures: &'a Captures, zone: &'a jiff::tz::TimeZone) -> Ctx<'a> {
    let since = clock::wall().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ctx {
        clock: Clock { now_us: i64::try_from(since.as_micros()).unwrap_or(i64::MAX), zone },
        process: Process { hostname: "", pid: std::process::id(), thread: 0 },
        client: Client::default(),
        frontend: ProxyView::default(),
        backend: ProxyView::default(),
        server: None,
        no_server: "",
        request: None,
        response: None,
        request_data: Buffered::default(),
        response_data: Buffered::default(),
        vars,
        captures,
        progress: Progress::default(),
        live: &Nothing,
        is_final: true,
        not_http: false,
    }
}

/// Before anything runs every number is zero.
struct Nothing;

impl Live for Nothing {
    fn proxy(&self, _: ProxyIdx, _: ProxyNumber) -> i64 {
        0
    }

    fn server(&self, _: ProxyIdx, _: u32, _: ServerNumber) -> i64 {
        0
    }

    fn process(&self, _: ProcessNumber) -> i64 {
        0
    }

    fn listener_connections(&self) -> i64 {
        0
    }

    fn proxy_by_name(&self, _: &[u8]) -> Option<ProxyIdx> {
        None
    }

    fn proc_var(&self, name: &VarName) -> Option<Value> {
        get(name)
    }

    fn is_local(&self, addr: IpAddr) -> bool {
        addr.is_loopback()
    }

    fn random(&self) -> u64 {
        rand::random()
    }

    fn timeout(&self, _: TimeoutName) -> Option<i64> {
        None
    }
}
