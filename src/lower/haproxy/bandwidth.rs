//! `filter bwlim-in` and `filter bwlim-out`.

use std::time::Duration;

use tandem_parser::diagnostic::{Diagnostic, Reason};
use tandem_parser::haproxy::Statement;
use tandem_parser::value::{self, Unit};

use super::context::Context;
use crate::ir::bandwidth::BandwidthLimit;
use crate::ir::expr::Dir;

/// Reads the line. `None`: it is none of these, or what is wrong with it was said.
pub(super) fn apply(context: &mut Context<'_>, line: &Statement, limits: &mut Vec<BandwidthLimit>) -> bool {
    let dir = match line.name() {
        "filter bwlim-in" => Dir::Req,
        "filter bwlim-out" => Dir::Res,
        _ => return false,
    };
    if let Some(limit) = read(context, line, dir) {
        if limits.iter().any(|other| other.name == limit.name) {
            let message = format!("'{}' : there is already a filter '{}'.", line.name(), limit.name);
            context.alert(Reason::Duplicate, line.span, message);
        } else {
            limits.push(limit);
        }
    }
    true
}

fn read(context: &mut Context<'_>, line: &Statement, dir: Dir) -> Option<BandwidthLimit> {
    let filter = line.name();
    let words = line.words(0);
    let Some((name, options)) = words.split_first() else {
        context.alert(
            Reason::MissingArgument,
            line.span,
            format!("'{filter}' : a name is expected as first argument."),
        );
        return None;
    };
    let (mut limit, mut period, mut min_size) = (None, None, 0);
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let argument = options.next();
        let Some(argument) = argument else {
            let message = format!("'{filter}' : the value of '{option}' is missing.");
            context.alert(Reason::MissingArgument, option.span, message);
            return None;
        };
        let wrong = |context: &mut Context<'_>, what: &str| {
            let message = format!("'{filter}' : '{option}' expects {what}, got '{argument}'.");
            context.alert(Reason::InvalidValue, argument.span, message);
        };
        match option.text() {
            "default-limit" | "min-size" => match value::size(argument) {
                Ok(size) if option.text() == "min-size" => min_size = size,
                Ok(size) => limit = Some(size),
                Err(_) => {
                    wrong(context, "a size");
                    return None;
                }
            },
            "default-period" => match value::time(argument, Unit::Ms) {
                Ok(time) if !time.is_zero() => period = Some(time),
                _ => {
                    wrong(context, "a time");
                    return None;
                }
            },
            "limit" | "key" | "table" => {
                let message = format!(
                    "'{filter}' with '{option}' cannot be used : stick tables are not implemented yet."
                );
                let help = "'default-limit' and 'default-period' limit each stream by itself";
                context.say(Diagnostic::alert(Reason::Refused, option.span, message).help(help));
                return None;
            }
            other => {
                let message = format!("'{filter}' : unknown option '{other}'.");
                let d = Diagnostic::alert(Reason::UnknownKeyword, option.span, message);
                context.say(d.help("there are: default-limit, default-period, limit, key, table, min-size"));
                return None;
            }
        }
    }
    let (Some(limit), Some(period)) = (limit.filter(|limit| *limit > 0), period) else {
        let message = format!("'{filter}' : 'default-limit' and 'default-period' are expected.");
        context.alert(Reason::MissingArgument, line.span, message);
        return None;
    };
    Some(BandwidthLimit {
        name: name.text().to_owned(),
        dir,
        limit,
        period: Duration::max(period, Duration::from_millis(1)),
        min_size,
    })
}
