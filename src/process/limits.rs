//! How many connections the process can take: open files against `maxconn`.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Files that are not connections: standard streams, pollers, logs, checks, sockets of the surfaces.
const RESERVE_FILES: u64 = 64;

/// Files of a process that nobody set any limit for: some systems would allow a thousand million.
const UNASKED_FILES: u64 = 1 << 20;

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

/// What is known of files before anything is decided.
#[derive(Clone, Copy, Debug)]
struct Files {
    /// `ulimit-n`: so many are to be allowed.
    asked: Option<u64>,
    /// `fd-hard-limit`: there are never more.
    most: Option<u64>,
    /// How many are allowed now.
    soft: u64,
    /// How many may be allowed.
    hard: u64,
    /// How many are open besides those of connections.
    others: u64,
}

impl Files {
    /// How many there can be.
    fn ceiling(&self) -> u64 {
        self.hard.min(self.most.unwrap_or(u64::MAX))
    }

    /// Connections that so many files are enough for.
    fn room(&self, files: u64) -> u32 {
        (files.saturating_sub(self.others + RESERVE_FILES) / 2).clamp(1, u64::from(u32::MAX)) as u32
    }
}

/// Decides the limits; `asked` is the configured `maxconn`. A limit is raised and never lowered: `ulimit-n` below what the
/// process was started with changes nothing.
fn decide(asked: Option<u32>, files: &Files) -> Capacity {
    let ceiling = files.ceiling();
    let wanted = match (asked, files.asked) {
        (None, None) => ceiling.min(if files.most.is_none() { UNASKED_FILES } else { u64::MAX }),
        (None, Some(wanted)) => wanted.max(files.soft.min(ceiling)),
        (Some(maxconn), wanted) => files_for(maxconn, files.others).max(wanted.unwrap_or(0)),
    };
    let got = wanted.min(ceiling);
    let fits = files.room(got);
    let maxconn = asked.map_or(fits, |maxconn| maxconn.min(fits));
    let shortfall = (got < wanted).then(|| {
        let lowered = asked.filter(|asked| *asked > maxconn);
        let lowered =
            lowered.map_or(String::new(), |asked| format!(" maxconn {asked} is lowered to {maxconn}."));
        format!("[haproxy.main()] Cannot raise FD limit to {wanted}, limit is {ceiling}.{lowered}")
    });
    Capacity { maxconn, files: got, shortfall }
}

/// Raises the limit of open files as far as needed and says how many connections fit. `most` is `fd-hard-limit`.
#[must_use]
pub fn apply(asked: Option<u32>, ulimit_n: Option<u64>, most: Option<u64>, others: u64) -> Capacity {
    let most = most.filter(|most| *most > 0);
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return decide(asked, &Files { asked: ulimit_n, most, soft: 1024, hard: 1024, others });
    };
    let mut files = Files { asked: ulimit_n, most, soft, hard, others };
    // With the privilege to do so the hard limit can go up; where that fails it stands.
    let wanted = asked.map_or(0, |n| files_for(n, others)).max(ulimit_n.unwrap_or(0));
    let wanted = wanted.min(most.unwrap_or(u64::MAX));
    if wanted > hard && setrlimit(Resource::RLIMIT_NOFILE, soft, wanted).is_ok() {
        files.hard = wanted;
    }
    let capacity = decide(asked, &files);
    if capacity.files > soft && setrlimit(Resource::RLIMIT_NOFILE, capacity.files, files.hard).is_err() {
        return decide(asked, &Files { hard: soft, ..files });
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

    fn files(hard: u64, others: u64) -> Files {
        Files { asked: None, most: None, soft: 1024, hard, others }
    }

    #[test]
    fn maxconn_follows_the_files_and_files_follow_maxconn() {
        assert_eq!(decide(None, &files(20_000, 36)).maxconn, 9_950);
        assert_eq!(decide(Some(100), &files(20_000, 36)).files, 300);
        let short = decide(Some(20_000), &files(20_000, 36));
        assert_eq!((short.maxconn, short.files), (9_950, 20_000));
        assert!(
            short
                .shortfall
                .unwrap()
                .contains("FD limit to 40100, limit is 20000. maxconn 20000 is lowered to 9950.")
        );
        assert_eq!(decide(None, &files(1 << 30, 0)).files, 1 << 20, "nobody asked for more");
    }

    #[test]
    fn ulimit_n_raises_and_never_lowers() {
        let asked = |asked, soft| Files { asked: Some(asked), soft, ..files(20_000, 0) };
        assert_eq!(decide(None, &asked(2_064, 1_024)).maxconn, 1_000);
        assert_eq!(decide(None, &asked(100, 20_000)).files, 20_000);
        assert_eq!(decide(Some(100), &asked(100, 1_024)).files, 264, "what maxconn needs");
        assert!(decide(None, &asked(30_000, 1_024)).shortfall.is_some());
    }

    #[test]
    fn fd_hard_limit_holds_against_everything() {
        let limited = Files { most: Some(500), ..files(20_000, 0) };
        assert_eq!((decide(None, &limited).maxconn, decide(None, &limited).files), (218, 500));
        let short = decide(Some(1_000), &limited);
        assert_eq!((short.maxconn, short.files, short.shortfall.is_some()), (218, 500, true));
        let raised = decide(None, &Files { asked: Some(2_000), ..limited });
        assert_eq!((raised.files, raised.shortfall.is_some()), (500, true));
    }
}
