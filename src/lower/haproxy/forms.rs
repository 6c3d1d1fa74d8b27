//! Words that have a form of their own, whether anything is made of them here or not.
//!
//! A setting of TLS or QUIC has no effect yet, but a file where it is misspelled is no valid file.

use tandem_parser::diagnostic::Reason;
use tandem_parser::haproxy::{Statement, Tree, Value};

use super::context::{Context, span_at};

/// Longest unique name.
const LONGEST_GUID: usize = 127;

/// Greatest number of an error that OpenSSL finds in a certificate.
const MOST_VERIFY_ERROR: u32 = 94;

/// Names of those errors, without `X509_V_ERR_`.
const VERIFY_ERRORS: &[&str] = &[
    "AKID_ISSUER_SERIAL_MISMATCH",
    "AKID_SKID_MISMATCH",
    "APPLICATION_VERIFICATION",
    "AUTHORITY_KEY_IDENTIFIER_CRITICAL",
    "CA_BCONS_NOT_CRITICAL",
    "CA_CERT_MISSING_KEY_USAGE",
    "CA_KEY_TOO_SMALL",
    "CA_MD_TOO_WEAK",
    "CERT_CHAIN_TOO_LONG",
    "CERT_HAS_EXPIRED",
    "CERT_NOT_YET_VALID",
    "CERT_REJECTED",
    "CERT_REVOKED",
    "CERT_SIGNATURE_FAILURE",
    "CERT_UNTRUSTED",
    "CRL_HAS_EXPIRED",
    "CRL_NOT_YET_VALID",
    "CRL_PATH_VALIDATION_ERROR",
    "CRL_SIGNATURE_FAILURE",
    "DANE_NO_MATCH",
    "DEPTH_ZERO_SELF_SIGNED_CERT",
    "DIFFERENT_CRL_SCOPE",
    "EC_KEY_EXPLICIT_PARAMS",
    "EE_KEY_TOO_SMALL",
    "EMAIL_MISMATCH",
    "EMPTY_SUBJECT_ALT_NAME",
    "EMPTY_SUBJECT_SAN_NOT_CRITICAL",
    "ERROR_IN_CERT_NOT_AFTER_FIELD",
    "ERROR_IN_CERT_NOT_BEFORE_FIELD",
    "ERROR_IN_CRL_LAST_UPDATE_FIELD",
    "ERROR_IN_CRL_NEXT_UPDATE_FIELD",
    "EXCLUDED_VIOLATION",
    "EXTENSIONS_REQUIRE_VERSION_3",
    "HOSTNAME_MISMATCH",
    "INVALID_CA",
    "INVALID_CALL",
    "INVALID_EXTENSION",
    "INVALID_NON_CA",
    "INVALID_POLICY_EXTENSION",
    "INVALID_PURPOSE",
    "IP_ADDRESS_MISMATCH",
    "ISSUER_NAME_EMPTY",
    "KEYUSAGE_NO_CERTSIGN",
    "KEYUSAGE_NO_CRL_SIGN",
    "KEYUSAGE_NO_DIGITAL_SIGNATURE",
    "KU_KEY_CERT_SIGN_INVALID_FOR_NON_CA",
    "MISSING_AUTHORITY_KEY_IDENTIFIER",
    "MISSING_SUBJECT_KEY_IDENTIFIER",
    "NO_EXPLICIT_POLICY",
    "NO_ISSUER_PUBLIC_KEY",
    "NO_VALID_SCTS",
    "OCSP_CERT_UNKNOWN",
    "OCSP_VERIFY_FAILED",
    "OCSP_VERIFY_NEEDED",
    "OUT_OF_MEM",
    "PATHLEN_INVALID_FOR_NON_CA",
    "PATHLEN_WITHOUT_KU_KEY_CERT_SIGN",
    "PATH_LENGTH_EXCEEDED",
    "PATH_LOOP",
    "PERMITTED_VIOLATION",
    "PROXY_CERTIFICATES_NOT_ALLOWED",
    "PROXY_PATH_LENGTH_EXCEEDED",
    "PROXY_SUBJECT_NAME_VIOLATION",
    "SELF_SIGNED_CERT_IN_CHAIN",
    "SIGNATURE_ALGORITHM_INCONSISTENCY",
    "SIGNATURE_ALGORITHM_MISMATCH",
    "STORE_LOOKUP",
    "SUBJECT_ISSUER_MISMATCH",
    "SUBJECT_KEY_IDENTIFIER_CRITICAL",
    "SUBJECT_NAME_EMPTY",
    "SUBTREE_MINMAX",
    "SUITE_B_CANNOT_SIGN_P_384_WITH_P_256",
    "SUITE_B_INVALID_ALGORITHM",
    "SUITE_B_INVALID_CURVE",
    "SUITE_B_INVALID_SIGNATURE_ALGORITHM",
    "SUITE_B_INVALID_VERSION",
    "SUITE_B_LOS_NOT_ALLOWED",
    "UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY",
    "UNABLE_TO_DECRYPT_CERT_SIGNATURE",
    "UNABLE_TO_DECRYPT_CRL_SIGNATURE",
    "UNABLE_TO_GET_CRL",
    "UNABLE_TO_GET_CRL_ISSUER",
    "UNABLE_TO_GET_ISSUER_CERT",
    "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "UNHANDLED_CRITICAL_CRL_EXTENSION",
    "UNHANDLED_CRITICAL_EXTENSION",
    "UNNESTED_RESOURCE",
    "UNSPECIFIED",
    "UNSUPPORTED_CONSTRAINT_SYNTAX",
    "UNSUPPORTED_CONSTRAINT_TYPE",
    "UNSUPPORTED_EXTENSION_FEATURE",
    "UNSUPPORTED_NAME_SYNTAX",
    "UNSUPPORTED_SIGNATURE_ALGORITHM",
];

