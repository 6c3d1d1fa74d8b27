//! Light-weight tunnels of routes: `encap ip|ip6|mpls|ila ...`.

use std::net::IpAddr;

use tandem_parser::Reason;

use super::context::Cx;
use super::env::RouteName;
use super::route::{Unusable, Words};
use crate::ir::vrrp::{Encap, TunnelEnds};

/// Most labels in a stack.
const LABELS: usize = 16;

impl Cx<'_> {
    /// What follows `encap`. `None`: of no kind that is known, which was said.
    pub(super) fn encap(&mut self, words: &mut Words<'_>) -> Result<Option<Encap>, Unusable> {
        let kind = self.after(words)?;
        match kind.text.as_str() {
            "ip" => {
                let ends = self.tunnel(words, ["tos", "ttl"], "ip", |a| match a {
                    IpAddr::V4(a) => Some(a),
                    IpAddr::V6(_) => None,
                })?;
                Ok(Some(Encap::Ip(ends)))
            }
            "ip6" => {
                let ends = self.tunnel(words, ["tc", "hoplimit"], "ip6", |a| match a {
                    IpAddr::V6(a) => Some(a),
                    IpAddr::V4(_) => None,
                })?;
                Ok(Some(Encap::Ip6(ends)))
            }
            "mpls" => {
                let word = self.after(words)?;
                let label = |text: &str| text.parse().ok().filter(|label: &u32| *label < 1 << 20);
                let labels: Option<Vec<u32>> = word.text.split('/').map(label).collect();
                match labels.filter(|labels| labels.len() <= LABELS) {
                    Some(labels) => Ok(Some(Encap::Mpls(labels))),
                    None => {
                        self.bad(word.span, format!("invalid mpls address {} for encapsulation", word.text))
                    }
                }
            }
            "ila" => {
                let word = self.after(words)?;
                match locator(&word.text) {
                    Some(locator) => Ok(Some(Encap::Ila(locator))),
                    None => {
                        self.bad(word.span, format!("invalid locator {} for ila encapsulation", word.text))
                    }
                }
            }
            other => {
                let text = format!("Unknown encap type - {other}");
                self.error(Reason::InvalidValue, kind.span, text);
                Ok(None)
            }
        }
    }

    /// Pairs of words until one that is none of them; `names` of the type of service and the hop limit.
    fn tunnel<A: Copy>(
        &mut self,
        words: &mut Words<'_>,
        names: [&str; 2],
        kind: &str,
        pick: impl Fn(IpAddr) -> Option<A>,
    ) -> Result<TunnelEnds<A>, Unusable> {
        let mut ends = TunnelEnds { id: None, dst: None, src: None, tos: None, ttl: None, flags: None };
        let start = words.line.get(words.at).map(|w| w.span);
        while let [name, value, ..] = &words.line[words.at.min(words.line.len())..] {
            let text = value.text.as_str();
            let fits = match name.text.as_str() {
                "id" => {
                    ends.id = text.parse().ok();
                    ends.id.is_some()
                }
                side @ ("dst" | "src") => {
                    let address = text.parse().ok().and_then(&pick);
                    *(if side == "dst" { &mut ends.dst } else { &mut ends.src }) = address;
                    address.is_some()
                }
                "flags" => {
                    ends.flags = text.parse().ok();
                    ends.flags.is_some()
                }
                name if name == names[0] => {
                    ends.tos = self
                        .route_number(RouteName::DsField, text, 255)
                        .and_then(|tos| u8::try_from(tos).ok());
                    ends.tos.is_some()
                }
                name if name == names[1] => {
                    ends.ttl = text.parse().ok();
                    ends.ttl.is_some()
                }
                _ => break,
            };
            if !fits {
                let text = format!("{} {text} is not valid for {kind} encapsulation", name.text);
                return self.bad(value.span, text);
            }
            words.at += 2;
        }
        if ends.dst.is_none() && ends.id.is_none() {
            let span = start.unwrap_or(self.here);
            return self.bad(span, format!("address or id missing for {kind} encapsulation"));
        }
        Ok(ends)
    }
}

/// `H:H:H:H`, each up to four hexadecimal digits.
fn locator(text: &str) -> Option<[u8; 8]> {
    let parts: Vec<u16> = text.split(':').map(|p| u16::from_str_radix(p, 16).ok()).collect::<Option<_>>()?;
    let parts: [u16; 4] = parts.try_into().ok()?;
    let mut bytes = [0; 8];
    for (at, part) in parts.into_iter().enumerate() {
        bytes[at * 2..at * 2 + 2].copy_from_slice(&part.to_be_bytes());
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locators() {
        assert_eq!(locator("1:2:3:ff04"), Some([0, 1, 0, 2, 0, 3, 0xff, 4]));
        for wrong in ["", "1:2:3", "1:2:3:4:5", "1:2:3:10000", "g:1:2:3"] {
            assert_eq!(locator(wrong), None, "{wrong}");
        }
    }
}
