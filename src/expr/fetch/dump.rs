//! `dump_all_vars`: the variables in one line.

use smallvec::SmallVec;

use crate::expr::ctx::Ctx;
use crate::expr::sample::{Bytes, Sample, push_display, push_hex};
use crate::ir::expr::{Scope, Value};

/// Scopes in the order of the line, with how their names begin.
const SCOPES: [(Scope, &str); 5] = [
    (Scope::Sess, "sess."),
    (Scope::Txn, "txn."),
    (Scope::Req, "req."),
    (Scope::Res, "res."),
    (Scope::Proc, "proc."),
];

/// `SCOPE.NAME=VALUE` of all variables whose names begin with `prefix`; `scope`: of that one only.
pub(super) fn variables(
    ctx: &Ctx<'_>,
    scope: Option<Scope>,
    prefix: &str,
    delimiter: &str,
) -> Sample<'static> {
    let mut out = Bytes::Own(SmallVec::new());
    let mut push = |start: &str, name: &str, value: &Value| {
        if !name.starts_with(prefix) {
            return;
        }
        let line = out.to_mut();
        if !line.is_empty() {
            line.extend_from_slice(delimiter.as_bytes());
        }
        push_display(line, format_args!("{start}{name}="));
        match value {
            Value::Bool(yes) => push_display(line, format_args!("{yes}")),
            Value::Int(number) => push_display(line, format_args!("{number}")),
            Value::Ipv4(ip) => push_display(line, format_args!("{ip}")),
            Value::Ipv6(ip) => push_display(line, format_args!("{ip}")),
            Value::Str(text) | Value::Meth(text) => quoted(line, text),
            Value::Bin(bytes) => push_hex(line, bytes),
        }
    };
    for (known, start) in SCOPES.into_iter().filter(|(known, _)| scope.is_none_or(|scope| scope == *known)) {
        if known == Scope::Proc {
            ctx.live.proc_vars().iter().for_each(|(name, value)| push(start, name, value));
        } else {
            ctx.vars.of(known).for_each(|(name, value)| push(start, name, value));
        }
    }
    Sample::Str(out)
}

fn quoted(line: &mut SmallVec<[u8; 64]>, text: &[u8]) {
    line.push(b'"');
    for byte in text {
        match byte {
            b'"' | b'\\' => line.extend_from_slice(&[b'\\', *byte]),
            b'\r' => line.extend_from_slice(b"\\r"),
            b'\n' => line.extend_from_slice(b"\\n"),
            8 => line.extend_from_slice(b"\\b"),
            0 => line.extend_from_slice(b"\\0"),
            other => line.push(*other),
        }
    }
    line.push(b'"');
}
