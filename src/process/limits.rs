//! How many connections the process can take: open files against `maxconn`.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Files that are not connections: standard streams, pollers, logs, checks, sockets of the surfaces.
const RESERVE_FILES: u64 = 64;

/// What came of matching `maxconn` with the limit of open files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Connections the process will take at once.
    pub maxconn: u32,
    /// Open files it may have (`Ulimit-n`).
    pub files: u64,
    /// Why it is less than was asked for.
    pub shortfall: Option<String>,
}

/// How many files so many connections take: both sides each.
fn files_for(maxconn: u32, others: u64) -> u64 {
    u64::from(maxconn) * 2 + others + RESERVE_FILES
}

/// Decides the limits. `hard` is how many files the process may have at the most, `others` how many it has open besides
/// connections, `asked` the configured `maxconn`, `ulimit_n` the configured number of files.
fn decide(asked: Option<u32>, ulimit_n: Option<u64>, hard: u64, others: u64) -> Capacity {
    let room =
        |files: u64| (files.saturating_sub(others + RESERVE_FILES) / 2).clamp(1, u64::from(u32::MAX)) as u32;
    match asked {
        None => {
            let files = ulimit_n.unwrap_or(hard).min(hard);
            Capacity { maxconn: room(files), files, shortfall: None }
        }
        Some(maxconn) => {
            let wanted = ulimit_n.unwrap_or_else(|| files_for(maxconn, others));
            if wanted <= hard {
                return Capacity { maxconn, files: wanted, shortfall: None };
            }
            let fits = room(hard).min(maxconn);
            let shortfall = format!(
                "[haproxy.main()] Cannot raise FD limit to {wanted}, limit is {hard}. maxconn {maxconn} is lowered to {fits}."
            );
            Capacity { maxconn: fits, files: hard, shortfall: Some(shortfall) }
        }
    }
}

/// Raises the limit of open files as far as needed and says how many connections fit. `most` is `fd-hard-limit`.
#[must_use]
pub fn apply(asked: Option<u32>, ulimit_n: Option<u64>, most: Option<u64>, others: u64) -> Capacity {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return decide(asked, ulimit_n, 1024, others);
    };
    // `fd-hard-limit` counts where nothing else says how many there may be.
    let ulimit_n = ulimit_n.or(most.filter(|_| asked.is_none()));
    // With the privilege to do so the hard limit can go up; where that fails it stands.
    let wanted = asked.map_or(0, |n| files_for(n, others)).max(ulimit_n.unwrap_or(0));
    let hard =
        if wanted > hard && setrlimit(Resource::RLIMIT_NOFILE, soft, wanted).is_ok() { wanted } else { hard };
    let capacity = decide(asked, ulimit_n, hard, others);
    if capacity.files > soft && setrlimit(Resource::RLIMIT_NOFILE, capacity.files, hard).is_err() {
        return decide(asked, ulimit_n, soft, others);
    }
    capacity
}

/// `-m`: limits the address space, in megabytes.
///
/// # Errors
/// What the kernel says.
pub fn limit_memory(megabytes: u64) -> nix::Result<()> {
    let bytes = megabytes.saturating_mul(1 << 20);
    setrlimit(Resource::RLIMIT_AS, bytes, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maxconn_follows_the_files_and_files_follow_maxconn() {
        assert_eq!(decide(None, None, 20_000, 36).maxconn, 9_950);
        assert_eq!(decide(Some(100), None, 20_000, 36).files, 300);
        let short = decide(Some(20_000), None, 20_000, 36);
        assert_eq!((short.maxconn, short.files), (9_950, 20_000));
        assert!(short.shortfall.unwrap().contains("FD limit to 40100, limit is 20000"));
        assert_eq!(decide(None, Some(1_100), 20_000, 0).maxconn, 518);
    }
}
