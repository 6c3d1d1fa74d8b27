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

/// The log file of `-g`: `name` is as the command line has it, `process` who writes it, `config` what is known of the rest.
#[must_use]
pub fn log_file(name: &Path, process: Option<&str>, config: Option<&Config>) -> PathBuf {
    let stem = name.file_stem().unwrap_or_default().to_string_lossy();
    let of = config.map(|config| [config.net_namespace.as_deref(), config.instance_name.as_deref()]);
    let parts = std::iter::once(process).chain(of.into_iter().flatten()).flatten();
    let mut file = std::iter::once(&*stem).chain(parts).collect::<Vec<_>>().join("_");
    if let Some(ending) = name.extension() {
        file = format!("{file}.{}", ending.to_string_lossy());
    }
    directory().join(name.with_file_name(file))
}

fn directory() -> PathBuf {
    std::env::var_os("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from)
}

/// As the file says, or in the usual place, with the names of namespace and instance where `data_use_instance` is set.
fn chosen(given: Option<&Path>, config: &Config, name: &str, ending: &str) -> PathBuf {
    if let Some(path) = given {
        return path.to_owned();
    }
    let dir = directory();
    let parts = [&config.net_namespace, &config.instance_name];
    let parts: Vec<&str> = parts.into_iter().filter_map(|part| part.as_deref()).collect();
    if !config.global.data_use_instance || parts.is_empty() {
        return dir.join(format!("{name}.{ending}"));
    }
    dir.join(format!("{name}.{}.{ending}", parts.join("_")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_process_and_instance_has_a_log_of_its_own() {
        let of = |name: &str, process, config| log_file(Path::new(name), process, config);
        let config = Config {
            net_namespace: Some("blue".into()),
            instance_name: Some("left".into()),
            ..Config::default()
        };
        assert_eq!(of("/var/log/k.log", None, None), Path::new("/var/log/k.log"));
        assert_eq!(of("/var/log/k.log", Some("vrrp"), None), Path::new("/var/log/k_vrrp.log"));
        assert_eq!(of("/k", Some("vrrp"), Some(&config)), Path::new("/k_vrrp_blue_left"));
        assert_eq!(of("keepalived.log", None, None), directory().join("keepalived.log"));
    }
}
