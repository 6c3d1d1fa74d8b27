//! Keywords of virtual servers. They are read so that a file loads; [`super::Effect`] of the root rows says that nothing
//! is served yet.

use super::{Keyword, Section, block, line, values};

const LVS: &str = "virtual servers (LVS) are not done yet";

pub(super) const ROOT: &[Keyword] = &[
    block("SSL", Section::Ssl, "Client certificate of SSL checks.").inert(LVS),
    values("virtual_server_group", "Addresses that form one service.").inert(LVS),
    block("virtual_server", Section::VirtualServer, "A service spread over real servers.").inert(LVS),
];

pub(super) const SSL: &[Keyword] = &[
    line("password", "Password of the key."),
    line("ca", "Authority file."),
    line("certificate", "Certificate file."),
    line("key", "Key file."),
];

pub(super) const VIRTUAL_SERVER: &[Keyword] = &[
    line("ip_family", "inet or inet6."),
    line("retry", "Failures until a server is down."),
    line("delay_before_retry", "Seconds between them."),
    line("warmup", "Seconds the first check may be late."),
    line("connect_timeout", "Seconds a check may take to connect."),
    line("delay_loop", "Seconds between checks."),
    line("inhibit_on_failure", "Weight 0 rather than removal."),
    line("lb_algo", "Scheduler."),
    line("lvs_sched", "Scheduler."),
    line("hashed", "Scheduler flag."),
    line("ops", "One packet scheduling."),
    line("flag-1", "Scheduler flag."),
    line("flag-2", "Scheduler flag."),
    line("flag-3", "Scheduler flag."),
    line("sh-port", "Source hashing with port."),
    line("sh-fallback", "Source hashing with fallback."),
    line("mh-port", "Maglev hashing with port."),
    line("mh-fallback", "Maglev hashing with fallback."),
    line("lb_kind", "Forwarding method."),
    line("lvs_method", "Forwarding method."),
    line("persistence_engine", "Persistence engine."),
    line("persistence_timeout", "Seconds a client sticks."),
    line("persistence_granularity", "Mask of clients that count as one."),
    line("protocol", "TCP, UDP or SCTP."),
    line("ha_suspend", "No checks while the address is elsewhere."),
    line("smtp_alert", "Mail about changes."),
    line("virtualhost", "Host header of checks."),
    line("snmp_name", "Name in SNMP."),
    line("alpha", "Servers are down until their first check."),
    line("omega", "Notify at the end."),
    line("quorum_up", "Script for a gained quorum."),
    line("quorum_down", "Script for a lost quorum."),
    line("quorum", "Weight the service needs."),
    line("hysteresis", "Weight around the quorum that changes nothing."),
    line("weight", "Default weight."),
    line("sorry_server", "Server when none is left."),
    line("sorry_server_inhibit", "Weight 0 rather than removal for it."),
    line("sorry_server_lvs_method", "Forwarding method for it."),
    block("real_server", Section::RealServer, "A server."),
];

pub(super) const REAL_SERVER: &[Keyword] = &[
    line("weight", "Weight; default 1."),
    line("lvs_method", "Forwarding method."),
    line("uthreshold", "Most connections."),
    line("lthreshold", "Connections below which it gets new ones again."),
    line("inhibit_on_failure", "Weight 0 rather than removal."),
    line("notify_up", "Script for up."),
    line("notify_down", "Script for down."),
    line("alpha", "Down until the first check."),
    line("retry", "Failures until it is down."),
    line("delay_before_retry", "Seconds between them."),
    line("warmup", "Seconds the first check may be late."),
    line("connect_timeout", "Seconds a check may take to connect."),
    line("delay_loop", "Seconds between checks."),
    line("smtp_alert", "Mail about changes."),
    line("virtualhost", "Host header of checks."),
    line("snmp_name", "Name in SNMP."),
    block("HTTP_GET", Section::HttpCheck, "HTTP check."),
    block("SSL_GET", Section::HttpCheck, "HTTPS check."),
    block("TCP_CHECK", Section::TcpCheck, "Connection check."),
    block("SMTP_CHECK", Section::SmtpCheck, "SMTP check."),
    block("DNS_CHECK", Section::DnsCheck, "DNS check."),
    block("MISC_CHECK", Section::MiscCheck, "Script check."),
    block("BFD_CHECK", Section::BfdCheck, "BFD check."),
    block("UDP_CHECK", Section::UdpCheck, "UDP check."),
    block("PING_CHECK", Section::PingCheck, "Ping check."),
    block("FILE_CHECK", Section::FileCheck, "File check."),
];

pub(super) const COMMON: &[Keyword] = &[
    line("connect_ip", "Address to check."),
    line("connect_port", "Port to check."),
    line("bindto", "Source address."),
    line("bind_port", "Source port."),
    line("bind_if", "Source interface."),
    line("connect_timeout", "Seconds it may take to connect."),
    line("fwmark", "Mark of its packets."),
];

pub(super) const RETRIES: &[Keyword] = &[
    line("retry", "Failures until it is down."),
    line("delay_before_retry", "Seconds between them."),
    line("warmup", "Seconds the first check may be late."),
    line("delay_loop", "Seconds between checks."),
    line("alpha", "Down until the first check."),
    line("log_all_failures", "Log every failure."),
];

pub(super) const HTTP_CHECK: &[Keyword] = &[
    line("nb_get_retry", "Failures until it is down.").instead("retry"),
    line("virtualhost", "Host header."),
    line("http_protocol", "1.0, 1.1, 1.0C or 1.1C."),
    line("enable_sni", "Send the server name."),
    line("sni_name", "Server name to send.").since("2.3"),
    line("fast_recovery", "Up with the first good answer."),
    line("tls_compliant", "Insist on a proper TLS end.").since("2.3"),
    block("url", Section::Url, "What to fetch."),
];

pub(super) const URL: &[Keyword] = &[
    line("path", "Path."),
    line("digest", "MD5 of the answer."),
    line("status_code", "Status codes that are good."),
    line("virtualhost", "Host header."),
    line("regex", "Expression the answer must match."),
    line("regex_no_match", "Expression it must not match."),
    line("regex_options", "Options of the expression."),
    line("regex_min_offset", "First byte searched."),
    line("regex_max_offset", "Last byte searched."),
    line("regex_stack", "Stack of the matcher."),
    line("tls_compliant", "Insist on a proper TLS end.").since("2.3"),
];

pub(super) const SMTP_CHECK: &[Keyword] =
    &[line("helo_name", "Name said in HELO."), block("host", Section::SmtpHost, "Server to check.")];

pub(super) const DNS_CHECK: &[Keyword] = &[line("type", "Record type."), line("name", "Name to ask for.")];

pub(super) const MISC_CHECK: &[Keyword] = &[
    line("misc_path", "Command."),
    line("misc_timeout", "Seconds it may take."),
    line("misc_dynamic", "Its exit code is a weight."),
    line("user", "User and group it runs as."),
];

pub(super) const BFD_CHECK: &[Keyword] =
    &[line("name", "BFD session."), line("alpha", "Down until it is up.")];

pub(super) const UDP_CHECK: &[Keyword] = &[
    line("payload", "Bytes to send."),
    line("require_reply", "An answer is needed."),
    line("min_reply_length", "Fewest bytes of it."),
    line("max_reply_length", "Most bytes of it."),
];

pub(super) const FILE_CHECK: &[Keyword] =
    &[line("track_file", "File to follow."), line("weight", "Factor of its number.")];
