//! Maps and patterns that change while running, beside HAProxy: the answers of the socket and where requests go.

use crate::lab::{Config, Connection, Host, Lab, Part, Process, Program, proxy};

const SOCKET: &str = "/run/maps.sock";

const CONFIG: &str = "\
global
    stats socket /run/maps.sock level admin
defaults
    mode http
    timeout connect 500ms
    timeout client 5s
    timeout server 5s
frontend fe
    bind 127.0.0.1:8001
    acl net src 10.0.0.0/8
    acl listed path -f LIST /written
    http-request set-map(MAP) /map%[hdr(x-map)] %[hdr(x-value)] if { hdr(x-map) -m found } { hdr(x-value) -m found }
    http-request del-map(MAP) /map%[hdr(x-map)] if { hdr(x-map) -m found } !{ hdr(x-value) -m found }
    http-request add-acl(LIST) %[hdr(x-add)] if { hdr(x-add) -m found }
    http-request del-acl(LIST) %[hdr(x-del)] if { hdr(x-del) -m found }
    http-request deny deny_status 403 if listed
    http-request redirect location /%[path,map(MAP,none)] if { path_beg /map }
    http-request redirect location /%[path,map_str_int(INTS,0)] if { path_beg /int }
    http-request redirect location /%[src,map_ip(NETS,none)] if { path /net }
    http-request redirect location /%[path,map_str_ip(GATES,127.0.0.1)] if { path_beg /gate }
    http-request redirect location /%[path,map_beg(BEG,none)],%[path,map_end(END,none)],%[path,map_sub(SUB,none)],%[path,map_dir(DIR,none)],%[path,map_regm(REG,none)],%[path,length,map_int(LEN,none)] if { path_beg /kinds }
    use_backend b1 if { hdr(host) -i one.example }
    use_backend b2 if { hdr(host) -i two.example }
    use_backend b3 if { hdr(host) -i three.example }
    use_backend b4 if { hdr(host) -i four.example }
    default_backend b5
backend b1
    http-request redirect location /b1
backend b2
    http-request redirect location /b2
backend b3
    http-request redirect location /b3
backend b4
    http-request redirect location /b4
backend b5
    http-request redirect location /b5
";

/// What the operator types, and after it all requests are made again.
const COMMANDS: &[&str] = &[
    "show acl",
    "show map",
    "add map MAP /map1 first",
    "get map MAP /map1",
    "add map MAP /map1 second",
    "set map MAP /map1 third and more",
    "show map MAP",
    "get map INTS /int1",
    "set map INTS /int1 12",
    "add map INTS /int2 word",
    "add map INTS <<\n/int2 5\n/int3 word\n/int4 6\n",
    "show map INTS",
    "add map NETS 127.0.0.0/16 wide",
    "get map NETS 127.0.0.1",
    "add map NETS 127.0.0.1 host",
    "add map NETS nonsense x",
    "get map NETS 127.0.0.1",
    "del map NETS 127.0.0.1",
    "del map NETS 127.0.0.1",
    "get acl LIST /listed",
    "get acl LIST /written",
    "add acl LIST /net",
    "show acl LIST",
    "del acl LIST /net",
    "del acl LIST /nothing",
    "get acl #0 10.1.1.1",
    "add acl #0 nonsense",
    "prepare map MAP",
    "add map @1 MAP /map1 new",
    "add map @1 MAP <<\n/map2 new2\n/map3 new3\n",
    "add map @7 MAP /map1 far",
    "show map @1 MAP",
    "show map @1",
    "show map",
    "get map MAP /map1",
    "commit map MAP",
    "commit map @7 MAP",
    "commit map @1",
    "commit map @1 MAP",
    "commit map @1 MAP",
    "show map MAP",
    "prepare acl LIST;add acl @1 LIST /map1;commit acl @1 LIST;show acl LIST",
    "clear map @9 MAP",
    "clear map MAP;show map MAP",
    "clear acl LIST;show acl LIST",
    "clear acl",
    "clear map nope",
    "add acl LIST",
    "add acl LIST <<\none\ntwo\n",
    "add map MAP onlykey",
    "add map MAP <<\nonlykey\n",
    "set map MAP",
    "set map MAP nope x",
    "set map MAP #0x1 x",
    "set map MAP #0xno x",
    "set map MAP #1 x",
    "add map MAP #7 seven",
    "set map MAP #7 eight",
    "get map MAP #7",
    "del map MAP #0x",
    "del map MAP #7",
    "show map #",
    "del map MAP",
    "get map MAP",
    "prepare map",
    "show map nope",
    "set map BEG /kinds/a longer",
    "add map BEG /kinds/a/b longest",
    "del map BEG /kinds",
    "add map BEG /kinds again",
    "del map BEG /kinds/a",
    "set map END /b other",
    "add map END a/b behind",
    "del map END b",
    "del map END /b",
    "set map SUB kind other",
    "add map SUB in behind",
    "del map SUB kind",
    "set map DIR a other",
    "del map DIR a",
    "add map DIR a back",
    "set map REG ^/kinds/(.) \\1\\1",
    "add map REG kinds/a/(.*) <\\1>",
    "del map REG ^/kinds/(.)",
    "set map LEN 0:8 little",
    "add map LEN 10 ten",
    "del map LEN 0:8",
    "clear map BEG",
    "clear map LEN",
    // Neither looks at who uses the list.
    "get acl MAP /map1",
    "add acl MAP /map9",
    "get map LIST /listed",
    "add map LIST /map1 with value",
    "show acl LIST",
    "set map LIST /map1 another",
    "show acl LIST",
    "get map REG /kinds/a",
    "get map GATES /gate1",
    "set map GATES /gate1 ::1",
    "get map GATES /gate1",
    "set map GATES /gate1 010.0.0.1/8",
    "add map GATES /gate2 nowhere",
    "set map INTS /int1 +",
    "get map INTS /int1",
];

