//! Where files for people and exporters go.

use std::path::{Path, PathBuf};

use crate::ir::vrrp::Config;

/// The state, for SIGUSR1.
#[must_use]
pub fn data_file(config: &Config) -> PathBuf {
    chosen(config.global.state_dump_file.as_deref(), config, "keepalived", "data")
}

/// The counters, for SIGUSR2.
#[must_use]
pub fn stats_file(config: &Config) -> PathBuf {
    chosen(config.global.stats_dump_file.as_deref(), config, "keepalived", "stats")
}

/// State and counters as JSON.
#[must_use]
pub fn json_file(config: &Config) -> PathBuf {
    chosen(config.global.json_dump_file.as_deref(), config, "keepalived", "json")
}

/// What the parent was told, for SIGUSR1.
#[must_use]
pub fn parent_data_file(config: &Config) -> PathBuf {
    chosen(None, config, "keepalived_parent", "data")
}

/// As the file says, or in the usual place, with the names of namespace and instance where `data_use_instance` is set.
fn chosen(given: Option<&Path>, config: &Config, name: &str, ending: &str) -> PathBuf {
    if let Some(path) = given {
        return path.to_owned();
    }
    let dir = std::env::var_os("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
    let parts = [&config.net_namespace, &config.instance_name];
    let parts: Vec<&str> = parts.into_iter().filter_map(|part| part.as_deref()).collect();
    if !config.global.data_use_instance || parts.is_empty() {
        return dir.join(format!("{name}.{ending}"));
    }
    dir.join(format!("{name}.{}.{ending}", parts.join("_")))
}
