//! The page over a running configuration.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::stats::tests::live_with;

/// A configuration whose frontend has a page at `/stats`.
fn live(change: impl FnOnce(&mut StatsPage)) -> Arc<Live> {
    live_with(|config| {
        let mut page = StatsPage {
            uri: "/stats".into(),
            realm: "My Realm".into(),
            hide_version: false,
            ..StatsPage::default()
        };
        change(&mut page);
        Arc::make_mut(&mut config.proxies[0]).stats = Some(Box::new(page));
    })
}

fn get(uri: &str) -> Request<'_> {
    Request {
        method: b"GET",
        uri: uri.as_bytes(),
        authorization: None,
        body: b"",
        content_length: None,
        admin: true,
        cross_site: false,
    }
}

fn ask(live: &Live, request: &Request<'_>) -> Response {
    let program = Program { name: "HAProxy".into(), version: "9.8.7".into(), ..Program::default() };
    respond(live, &program, Usage::default(), &Watch::default(), &live.proxies()[0], request)
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str())
}

fn text(response: &Response) -> String {
    String::from_utf8(response.body.clone()).expect("text")
}

fn post(live: &Live, body: &str) -> String {
    let request = Request { method: b"POST", body: body.as_bytes(), ..get("/stats;up") };
    let response = ask(live, &request);
    assert_eq!(response.status, 303);
    header(&response, "location").expect("where to go on").to_owned()
}

#[test]
fn only_the_right_user_and_password_get_in() {
    let live = live(|page| page.auth = vec![("admin".into(), "secret".into()), ("a".into(), "b".into())]);
    let refused = ask(&live, &get("/stats"));
    assert_eq!(refused.status, 401);
    assert_eq!(header(&refused, "www-authenticate"), Some("Basic realm=\"My Realm\""));
    for (value, status) in [
        ("Basic YWRtaW46c2VjcmV0", 200),
        ("basic YTpi", 200),
        ("Basic YWRtaW46c2VjcmV0eA==", 401),
        ("Basic !!!", 401),
        ("Bearer YWRtaW46c2VjcmV0", 401),
        ("", 401),
    ] {
        let request = Request { authorization: Some(value.as_bytes()), ..get("/stats") };
        assert_eq!(ask(&live, &request).status, status, "{value}");
    }
    let request = Request { method: b"POST", body: b"s=plain&action=maint&b=be", ..get("/stats") };
    assert_eq!(ask(&live, &request).status, 401, "nobody changes anything without a password");
}

#[test]
fn forms_are_answered_with_haproxys_codes() {
    let live = live(|_| {});
    for (body, code) in [
        ("s=plain&action=drain&b=%233", "DONE"),
        ("s=plain&action=ready&b=be", "DONE"),
        ("b=be&action=ready&s=plain", "DONE"),
        ("s=plain&action=ready&b=nope", "ERRP"),
        ("s=nope&action=ready&b=be", "ERRP"),
        ("action=ready&b=be", "NONE"),
        ("s=plain&s=nope&action=ready&b=be", "PART"),
        ("s=plain&action=foo&b=be", "ERRP"),
        ("action=foo", "ERRP"),
        ("b=nope", "ERRP"),
        ("s=plain&b=be", "NONE"),
        ("s=plain&action=ready", "NONE"),
        ("s=plain&action=dhlth&b=be", "NONE"),
        ("s=plain&action=disable&b=be", "DONE"),
        ("s=plain&action=disable&b=be", "NONE"),
        ("s=plain&s=nope&action=disable&b=be", "ERRP"),
        ("s=plain&action=enable&b=be", "DONE"),
        ("s=plain&action=stop&b=be", "DONE"),
        ("s=plain&action=start&b=be", "DONE"),
        ("", "NONE"),
    ] {
        assert_eq!(post(&live, body), format!("/stats;st={code};up"), "{body}");
    }
}

#[test]
fn forms_reach_no_backend_that_the_page_does_not_show() {
    let live = live(|page| page.scope = vec!["fe".into()]);
    for body in ["s=plain&action=maint&b=be", "s=plain&action=maint&b=%233", "s=plain&action=maint&b=nope"] {
        assert_eq!(post(&live, body), "/stats;st=DENY;up", "{body}");
    }
    let server = live.backend_named("be").unwrap().backend.as_ref().unwrap().server_named("plain").unwrap();
    assert!(server.is_usable());
}

#[test]
fn a_posted_action_changes_the_server() {
    let live = live(|_| {});
    let status = || {
        let csv = text(&ask(&live, &get("/stats;csv")));
        let line = csv.lines().find(|l| l.starts_with("be,plain,")).expect("the row").to_owned();
        line.split(',').nth(17).expect("status").to_owned()
    };
    for (action, state) in
        [("maint", "MAINT"), ("ready", "no check"), ("drain", "DRAIN"), ("ready", "no check")]
    {
        post(&live, &format!("s=plain&action={action}&b=be"));
        assert_eq!(status(), state, "{action}");
    }
    post(&live, "s=plain&action=hdown&b=be");
    assert_eq!(status(), "DOWN");
}