/// Settings that HAProxy takes only behind `expose-experimental-directives`.
const EXPERIMENTAL: &[&str] = &["ktls", "ech"];

/// Judges the settings of all lines.
pub(super) fn all(context: &mut Context<'_>, tree: &Tree) {
    let lines = tree.sections.iter().flat_map(|section| &section.statements);
    for setting in lines.flat_map(|line| &line.args).flat_map(Value::settings) {
        check(context, setting);
    }
}

/// Judges the words of one setting of a `bind`, `server` or like line.
fn check(context: &mut Context<'_>, setting: &Statement) {
    let (name, text) = (setting.name(), setting.text(0).unwrap_or_default());
    if EXPERIMENTAL.contains(&name) && !context.switches.experimental {
        let message = format!(
            "'{name}' directive is experimental, must be allowed via a global 'expose-experimental-directives'"
        );
        return context.alert(Reason::NotAllowedHere, setting.span, message);
    }
    let wrong = match name {
        "guid" => guid(text),
        // A number follows.
        "guid-prefix" => guid(&format!("{text}-0")),
        "ca-ignore-err" | "crt-ignore-err" => verify_errors(text),
        "alpn" | "npn" | "check-alpn" => protocols(name, text),
        "quic-cc-algo" => congestion_control(text, context.switches.experimental),
        _ => return,
    };
    if let Some(why) = wrong {
        context.alert(Reason::InvalidValue, span_at(setting, 0), format!("'{name}' : {why}"));
    }
}

/// What is wrong with a unique name.
pub(super) fn guid(text: &str) -> Option<String> {
    if text.is_empty() || text.len() > LONGEST_GUID {
        return Some("invalid length".into());
    }
    let wrong = |c: &char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':' | '.'));
    text.chars().find(wrong).map(|c| format!("invalid character '{c}'"))
}

