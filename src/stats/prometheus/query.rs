//! What a scrape asks for: `/metrics?scope=server&no-maint`.

use std::collections::HashMap;

use crate::stats::page::options::decode;

/// Groups of metrics, in the order in which they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Scope {
    Global = 1,
    Frontend = 2,
    Listener = 4,
    Backend = 8,
    Server = 16,
    Resolver = 32,
    Vrrp = 64,
}

/// All scopes by the name that asks for them; the last two are HAProxy's "modules" and may carry more text behind.
const SCOPES: [(&str, u8); 8] = [
    ("*", 0xff),
    ("global", Scope::Global as u8),
    ("frontend", Scope::Frontend as u8),
    ("listener", Scope::Listener as u8),
    ("backend", Scope::Backend as u8),
    ("server", Scope::Server as u8),
    ("resolver", Scope::Resolver as u8),
    ("vrrp", Scope::Vrrp as u8),
];

/// The query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    scopes: u8,
    /// Leave out servers in maintenance.
    pub(super) no_maint: bool,
    /// Columns of modules too.
    pub(super) extra_counters: bool,
    /// Descriptions of sections as labels.
    pub(super) desc_labels: bool,
    /// Names that are wanted (`true`) or not.
    names: HashMap<String, bool>,
    /// Names that are not mentioned are wanted.
    rest: bool,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            scopes: 0xff,
            no_maint: false,
            extra_counters: false,
            desc_labels: false,
            names: HashMap::new(),
            rest: true,
        }
    }
}

impl Query {
    /// Reads what stands behind `?`. `None`: the request is wrong.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut query = Self::default();
        let mut first = true;
        let text = text.split('#').next().unwrap_or_default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = match pair.split_once('=') {
                Some((_, value)) if value.contains('=') => return None,
                Some((name, value)) => (name, Some(decoded(value)?)),
                None => (pair, None),
            };
            match decoded(name)?.as_str() {
                "scope" => {
                    if std::mem::take(&mut first) {
                        query.scopes = 0;
                    }
                    query.add_scope(&value?)?;
                }
                "metrics" => query.add_names(&value?),
                "no-maint" => query.no_maint = true,
                "extra-counters" => query.extra_counters = true,
                "desc-labels" => query.desc_labels = true,
                _ => {}
            }
        }
        Some(query)
    }

    fn add_scope(&mut self, name: &str) -> Option<()> {
        if name.is_empty() {
            self.scopes = 0;
            return Some(());
        }
        // Stick tables are a module too; there is nothing to tell about them.
        if name.starts_with("sticktable") {
            return Some(());
        }
        let module = |scope: u8| scope == Scope::Resolver as u8 || scope == Scope::Vrrp as u8;
        let found =
            SCOPES.iter().find(|(n, bits)| *n == name || module(*bits) && name.starts_with(n)).copied();
        self.scopes |= found?.1;
        Some(())
    }

    fn add_names(&mut self, list: &str) {
        for name in list.split(',') {
            match name.strip_prefix('-') {
                Some("") => {}
                Some(name) => drop(self.names.insert(name.to_owned(), false)),
                None if name.is_empty() => {}
                None => {
                    self.rest = false;
                    self.names.insert(name.to_owned(), true);
                }
            }
        }
    }

    pub(super) fn wants(&self, scope: Scope) -> bool {
        self.scopes & scope as u8 != 0
    }

    pub(super) fn wants_metric(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.get(name).copied().unwrap_or(self.rest)
    }
}

/// Form data; `None` if an escape is broken.
fn decoded(text: &str) -> Option<String> {
    let broken = text.match_indices('%').any(|(at, _)| {
        let hex = text.as_bytes().get(at + 1..at + 3);
        !hex.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    (!broken).then(|| decode(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(text: &str) -> Vec<&'static str> {
        let query = Query::parse(text).expect("a valid query");
        let scopes = [
            (Scope::Global, "global"),
            (Scope::Frontend, "frontend"),
            (Scope::Listener, "listener"),
            (Scope::Backend, "backend"),
            (Scope::Server, "server"),
            (Scope::Resolver, "resolver"),
        ];
        scopes.into_iter().filter(|(scope, _)| query.wants(*scope)).map(|(_, name)| name).collect()
    }

    #[test]
    fn scopes_add_up_and_an_empty_one_starts_again() {
        assert_eq!(wanted("").len(), 6);
        assert_eq!(wanted("scope=server"), ["server"]);
        assert_eq!(wanted("scope=frontend&scope=backend"), ["frontend", "backend"]);
        assert_eq!(wanted("scope=*&scope="), [""; 0]);
        assert_eq!(wanted("scope=&scope=global"), ["global"]);
        assert_eq!(wanted("scope=%73erver"), ["server"]);
        for wrong in ["scope", "scope=nope", "scope=a=b", "metrics", "%zz=1"] {
            assert_eq!(Query::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn names_are_included_or_excluded() {
        let query = Query::parse("metrics=-a,b,,-").expect("valid");
        assert!(!query.wants_metric("a") && query.wants_metric("b") && !query.wants_metric("c"));
        let query = Query::parse("metrics=-a&no-maint&desc-labels=1&extra-counters").expect("valid");
        assert!(!query.wants_metric("a") && query.wants_metric("b"));
        assert!(query.no_maint && query.desc_labels && query.extra_counters);
    }
}
