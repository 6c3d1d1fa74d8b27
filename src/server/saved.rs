//! The server state file: what `show servers state` printed, read back (management guide, `show servers state`).

use std::net::IpAddr;

use super::{Admin, Op};

/// Columns of version 1 that have to be there; a newer program may have written more than are read here.
const COLUMNS: usize = 20;

/// One server as it was when the file was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// `be_id`.
    pub backend_id: u32,
    /// `be_name`.
    pub backend: String,
    /// `srv_name`.
    pub server: String,
    /// `bk_f_forced_id`: the number was configured.
    pub backend_id_configured: bool,
    /// The rest, or what is wrong with it, in HAProxy's words.
    pub state: Result<State, String>,
}

/// What is restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Where it was.
    pub addr: Option<IpAddr>,
    /// Its operational state.
    pub op: Op,
    /// Its administrative state.
    pub admin: Admin,
    /// Weight as last set.
    pub user_weight: u16,
    /// Weight as configured then.
    pub initial_weight: u16,
    /// Seconds since the last transition.
    pub since: u64,
    /// Number of the check's status.
    pub check_status: u8,
    /// Level of health.
    pub check_health: u32,
    /// The check was suspended by command.
    pub check_suspended: bool,
    /// The agent was.
    pub agent_suspended: bool,
    /// Its name in the DNS.
    pub fqdn: Option<String>,
    /// Its port.
    pub port: Option<u16>,
    /// Name of the SRV record that it came from.
    pub srv_record: Option<String>,
    /// `check-port`.
    pub check_port: Option<u16>,
    /// `check-addr`.
    pub check_addr: Option<IpAddr>,
    /// `agent-addr`.
    pub agent_addr: Option<IpAddr>,
    /// `agent-port`.
    pub agent_port: Option<u16>,
}

/// Why a file is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// There is nothing in it.
    Empty,
    /// The first line is no version that is known.
    Version,
    /// This line, from 1 behind the version, is none of its format.
    Corrupt(usize),
}

/// Reads a file. Of several lines about one server the first counts.
///
/// # Errors
/// It is no state file.
pub fn parse(text: &[u8]) -> Result<Vec<Saved>, Unreadable> {
    if text.is_empty() {
        return Err(Unreadable::Empty);
    }
    let text = String::from_utf8_lossy(text);
    let (version, rest) = text.split_once('\n').ok_or(Unreadable::Version)?;
    if version != "1" {
        return Err(Unreadable::Version);
    }
    let mut all: Vec<Saved> = Vec::new();
    for (number, line) in (1..).zip(rest.split_inclusive('\n')) {
        // A line without its end was being written when something stopped.
        let Some(line) = line.strip_suffix('\n') else { return Err(Unreadable::Corrupt(number)) };
        if line.trim_start_matches([' ', '\t']).is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let words: Vec<&str> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        if words.len() < COLUMNS {
            return Err(Unreadable::Corrupt(number));
        }
        let saved = line_of(&words);
        if !all.iter().any(|other| other.backend == saved.backend && other.server == saved.server) {
            all.push(saved);
        }
    }
    Ok(all)
}

fn line_of(words: &[&str]) -> Saved {
    Saved {
        backend_id: words[0].parse().unwrap_or(0),
        backend: words[1].to_owned(),
        server: words[3].to_owned(),
        backend_id_configured: words[15] == "1",
        state: state_of(words),
    }
}

fn state_of(words: &[&str]) -> Result<State, String> {
    let mut wrong = String::new();
    let mut number = |name: &str, at: usize, max: u64| {
        let value = words[at].parse::<u64>().ok().filter(|n| *n <= max);
        if value.is_none() {
            wrong.push_str(&format!(", invalid {name} value '{}'", words[at]));
        }
        value.unwrap_or(0)
    };
    let op = number("srv_op_state", 5, 3) as u8;
    let admin = number("srv_admin_state", 6, 0x7f) as u8;
    let user_weight = number("srv_uweight", 7, 256) as u16;
    let initial_weight = number("srv_iweight", 8, 256) as u16;
    let since = number("srv_last_time_change", 9, u64::MAX);
    let check_status = number("srv_check_status", 10, 25) as u8;
    number("srv_check_result", 11, 4);
    let check_health = number("srv_check_health", 12, u64::from(u32::MAX)) as u32;
    let check_state = number("srv_check_state", 13, 0x1f);
    let agent_state = number("srv_agent_state", 14, 0x1f);
    number("bk_f_forced_id", 15, 1);
    number("srv_f_forced_id", 16, 1);
    let port = number("srv_port", 18, u64::from(u16::MAX)) as u16;
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let word = |at: usize| words.get(at).copied().filter(|word| *word != "-" && *word != "0");
    let suspended = |bits: u64| bits & 0x06 == 0x02;
    Ok(State {
        addr: words[4].parse().ok(),
        op: Op::from_number(op).unwrap_or(Op::Running),
        admin: Admin(admin),
        user_weight,
        initial_weight,
        since,
        check_status,
        check_health,
        check_suspended: suspended(check_state),
        agent_suspended: suspended(agent_state),
        fqdn: word(17).map(str::to_owned),
        port: (port != 0).then_some(port),
        srv_record: word(19).filter(|name| name.starts_with('_')).map(str::to_owned),
        check_port: word(21).and_then(|port| port.parse().ok()),
        check_addr: word(22).and_then(|addr| addr.parse().ok()),
        agent_addr: word(23).and_then(|addr| addr.parse().ok()),
        agent_port: word(24).and_then(|port| port.parse().ok()),
    })
}
