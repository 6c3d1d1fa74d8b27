//! The columns of `show stat`, in HAProxy's order: clients read them by number.
//!
//! The first [`CORE`] are HAProxy's own, numbered as HAProxy numbers them; after a column named `-` come those of
//! modules. A column is never moved or taken out; new ones go to the end of their part.

use super::field::{Nature, Origin, Scope, Tags};

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Name, as in the header line.
    pub name: &'static str,
    /// Tags of its values (the few that differ by kind of row are set where rows are filled).
    pub tags: Tags,
    /// What it means.
    pub doc: &'static str,
}

macro_rules! columns {
    ($($id:ident $name:literal $origin:ident $nature:ident $scope:ident $doc:literal;)*) => {
        /// A column by name; `as usize` is its number.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Col {
            $(#[doc = concat!("`", $name, "`: ", $doc, ".")] $id,)*
        }

        /// All columns by number.
        pub static COLUMNS: &[Column] = &[$(Column {
            name: $name,
            tags: Tags::new(Origin::$origin, Nature::$nature, Scope::$scope),
            doc: $doc,
        },)*];
    };
}

/// How many columns are HAProxy's core columns.
pub const CORE: usize = 119;

columns! {
    PxName "pxname" Key Name Service "Name of the proxy";
    SvName "svname" Key Name Service "FRONTEND, BACKEND, or the name of the server or listener";
    Qcur "qcur" Metric Gauge Process "Requests waiting in the queue now";
    Qmax "qmax" Metric Max Process "Most requests that ever waited in the queue at once";
    Scur "scur" Metric Gauge Process "Sessions now";
    Smax "smax" Metric Max Process "Most sessions there ever were at once";
    Slim "slim" Config Limit Process "Limit of sessions: maxconn, or fullconn of a backend";
    Stot "stot" Metric Counter Process "Sessions since the start";
    Bin "bin" Metric Counter Process "Bytes of requests received since the start";
    Bout "bout" Metric Counter Process "Bytes of responses since the start";
    Dreq "dreq" Metric Counter Process "Requests denied by a rule";
    Dresp "dresp" Metric Counter Process "Responses denied by a rule";
    Ereq "ereq" Metric Counter Process "Requests that were broken, too slow or ended early by the client";
    Econ "econ" Metric Counter Process "Connections to a server that failed for good";
    Eresp "eresp" Metric Counter Process "Responses that were broken or blocked";
    Wretr "wretr" Metric Counter Process "Times a connection to a server was tried again";
    Wredis "wredis" Metric Counter Process "Times a request moved to another server after a failed connection";
    Status "status" Status Gauge Process "State: OPEN, PAUSED, STOP; UP, DOWN, NOLB, MAINT, DRAIN, no check";
    Weight "weight" Metric Avg Process "Effective weight of the server, or of all active servers together";
    Act "act" Metric Gauge Process "Active servers in use (backend), or 1 if the server is not a backup";
    Bck "bck" Metric Gauge Process "Backup servers in use (backend), or 1 if the server is a backup";
    ChkFail "chkfail" Metric Counter Process "Checks that failed while the server was up";
    ChkDown "chkdown" Metric Counter Process "Times the object went from up to down";
    LastChg "lastchg" Metric Age Process "Seconds since the last change between up and down";
    Downtime "downtime" Metric Counter Process "Seconds spent down in total";
    Qlimit "qlimit" Config Gauge Service "maxqueue of the server";
    Pid "pid" Key Gauge Process "Process number, always 1";
    Iid "iid" Key Gauge Service "Number of the proxy";
    Sid "sid" Key Gauge Service "Number of the server or listener within the proxy";
    Throttle "throttle" Metric Avg Process "Percentage of its weight the server has reached in its slow start";
    LbTot "lbtot" Metric Counter Process "Times the balancing algorithm chose this server";
    Tracked "tracked" Config Name Service "Backend and server whose state is followed";
    Type "type" Config Gauge Service "0 frontend, 1 backend, 2 server, 3 listener";
    Rate "rate" Metric Rate Process "Sessions in the last second";
    RateLim "rate_lim" Config Limit Process "Limit of new sessions per second (rate-limit sessions)";
    RateMax "rate_max" Metric Max Process "Most sessions there ever were in a second";
    CheckStatus "check_status" Metric Output Process "Result of the last check; a star in front: another one is running";
    CheckCode "check_code" Metric Output Process "Status code the last check received";
    CheckDuration "check_duration" Metric Duration Process "Milliseconds the last check took";
    Hrsp1xx "hrsp_1xx" Metric Counter Process "Responses with status 100 to 199";
    Hrsp2xx "hrsp_2xx" Metric Counter Process "Responses with status 200 to 299";
    Hrsp3xx "hrsp_3xx" Metric Counter Process "Responses with status 300 to 399";
    Hrsp4xx "hrsp_4xx" Metric Counter Process "Responses with status 400 to 499";
    Hrsp5xx "hrsp_5xx" Metric Counter Process "Responses with status 500 to 599";
    HrspOther "hrsp_other" Metric Counter Process "Responses with any other status, or none";
    HanaFail "hanafail" Metric Counter Process "Failures of observed traffic that led to an action";
    ReqRate "req_rate" Metric Rate Process "Requests in the last second";
    ReqRateMax "req_rate_max" Metric Max Process "Most requests there ever were in a second";
    ReqTot "req_tot" Metric Counter Process "HTTP requests since the start";
    CliAbrt "cli_abrt" Metric Counter Process "Transfers the client broke off";
    SrvAbrt "srv_abrt" Metric Counter Process "Transfers the server broke off";
    CompIn "comp_in" Metric Counter Process "Bytes given to the compressor";
    CompOut "comp_out" Metric Counter Process "Bytes the compressor made of them";
    CompByp "comp_byp" Metric Counter Process "Bytes that went around the compressor for want of resources";
    CompRsp "comp_rsp" Metric Counter Process "Responses that were compressed";
    LastSess "lastsess" Metric Age Process "Seconds since the last session; -1: there was none";
    LastChk "last_chk" Metric Output Process "What the last check had to say in detail";
    LastAgt "last_agt" Metric Output Process "What the last agent check had to say in detail";
    Qtime "qtime" Metric Avg Process "Milliseconds in the queue, average of recent requests";
    Ctime "ctime" Metric Avg Process "Milliseconds to connect, average of recent requests";
    Rtime "rtime" Metric Avg Process "Milliseconds until the response began, average of recent requests";
    Ttime "ttime" Metric Avg Process "Milliseconds in total, average of recent requests";
    AgentStatus "agent_status" Metric Output Process "Result of the last agent check; a star in front: another one is running";
    AgentCode "agent_code" Metric Output Process "Status code of the last agent check";
    AgentDuration "agent_duration" Metric Duration Process "Milliseconds the last agent check took";
    CheckDesc "check_desc" Metric Output Process "The check's result in words";
    AgentDesc "agent_desc" Metric Output Process "The agent check's result in words";
    CheckRise "check_rise" Config Gauge Service "Good checks it takes to come up";
    CheckFall "check_fall" Config Gauge Service "Bad checks it takes to go down";
    CheckHealth "check_health" Config Gauge Service "Level of health: down below rise, up from there to rise + fall - 1";
    AgentRise "agent_rise" Config Gauge Service "Good agent checks it takes to come up";
    AgentFall "agent_fall" Config Gauge Service "Bad agent checks it takes to go down";
    AgentHealth "agent_health" Config Gauge Service "Level of health by the agent";
    Addr "addr" Config Gauge Service "Address and port, for those who may see it";
    Cookie "cookie" Config Name Service "Name of the cookie (backend) or its value (server), for those who may see it";
    Mode "mode" Config Gauge Service "tcp or http";
    Algo "algo" Config Gauge Service "Balancing algorithm, for those who may see it";
    ConnRate "conn_rate" Metric Rate Process "Connections in the last second";
    ConnRateMax "conn_rate_max" Metric Max Process "Most connections there ever were in a second";
    ConnTot "conn_tot" Metric Counter Process "Connections since the start";
    Intercepted "intercepted" Metric Counter Process "Requests answered right here: redirects, the statistics page, services";
    Dcon "dcon" Metric Counter Process "Connections refused by tcp-request connection rules";
    Dses "dses" Metric Counter Process "Sessions refused by tcp-request session rules";
    Wrew "wrew" Metric Counter Process "Header changes that failed";
    Connect "connect" Metric Counter Process "Connections to servers that were opened";
    Reuse "reuse" Metric Counter Process "Connections to servers that were used again";
    CacheLookups "cache_lookups" Metric Counter Process "Requests looked up in the cache";
    CacheHits "cache_hits" Metric Counter Process "Requests answered from the cache";
    SrvIcur "srv_icur" Metric Gauge Process "Idle connections kept for reuse";
    SrcIlim "src_ilim" Config Limit Process "Limit of idle connections kept (pool-max-conn)";
    QtimeMax "qtime_max" Metric Max Process "Longest time in the queue, milliseconds";
    CtimeMax "ctime_max" Metric Max Process "Longest time to connect, milliseconds";
    RtimeMax "rtime_max" Metric Max Process "Longest time until the response began, milliseconds";
    TtimeMax "ttime_max" Metric Max Process "Longest time in total, milliseconds";
    Eint "eint" Metric Counter Process "Internal errors";
    IdleConnCur "idle_conn_cur" Metric Gauge Process "Idle connections whose reuse may fail";
    SafeConnCur "safe_conn_cur" Metric Gauge Process "Idle connections that proved reusable";
    UsedConnCur "used_conn_cur" Metric Gauge Process "Connections in use";
    NeedConnEst "need_conn_est" Metric Gauge Process "Connections that are likely to be needed";
    Uweight "uweight" Metric Avg Process "Weight as configured or set, or the sum over the active servers";
    AggServerStatus "agg_server_status" Metric Gauge Process "Servers by state (filled in by the Prometheus export only)";
    AggServerCheckStatus "agg_server_check_status" Metric Gauge Process "Older name of agg_server_status";
    AggCheckStatus "agg_check_status" Metric Gauge Process "Servers by check result (filled in by the Prometheus export only)";
    Srid "srid" Metric Counter Process "Revision of the server's number, to tell a reused number from the old one";
    SessOther "sess_other" Metric Counter Process "Sessions that did not speak HTTP";
    H1Sess "h1sess" Metric Counter Process "HTTP/1 sessions";
    H2Sess "h2sess" Metric Counter Process "HTTP/2 sessions";
    H3Sess "h3sess" Metric Counter Process "HTTP/3 sessions";
    ReqOther "req_other" Metric Counter Process "Requests of no known HTTP version";
    H1Req "h1req" Metric Counter Process "HTTP/1 requests";
    H2Req "h2req" Metric Counter Process "HTTP/2 requests";
    H3Req "h3req" Metric Counter Process "HTTP/3 requests";
    Proto "proto" Status Gauge Process "Protocol of the listener";
    PrivIdleCur "priv_idle_cur" Metric Gauge Process "Idle connections that belong to one session";
    ReqBin "reqbin" Metric Counter Process "Bytes of requests received";
    ReqBout "reqbout" Metric Counter Process "Bytes of requests sent on";
    ResBin "resbin" Metric Counter Process "Bytes of responses received";
    ResBout "resbout" Metric Counter Process "Bytes of responses sent on";
    CacheHintHits "cache_hint_hits" Metric Counter Process "Requests answered with 103 from the cache";
    H1OpenConnections "h1_open_connections" Metric Gauge Process "HTTP/1 connections open now";
    H1OpenStreams "h1_open_streams" Metric Gauge Process "HTTP/1 exchanges under way";
    H1TotalConnections "h1_total_connections" Metric Counter Process "HTTP/1 connections since the start";
    H1TotalStreams "h1_total_streams" Metric Counter Process "HTTP/1 exchanges since the start";
    H1BytesIn "h1_bytes_in" Metric Counter Process "Bytes received over HTTP/1 connections";
    H1BytesOut "h1_bytes_out" Metric Counter Process "Bytes sent over HTTP/1 connections";
    H1SplicedIn "h1_spliced_bytes_in" Metric Counter Process "Bytes received that went through a pipe";
    H1SplicedOut "h1_spliced_bytes_out" Metric Counter Process "Bytes sent that came through a pipe";
}

impl Col {
    /// Its number.
    #[must_use]
    pub const fn number(self) -> usize {
        self as usize
    }

    /// Its table row.
    #[must_use]
    pub fn column(self) -> &'static Column {
        &COLUMNS[self as usize]
    }
}
