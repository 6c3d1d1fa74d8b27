//! `http-errors` sections: named sets of error pages.

use std::collections::HashMap;
use std::sync::Arc;

use tandem_parser::haproxy::{Tree, section};

use super::context::Context;
use super::errors;

/// Pages by section name.
pub(super) type Pages = HashMap<String, Vec<(u16, Arc<[u8]>)>>;

pub(super) fn lower(context: &mut Context<'_>, tree: &Tree) -> Pages {
    let mut pages = Pages::new();
    for section in tree.sections.iter().filter(|section| section.kind.bit == section::HTTP_ERRORS) {
        let Some(name) = &section.name else { continue };
        let set = pages.entry(name.text().to_owned()).or_default();
        set.extend(section.statements.iter().filter_map(|line| errors::file(context, line)));
    }
    pages
}