/// A program with a machine of its own.
struct Side {
    _proxy: Process,
    host: Host,
    files: Vec<(&'static str, String)>,
}

impl Side {
    fn start(lab: &Lab, name: &str, program: &Program) -> Self {
        let host = lab.host(name);
        let file = |name, text: &str| (name, host.file(name, text).display().to_string());
        let files = vec![
            file("LIST", "/listed\n"),
            file("MAP", "# comment\n/map2 two\n"),
            file("INTS", "/int1 7\n"),
            file("BEG", "/kinds short\n/kinds/a long\n"),
            file("END", "b letter\n/b part\n"),
            file("SUB", "kind first\nkinds second\n"),
            file("DIR", "a letter\nkinds word\n"),
            file("REG", "^/kinds/(.) one-\\1\n^/(.*) all-\\1\n"),
            file("LEN", "0:8 short\n9: long\n"),
            file("GATES", "/gate1 10.0.0.1\n"),
            file("NETS", "127.0.0.0/8 loopback\n10.0.0.0/8 ten\n"),
        ];
        let text = files.iter().fold(CONFIG.to_owned(), |text, (name, path)| text.replace(name, path));
        let proxy = host.haproxy(program, &Config::written(&host, "maps.cfg", &text));
        let side = Self { _proxy: proxy, host, files };
        side.host.wait_told(SOCKET);
        side
    }

    /// The answer as it comes.
    fn answer(&self, command: &str) -> String {
        let command = self.files.iter().fold(command.to_owned(), |c, (name, path)| c.replace(name, path));
        self.host.tell(SOCKET, &command)
    }

    /// The answer without what depends on the program.
    fn ask(&self, command: &str) -> String {
        let answer = self.files.iter().fold(self.answer(command), |a, (name, path)| a.replace(path, name));
        answer.lines().filter(|line| !line.contains("'httpclient'")).map(nameless).collect()
    }

    /// Where every kind of request goes.
    fn requests(&self) -> Vec<(u16, Option<String>)> {
        let paths = [
            "/map1",
            "/map2",
            "/map3",
            "/int1",
            "/int2",
            "/int4",
            "/net",
            "/gate1",
            "/gate2",
            "/listed",
            "/written",
            "/x",
            "/kinds",
            "/kinds/a",
            "/kinds/a/b",
            "/kinds/b",
        ];
        let hosts = ["one.example", "two.example", "four.example", "five.example"];
        let requests = paths.iter().map(|path| ("lab", *path)).chain(hosts.iter().map(|host| (*host, "/")));
        requests
            .map(|(name, path)| {
                let request = format!("GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
                let mut connection = Connection::open(&self.host, "127.0.0.1:8001").unwrap();
                let answer = connection.exchange(request).unwrap();
                (answer.status, answer.header("location").map(str::to_owned))
            })
            .collect()
    }
}

/// A line without numbers of lists and entries, paths, and how often 2.6 counts an entry.
fn nameless(line: &str) -> String {
    let line = line.split(" entry_cnt=").next().unwrap_or_default();
    let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
    let is_number = first.starts_with("0x") || first.parse::<u32>().is_ok() && rest.starts_with('(');
    let words = if is_number { rest } else { line }.split(' ');
    words.filter(|word| !word.contains("maps.cfg'")).collect::<Vec<_>>().join(" ") + "\n"
}

#[test]
fn patterns_change_while_running_as_haproxys() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("socat")]) else { return };
    let reference = Side::start(&lab, "theirs", &Program::reference("haproxy"));
    let ours = Side::start(&lab, "ours", &proxy());
    assert_eq!(reference.requests(), ours.requests(), "at first");
    for command in COMMANDS {
        assert_eq!(reference.ask(command), ours.ask(command), "{command}");
        assert_eq!(reference.requests(), ours.requests(), "after {command}");
    }
    // By rules: a value, another one, none; a pattern twice and none.
    for header in [
        "X-Map: 3\r\nX-Value: a",
        "X-Map: 3\r\nX-Value: b",
        "X-Map: 3",
        "X-Map: 3",
        "X-Add: /x",
        "X-Add: /x",
        "X-Del: /x",
    ] {
        for side in [&reference, &ours] {
            let request =
                format!("GET /quiet HTTP/1.1\r\nHost: lab\r\n{header}\r\nConnection: close\r\n\r\n");
            Connection::open(&side.host, "127.0.0.1:8001").unwrap().exchange(request).unwrap();
        }
        assert_eq!(reference.requests(), ours.requests(), "after {header}");
        for command in ["show map MAP", "show acl LIST"] {
            assert_eq!(reference.ask(command), ours.ask(command), "{command} after {header}");
        }
    }
    // By the number of a list, and of lines that became one lookup: `use_backend`'s second line.
    let number = |side: &Side| {
        let all = side.answer("show acl");
        let mut numbers = all.lines().filter_map(|line| line.split(' ').next()?.parse::<u32>().ok());
        numbers.find(|n| side.answer(&format!("show acl #{n}")).contains("two.example")).unwrap()
    };
    let numbers = [number(&reference), number(&ours)];
    for command in ["add acl #N FIVE.example", "del acl #N two.example", "show acl #N", "clear acl #N"] {
        let ask = |side: &Side, number: u32| side.ask(&command.replace("#N", &format!("#{number}")));
        let asked = [ask(&reference, numbers[0]), ask(&ours, numbers[1])];
        assert_eq!(asked[0], asked[1], "{command}");
        assert_eq!(reference.requests(), ours.requests(), "after {command}");
    }
    assert_eq!(ours.requests().last().unwrap().1.as_deref(), Some("/b5"));
}