/// `all`, or numbers and names of errors with commas between them.
fn verify_errors(text: &str) -> Option<String> {
    if text == "all" {
        return None;
    }
    text.split(',').filter(|item| !item.is_empty()).find_map(|item| {
        if item.starts_with(|c: char| c.is_ascii_digit()) {
            let end = item.find(|c: char| !c.is_ascii_digit()).unwrap_or(item.len());
            let known = item[..end].parse().is_ok_and(|id| (1..=MOST_VERIFY_ERROR).contains(&id));
            return (!known).then(|| {
                format!("ID '{item}' out of range (1..{MOST_VERIFY_ERROR}) in error IDs list '{text}'")
            });
        }
        let known = item.strip_prefix("X509_V_ERR_").is_some_and(|name| VERIFY_ERRORS.contains(&name));
        (!known).then(|| format!("error constant '{item}' unknown in error IDs list '{text}'"))
    })
}

/// Each name is sent behind a byte that says how long it is.
fn protocols(name: &str, text: &str) -> Option<String> {
    let what = if name == "npn" { "NPN" } else { "ALPN" };
    let long = text.split(',').find(|protocol| protocol.len() > 255)?;
    Some(format!("{what} protocol name too long : '{long}'"))
}

/// `NAME`, `NAME(MOST)` or `NAME(MOST,)`, where MOST is the widest window.
fn congestion_control(text: &str, experimental: bool) -> Option<String> {
    let (name, rest) = text.split_at(text.find('(').unwrap_or(text.len()));
    match name {
        "newreno" | "cubic" | "bbr" => {}
        "nocc" if experimental => {}
        "nocc" => {
            return Some(
                "algo is experimental, must be allowed via a global 'expose-experimental-directives'".into(),
            );
        }
        _ => return Some(format!("'{text}' : unknown control congestion algorithm")),
    }
    let rest = rest.strip_prefix('(')?;
    if rest.starts_with(')') {
        return None;
    }
    let more = match rest.strip_prefix(',') {
        Some(more) => more,
        None => match window(rest) {
            Err(why) => return Some(why.into()),
            Ok(rest) if rest.starts_with(')') => return None,
            Ok(rest) => match rest.strip_prefix(',') {
                Some(more) => more,
                None => return Some(format!("cannot parse max-window argument for '{name}' algorithm")),
            },
        },
    };
    (!more.starts_with(')')).then(|| format!("too many argument for '{name}' algorithm"))
}

/// A window between 10k and 4g; what stands behind it comes back.
fn window(text: &str) -> Result<&str, &'static str> {
    let (digits, rest) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number: u64 = digits.parse().map_err(|_| "could not parse congestion window value")?;
    let (shift, rest) = match rest.as_bytes().first() {
        Some(b'k') => (10, &rest[1..]),
        Some(b'm') => (20, &rest[1..]),
        Some(b'g') => (30, &rest[1..]),
        _ => (0, rest),
    };
    match number.checked_mul(1 << shift) {
        Some(size) if (10_240..=4 << 30).contains(&size) => Ok(rest),
        _ => Err("should be between 10k and 4g"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unique_names_have_few_characters() {
        assert_eq!(guid("a.b-c_d:1"), None);
        assert_eq!(guid("a@b").as_deref(), Some("invalid character '@'"));
        assert_eq!(guid(&"x".repeat(127)), None);
        assert_eq!(guid(&"x".repeat(128)).as_deref(), Some("invalid length"));
    }

    #[test]
    fn errors_of_certificates_have_numbers_and_names() {
        for good in ["all", "1", "10,20", "94", "10,X509_V_ERR_CERT_HAS_EXPIRED", "10,,11", ",", "5x"] {
            assert_eq!(verify_errors(good), None, "{good}");
        }
        for bad in ["0", "95", "99999999999", "ALL", "-5", "1,x", "X509_V_ERR_FOO", "CERT_HAS_EXPIRED"] {
            assert!(verify_errors(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn congestion_control_has_a_window() {
        for good in ["cubic", "newreno(5m)", "bbr()", "cubic(1m,)", "cubic(,)", "cubic(10240)"] {
            assert_eq!(congestion_control(good, false), None, "{good}");
        }
        for bad in
            ["nocc", "foo", "cubic-1", "cubic(9999)", "cubic(5g)", "cubic(abc)", "cubic(1m", "cubic(1m,5)"]
        {
            assert!(congestion_control(bad, false).is_some(), "{bad}");
        }
        assert_eq!(congestion_control("nocc", true), None);
    }
}
