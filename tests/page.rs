//! The statistics page in a real browser.

use std::time::Duration;

use crate::lab::{Browser, Config, Host, Lab, Nginx, Part, Process, get, proxy, show_stat, wait_for};

const CONFIG: &str = "\
global
    description a page to click on
    stats socket /run/page.sock level admin
defaults
    mode http
    timeout connect 500ms
    timeout client 30s
    timeout server 5s
frontend fe
    bind 127.0.0.1:8002
    option socket-stats
    default_backend be
backend be
    description what people see
    balance roundrobin
    option httpchk GET /
    server s1 127.0.0.1:8091 check inter 200ms weight 10
    server s2 127.0.0.1:8091 check inter 200ms weight 20
    server s3 127.0.0.1:8091 weight 30
    server gone 127.0.0.1:8099 check inter 200ms fall 1
    server spare 127.0.0.1:8091 check inter 200ms backup
    server off 127.0.0.1:8091 check disabled
    server drained 127.0.0.1:8091 check inter 200ms weight 0
backend other
    server o1 127.0.0.1:8091
listen page
    bind 127.0.0.1:8001
    stats uri /stats
    stats show-legends
    stats show-node
    stats show-modules
    stats admin if TRUE
";

struct Bench {
    _proxy: Process,
    _nginx: Nginx,
    host: Host,
}

fn bench(lab: &Lab) -> Bench {
    let host = lab.host("page");
    let nginx = Nginx::with(&host, 8091, "location / { return 200 'hello\\n'; }");
    let process = host.haproxy(&proxy(), &Config::written(&host, "page.cfg", CONFIG));
    wait_for("the checks", Duration::from_secs(20), || {
        let text = String::from_utf8_lossy(&host.try_sh("curl -s 'http://127.0.0.1:8001/stats;csv'").stdout)
            .into_owned();
        (text.contains("L7OK") && text.contains("L4CON") && !text.contains("INI")).then_some(())
    });
    for _ in 0..12 {
        get(&host, "127.0.0.1:8002", "/").unwrap();
    }
    Bench { _proxy: process, _nginx: nginx, host }
}

const NEEDS: &[Part] =
    &[Part::Program("nginx"), Part::Program("curl"), Part::Program("chromium"), Part::Program("socat")];

/// How long the browser may take to show what a click did.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_click_in_a_browser_puts_a_server_into_maintenance_and_back() {
    let Some(lab) = Lab::open(NEEDS) else { return };
    let bench = bench(&lab);
    let mut browser = Browser::open(&bench.host, "http://127.0.0.1:8001/stats");
    let row = "document.querySelector('a[name=\"be/s1\"]').closest('tr')";
    for (action, class, status) in [("maint", "maintain", "MAINT"), ("ready", "active_up", "UP")] {
        browser.click("input[name=s][value=s1]");
        assert_eq!(browser.eval("document.querySelector('input[name=s][value=s1]').checked"), true);
        browser.eval(&format!(
            "document.querySelector('table[data-px=be]').closest('form').action.value = '{action}'"
        ));
        browser.click("form:has(table[data-px=be]) input[type=submit]");
        wait_for("the page to say so", SOON, || {
            let there =
                browser.eval("document.readyState === 'complete' && !!document.querySelector('.message')");
            (there == true).then_some(())
        });
        assert_eq!(browser.eval("document.querySelector('.message').textContent.startsWith('Done.')"), true);
        wait_for("the server's state", SOON, || {
            (show_stat(&bench.host, "/run/page.sock").status("be", "s1") == status).then_some(())
        });
        // The message stands in the address; without it the page is as it was before.
        browser.goto("http://127.0.0.1:8001/stats");
        wait_for("the row's colour", SOON, || {
            browser.goto("http://127.0.0.1:8001/stats");
            (browser.eval(&format!("{row}.className")) == class).then_some(())
        });
    }
}

#[test]
fn the_page_sorts_and_filters_and_fits_a_phone() {
    let Some(lab) = Lab::open(NEEDS) else { return };
    let bench = bench(&lab);
    let mut browser = Browser::open(&bench.host, "http://127.0.0.1:8001/stats");
    let names = "[...document.querySelectorAll('table[data-px=be] tr[data-k=s]')].filter(r => !r.hidden)\
                 .map(r => r.querySelector('a[name]').name.split('/')[1]).join(' ')";
    assert_eq!(browser.eval(names), "s1 s2 s3 gone spare off drained");
    browser.click("table[data-px=be] tr.titre th.name");
    assert_eq!(browser.eval(names), "drained gone off s1 s2 s3 spare");
    // By weight: greatest first, then smallest first, then as configured.
    let weight = "table[data-px=be] tr.titre:nth-of-type(2) th:nth-of-type(24)";
    assert_eq!(browser.eval(&format!("document.querySelector('{weight}').firstChild.textContent")), "Wght");
    browser.click(weight);
    assert!(browser.eval(names).as_str().unwrap().starts_with("s3 s2 s1 "));
    browser.click(weight);
    assert!(browser.eval(names).as_str().unwrap().ends_with(" s1 s2 s3"));
    // It stays so when the page comes again.
    browser.goto("http://127.0.0.1:8001/stats");
    assert!(browser.eval(names).as_str().unwrap().ends_with(" s1 s2 s3"));
    browser.click(weight);
    assert_eq!(browser.eval(names), "s1 s2 s3 gone spare off drained");

    browser.click("#filter");
    browser.type_text("down");
    assert_eq!(browser.eval(names), "gone");
    assert_eq!(browser.eval("document.querySelector('table[data-px=other]').closest('.proxy').hidden"), true);
    browser.eval("(() => { const f = document.querySelector('#filter'); f.value = ''; f.dispatchEvent(new Event('input')); })()");
    browser.click("table[data-px=be] th[aria-label=Mark] input");
    assert_eq!(
        browser.eval("document.querySelectorAll('table[data-px=be] input[name=s]:checked').length"),
        7
    );

    browser.resize(390, 844, true);
    browser.goto("http://127.0.0.1:8001/stats");
    let width = browser.eval("[document.documentElement.scrollWidth, innerWidth]");
    assert!(width[0].as_u64() <= width[1].as_u64(), "the page is wider than the phone: {width}");
    let background = "getComputedStyle(document.body).backgroundColor";
    let light = browser.eval(background);
    browser.dark(true);
    assert_ne!(browser.eval(background), light);
    // For whoever wants to see what the test saw.
    if let Some(dir) = std::env::var_os("TANDEM_SCREENSHOTS") {
        let shots = [
            ("phone-dark", 390, 844, true, true),
            ("phone", 390, 844, true, false),
            ("desktop", 1500, 1000, false, false),
            ("desktop-dark", 1500, 1000, false, true),
        ];
        for (name, width, height, phone, dark) in shots {
            browser.resize(width, height, phone);
            browser.dark(dark);
            std::fs::write(std::path::Path::new(&dir).join(format!("{name}.png")), browser.screenshot())
                .unwrap();
        }
    }
}
