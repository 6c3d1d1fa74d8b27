//! The forms against what HAProxy prints. Strings were recorded from HAProxy 2.6.

use std::sync::Arc;

use super::columns::{COLUMNS, CORE, Col};
use super::*;
use crate::ir::{self, Caps, Mode, ServerAddr, server::ServerCheck};
use crate::live::Live;
use crate::log::{self, Logger};
use crate::server::AdminRequest;

/// A frontend and a backend of four servers: one plain, one checked, one drained by weight, one disabled.
pub(crate) fn live() -> Arc<Live> {
    live_with(|_| {})
}

pub(crate) fn live_with(change: impl FnOnce(&mut ir::Config)) -> Arc<Live> {
    let mut fe = ir::Proxy::new("fe", Caps::Frontend);
    (fe.id, fe.mode) = (2, Mode::Http);
    if let Some(half) = &mut fe.frontend {
        (half.maxconn, half.rate_limit_sessions) = (Some(500), Some(300));
    }
    let mut be = ir::Proxy::new("be", Caps::Backend);
    (be.id, be.mode) = (3, Mode::Http);
    let checked = || Some(ServerCheck::default());
    let servers = [
        ("plain", None, 1, false),
        ("checked", checked(), 20, false),
        ("drained", checked(), 0, false),
        ("off", checked(), 1, true),
    ];
    if let Some(half) = &mut be.backend {
        half.servers = servers
            .into_iter()
            .zip(1..)
            .map(|((name, check, weight, disabled), id)| {
                let addr = ServerAddr::Ip(([127, 0, 0, 1], 23991).into());
                ir::Server { id, check, weight, disabled, ..ir::Server::new(name, addr) }
            })
            .collect();
    }
    let mut config = ir::Config { proxies: vec![Arc::new(fe), Arc::new(be)], ..ir::Config::default() };
    change(&mut config);
    let logger = Logger::new(log::Identity { hostname: None, tag: "haproxy".into(), pid: 1 });
    Live::new(Arc::new(config), Arc::new(logger), 2000)
}

/// A CSV line's fields by number, as a client without a CSV parser splits them.
fn split(line: &str) -> Vec<&str> {
    line.split(',').collect()
}

#[test]
fn the_header_names_every_core_column_in_its_place_and_ends_in_a_comma() {
    let header = csv::header();
    let names = split(header.trim_start_matches("# ").trim_end());
    assert_eq!(names.last(), Some(&""), "trailing comma");
    for (number, name) in [
        (0, "pxname"),
        (17, "status"),
        (33, "rate"),
        (36, "check_status"),
        (56, "last_chk"),
        (73, "addr"),
        (89, "src_ilim"),
        (102, "agg_check_status"),
        (118, "cache_hint_hits"),
        (119, "-"),
    ] {
        assert_eq!(names[number], name, "column {number}");
    }
    assert_eq!(Col::CacheHintHits.number(), CORE - 1);
    assert_eq!(names.len(), COLUMNS.len() + 2);
}

#[test]
fn every_line_has_as_many_fields_as_the_header() {
    let out = csv::render(&rows::all(&live(), &Selection::default()));
    let width = split(out.lines().next().unwrap()).len();
    assert_eq!(out.lines().count(), 1 + 1 + 4 + 1);
    for line in out.lines() {
        assert_eq!(split(line).len(), width, "{line}");
    }
}

#[test]
fn rows_of_an_idle_process_are_those_haproxy_prints() {
    let out = csv::render(&rows::all(&live(), &Selection { legends: true, ..Selection::default() }));
    let line = |prefix: &str| out.lines().find(|l| l.starts_with(prefix)).unwrap().to_owned();
    let head = |line: String| line.splitn(104, ',').take(103).collect::<Vec<_>>().join(",");
    assert_eq!(
        head(line("fe,FRONTEND")),
        "fe,FRONTEND,,,0,0,500,0,0,0,0,0,0,,,,,OPEN,,,,,,,,,1,2,0,,,,0,0,300,0,,,,0,0,0,0,0,0,,0,0,0,,,0,0,0,0,,,,,,,,\
         ,,,,,,,,,,,,,http,,0,0,0,0,0,0,0,,,0,0,,,,,,,0,,,,,,,,"
    );
    assert_eq!(
        head(line("be,plain")),
        "be,plain,0,0,0,0,,0,0,0,,0,,0,0,0,0,no check,1,1,0,,,0,,,1,3,1,,0,,2,0,,0,,,,0,0,0,0,0,0,,,,0,0,0,,,,,-1,,,0,0,\
         0,0,,,,,,,,,,,,127.0.0.1:23991,,http,,,,,,,,0,0,0,,,0,,0,0,0,0,0,0,0,0,0,1,,,"
    );
    assert_eq!(
        head(line("be,off")),
        "be,off,0,0,0,0,,0,0,0,,0,,0,0,0,0,MAINT,1,1,0,0,0,0,0,,1,3,4,,0,,2,0,,0,,,,0,0,0,0,0,0,,,,0,0,0,,,,,-1,,,0,0,0,\
         0,,,,,,,,,,,,127.0.0.1:23991,,http,,,,,,,,0,0,0,,,0,,0,0,0,0,0,0,0,0,0,1,,,"
    );
    assert_eq!(
        head(line("be,BACKEND")),
        "be,BACKEND,0,0,0,0,1,0,0,0,0,0,,0,0,0,0,UP,21,2,0,,0,0,0,,1,3,0,,0,,1,0,,0,,,,0,0,0,0,0,0,,,,0,0,0,0,0,0,0,-1,,,\
         0,0,0,0,,,,,,,,,,,,,,http,roundrobin,,,,,,,0,0,0,0,0,,,0,0,0,0,0,,,,,21,0,0,0"
    );
}