#[test]
fn who_may_not_change_anything_is_told_so_and_gets_no_form() {
    let live = live(|_| {});
    let request =
        Request { method: b"POST", body: b"s=plain&action=maint&b=be", admin: false, ..get("/stats") };
    assert_eq!(header(&ask(&live, &request), "location"), Some("/stats;st=DENY"));
    let request = Request { admin: true, cross_site: true, ..request };
    assert_eq!(header(&ask(&live, &request), "location"), Some("/stats;st=DENY"));
    let request = Request { cross_site: false, content_length: Some(9999), ..request };
    assert_eq!(header(&ask(&live, &request), "location"), Some("/stats;st=EXCD"));
    let page = text(&ask(&live, &Request { admin: false, ..get("/stats") }));
    assert!(!page.contains("name=\"s\"") && !page.contains("method=\"post\""));
    assert!(!text(&ask(&live, &get("/stats;csv"))).contains("MAINT,1,1,,"), "nothing changed");
}

#[test]
fn the_page_has_the_fields_scripts_look_for() {
    let live = live(|_| {});
    let response = ask(&live, &get("/stats"));
    assert_eq!(header(&response, "content-type"), Some("text/html"));
    let page = text(&response);
    for part in [
        "<a name=\"be/plain\"></a>",
        "name=\"s\" value=\"checked\"",
        "<select name=\"action\">",
        "<option value=\"maint\">",
        "name=\"b\" value=\"#3\"",
        "class=\"active_no_check\"",
        "class=\"active_draining\"",
        "class=\"maintain\"",
        "HAProxy version 9.8.7",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(page.matches("<script").count(), 1, "only the one of ours");
}

#[test]
fn every_row_is_as_wide_as_the_head() {
    let live = live(|_| {});
    let page = text(&ask(&live, &get("/stats")));
    let width = |row: &str| {
        // Tables inside tips are not cells of the row.
        let mut outside = String::new();
        let mut rest = row;
        while let Some((before, after)) = rest.split_once("<div class=\"tips\">") {
            outside.push_str(before);
            rest = after.split_once("</div>").map_or("", |(_, rest)| rest);
        }
        outside.push_str(rest);
        let cells = outside.split("<td").skip(1);
        cells
            .map(|cell| {
                let colspan = cell.split('>').next().and_then(|tag| tag.split_once("colspan=\""));
                colspan.and_then(|(_, n)| n.split('"').next()?.parse::<usize>().ok()).unwrap_or(1)
            })
            .sum::<usize>()
    };
    let kinds = ["frontend", "active_no_check", "active_going_down", "maintain", "backend"];
    for kind in kinds {
        let at = page.find(&format!("<tr class=\"{kind}\" ")).unwrap_or_else(|| panic!("{kind}"));
        let row = &page[at..][..page[at..].find("</tr>\n").expect("the row's end")];
        // The frontend's own table has no marks.
        assert_eq!(width(row), if kind == "frontend" { 31 } else { 32 }, "{kind}: {row}");
    }
}

#[test]
fn options_of_the_proxy_show_and_hide() {
    let live = live(|page| {
        page.hide_version = true;
        page.show_node = Some("n1".into());
        page.show_desc = Some("<d>".into());
        page.show_legends = true;
        page.refresh = Some(Duration::from_secs(10));
        page.scope = vec!["be".into()];
    });
    let response = ask(&live, &get("/stats"));
    assert_eq!(header(&response, "refresh"), Some("10"));
    let page = text(&response);
    assert!(
        !page.contains("9.8.7") && page.contains(" on n1: &lt;d&gt;") && page.contains("127.0.0.1:23991")
    );
    assert!(page.contains("name=\"be/Backend\"") && !page.contains("name=\"fe/Frontend\""));
    assert_eq!(header(&ask(&live, &get("/stats;norefresh")), "refresh"), None);
}

#[test]
fn exports_have_their_types_and_scope() {
    let live = live(|_| {});
    for (uri, kind, start) in [
        ("/stats;csv", "text/plain", "# pxname,"),
        ("/stats;json", "application/json", "[[{\"objType\""),
        ("/stats;json-schema", "application/json", "{\"$schema\":"),
        ("/stats;typed", "text/plain", "F.2.0.0.pxname.1:KNSV:str:fe\n"),
    ] {
        let response = ask(&live, &get(uri));
        assert_eq!(header(&response, "content-type"), Some(kind));
        assert!(text(&response).starts_with(start), "{uri}");
    }
    let scoped = text(&ask(&live, &get("/stats;csv&scope=b")));
    assert!(scoped.contains("be,BACKEND") && !scoped.contains("fe,FRONTEND"));
    let scoped = text(&ask(&live, &get("/stats;csv;norefresh?scope=b")));
    assert!(scoped.contains("be,BACKEND") && !scoped.contains("fe,FRONTEND"));
    assert!(ask(&live, &Request { method: b"HEAD", ..get("/stats") }).body.is_empty());
    let page = StatsPage { uri: "/stats".into(), ..StatsPage::default() };
    assert!(
        wants(&page, b"GET", b"/stats;csv")
            && !wants(&page, b"PUT", b"/stats")
            && !wants(&page, b"GET", b"/")
    );
}

#[test]
fn names_that_look_like_markup_stay_names() {
    let live = live_with(|config| {
        Arc::make_mut(&mut config.proxies[0]).stats =
            Some(Box::new(StatsPage { uri: "/stats".into(), ..StatsPage::default() }));
        Arc::make_mut(&mut config.proxies[1]).description = Some("<script>alert(1)</script>".into());
    });
    let page = text(&ask(&live, &get("/stats?scope=%22%3E%3Cscript%3E")));
    assert!(!page.contains("\"><script>"));
    assert!(!text(&ask(&live, &get("/stats"))).contains("<script>alert"));
}
