//! `debug`: what HAProxy's developers do to a process that runs (expert mode). What only looks or talks is done; what damages
//! the process is refused.

use std::time::Duration;

use super::super::Control;
use super::super::registry::{Call, Command, command};
use super::super::reply::Reply;
use crate::ir::global::Level;
use crate::sys::clock;

/// Most bytes of `debug dev write`.
const MOST: usize = 1024 * 1024;

/// Longest `debug dev delay`.
const LONGEST: Duration = Duration::from_secs(60);

pub(super) const COMMANDS: &[Command] = &[
    command(
        &["debug", "dev"],
        Level::Admin,
        "debug dev <what>",
        "make the program crash, loop or write into its memory",
        refuse,
    ),
    command(&["debug", "dev", "delay"], Level::Admin, "debug dev delay  [ms]", "sleep this long", |call| {
        for_experts(call, |call| {
            let ms = call.arg(0).parse().unwrap_or(0);
            let until = clock::now() + Duration::from_millis(ms).min(LONGEST);
            let over = move |_: &Control| (clock::now() >= until).then(Reply::done);
            Reply::wait(until + LONGEST, Some(Box::new(over)))
        })
    }),
    command(
        &["debug", "dev", "hash"],
        Level::User,
        "debug dev hash   [msg]",
        "return msg hashed if anon is set",
        |call| Reply::info(format!("{}\n", call.session.anon.name(call.arg(0)))),
    ),
    command(
        &["debug", "dev", "write"],
        Level::Admin,
        "debug dev write  [size]",
        "write that many bytes in return",
        |call| {
            for_experts(call, |call| {
                let size = call.arg(0).parse::<usize>().unwrap_or(0).min(MOST);
                Reply::list(format!("{}\n", ".".repeat(size)))
            })
        },
    ),
    command(
        &["debug", "counters"],
        Level::Admin,
        "debug counters [?|all|bug|cnt|chk|glt]*",
        "dump/reset rare event counters",
        counters,
    ),
];

/// There is nothing to count: this program has no places in its code that should never be reached and go on.
fn counters(call: &mut Call<'_>) -> Reply {
    const WORDS: [&str; 9] = ["show", "reset", "on", "off", "all", "bug", "cnt", "chk", "glt"];
    if call.args.iter().any(|word| !word.is_empty() && !WORDS.contains(&word.as_str())) {
        return Reply::error(
            "Expects an optional action ('reset','show','on','off'), optional types ('bug','chk','cnt','glt') and \
             optionally 'all' to even dump null counters.\n",
        );
    }
    Reply::list(if call.has("all") {
        "Count     Type Location function(): \"condition\" [comment]\n"
    } else {
        ""
    })
}

fn for_experts(call: &mut Call<'_>, run: impl FnOnce(&mut Call<'_>) -> Reply) -> Reply {
    if !call.session.expert {
        return Reply::error("This command is restricted to expert mode only.\n");
    }
    run(call)
}

fn refuse(call: &mut Call<'_>) -> Reply {
    for_experts(call, |_| {
        Reply::error(
            "'debug dev' is refused: this program has no command that damages itself. There are 'delay', 'hash' \
             and 'write'.\n",
        )
    })
}