#[test]
fn values_with_structure_in_them_are_quoted() {
    let mut row = Row::new(Kind::Server, "b", "s", 1, 1);
    row.text(Col::LastChk, "said \"no, never\"");
    let mut out = String::new();
    csv::push_row(&mut out, &row);
    assert!(out.contains(",\"said \"\"no, never\"\"\","), "{out}");
}

#[test]
fn hiding_servers_leaves_a_count_at_the_backend() {
    let rows = rows::all(&live(), &Selection { no_maint: true, ..Selection::default() });
    assert!(rows.iter().all(|r| r.display(Col::SvName) != "off"));
    assert_eq!(rows.last().unwrap().display(Col::Status), "UP (3/4)");
}

#[test]
fn rows_can_be_picked_by_proxy_kind_and_number() {
    let pick = |iid, kinds, sid| {
        let rows = rows::all(&live(), &Selection { iid, kinds, sid, ..Selection::default() });
        rows.iter().map(|r| r.display(Col::SvName)).collect::<Vec<_>>()
    };
    assert_eq!(pick(Some(3), Kind::Server.bit(), Some(2)), ["checked"]);
    assert_eq!(pick(None, Kind::Backend.bit() | Kind::Frontend.bit(), None), ["FRONTEND", "BACKEND"]);
    assert!(pick(Some(99), 0, None).is_empty());
}

#[test]
fn the_typed_form_numbers_and_tags_each_field() {
    let out = typed::render(&rows::all(&live(), &Selection::default()), false);
    for line in [
        "F.2.0.0.pxname.1:KNSV:str:fe",
        "F.2.0.6.slim.1:CLPV:u32:500",
        "F.2.0.7.stot.1:MCPV:u64:0",
        "F.2.0.35.rate_max.1:MMPV:u32:0",
        "S.3.1.17.status.1:SGPV:str:no check",
        "S.3.1.19.act.1:SGPV:u32:1",
        "S.3.2.18.weight.1:MaPV:u32:20",
        "S.3.2.55.lastsess.1:MAPV:s32:-1",
        "S.3.2.67.check_rise.1:CGSV:u32:2",
        "B.3.0.19.act.1:MGPV:u32:2",
        "B.3.0.35.rate_max.1:MGPV:u32:0",
    ] {
        assert!(out.lines().any(|l| l == line), "{line} missing in\n{out}");
    }
}

#[test]
fn the_json_form_reads_back_and_begins_like_haproxys() {
    let out = json::render(&rows::all(&live(), &Selection::default()));
    assert!(
        out.starts_with(
            r#"[[{"objType":"Frontend","proxyId":2,"id":0,"field":{"pos":0,"name":"pxname"},"processNum":1,"tags":{"origin":"Key","nature":"Name","scope":"Service"},"value":{"type":"str","value":"fe"}},"#
        ),
        "{out}"
    );
    let read: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(read.as_array().map(Vec::len), Some(6));
}

#[test]
fn server_states_are_lines_of_the_state_file() {
    let live = live();
    let be = live.backend_named("be").unwrap();
    let server = be.backend.as_ref().unwrap().server_named("checked").unwrap();
    be.change_server(&server, |state, now| state.request(AdminRequest::Drain, now));
    let out = servers::state(live.proxies().iter(), &());
    let lines = out.lines().collect::<Vec<_>>();
    assert_eq!(lines[0], "1");
    assert_eq!(lines[1].split(' ').count() - 1, lines[2].split(' ').count(), "as many values as columns");
    assert_eq!(lines[2], "3 be 1 plain 127.0.0.1 2 0 1 1 0 1 0 2 0 0 0 0 - 23991 - 0 0 - - 0");
    assert_eq!(lines[3], "3 be 2 checked 127.0.0.1 2 8 20 20 0 1 0 2 6 0 0 0 - 23991 - 0 0 - - 0");
    assert!(lines[5].starts_with("3 be 4 off 127.0.0.1 0 5 1 1 0 1 0 "), "{}", lines[5]);
}

#[test]
fn the_process_tells_about_itself_in_three_forms() {
    let live = live();
    let program = info::Program { name: "HAProxy".into(), pid: 7, ..info::Program::default() };
    let items = info::items(&live, &program, info::Usage::default(), false);
    let plain = info::render(&items, info::Form::Plain, false);
    assert!(plain.starts_with("Name: HAProxy\n"), "{plain}");
    assert!(plain.contains("\nMaxconn: 2000\n") && plain.contains("\nUptime: 0d 0h00m00s\n"), "{plain}");
    let typed = info::render(&items, info::Form::Typed, false);
    for line in ["6.Pid.1:SGPV:u32:7", "47.Tasks.1:MGPV:u32:0", "70.Start_time_sec.1:MDPV:u32:"] {
        assert!(typed.contains(line), "{line} missing in\n{typed}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&info::render(&items, info::Form::Json, false)).unwrap();
    assert_eq!(json[6]["value"]["value"], 7);
}
