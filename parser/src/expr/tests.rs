//! Shapes: tables of what is read and refused, and print-and-read-back over generated ones.

use proptest::prelude::*;

use super::*;

fn call(name: &str, args: &[&str]) -> (String, Vec<String>) {
    (name.to_owned(), args.iter().map(|a| (*a).to_owned()).collect())
}

fn calls(text: &str) -> Vec<(String, Vec<String>)> {
    let sample = sample(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    std::iter::once(&sample.fetch)
        .chain(&sample.convs)
        .map(|c| (c.name.clone(), c.args.iter().map(|a| a.text.clone()).collect()))
        .collect()
}

#[test]
fn sample_expressions_are_calls_with_arguments() {
    type Calls = [(String, Vec<String>)];
    let table: &[(&str, &Calls)] = &[
        ("src", &[call("src", &[])]),
        ("always_true()", &[call("always_true", &[])]),
        ("hdr(host),lower", &[call("hdr", &["host"]), call("lower", &[])]),
        ("req.hdr(X-A,-1),field(2,:)", &[call("req.hdr", &["X-A", "-1"]), call("field", &["2", ":"])]),
        ("base32+src", &[call("base32+src", &[])]),
        ("str('a,b)')", &[call("str", &["a,b)"])]),
        (r#"str("it's")"#, &[call("str", &["it's"])]),
        (r"path,regsub(^/a\.b,\\1)", &[call("path", &[]), call("regsub", &[r"^/a\.b", r"\1"])]),
        (r"str(a\ b\tc)", &[call("str", &["a b\tc"])]),
        ("var(txn.a,),lower", &[call("var", &["txn.a", ""]), call("lower", &[])]),
        ("src,,lower,", &[call("src", &[]), call("lower", &[])]),
    ];
    for (text, want) in table {
        assert_eq!(&calls(text), want, "{text}");
    }
}

#[test]
fn broken_sample_expressions_say_what_and_where() {
    let table = [
        ("", Fault::MissingFetch, 0..0),
        (",lower", Fault::MissingFetch, 0..1),
        ("hdr(host", Fault::UnclosedParenthesis, 3..8),
        ("hdr(host,", Fault::UnclosedParenthesis, 3..9),
        ("str('a)", Fault::UnclosedQuote, 4..7),
        (r"str(a\", Fault::DanglingEscape, 5..6),
        ("hdr(host)lower", Fault::MissingComma("hdr".into()), 9..14),
        ("src lower", Fault::MissingComma("src".into()), 3..9),
    ];
    for (text, fault, at) in table {
        assert_eq!(sample(text), Err(ShapeError::new(fault, at)), "{text}");
    }
}

fn words(text: &str) -> Vec<&str> {
    text.split_ascii_whitespace().collect()
}

#[test]
fn acl_flags_stand_between_criterion_and_patterns() {
    let shape = acl(&words("hdr(host) -i -m beg -f a.lst -f b.lst -- -x y"), 2).expect("reads");
    assert_eq!(shape.criterion, 2);
    assert!(shape.flags.ignore_case && shape.flags.ended);
    assert_eq!((shape.flags.method, shape.flags.files), (Some(5), vec![7, 9]));
    assert_eq!(shape.patterns, 11..13);
    assert_eq!(acl(&words("src 10.0.0.0/8"), 0).expect("reads").patterns, 1..2);
    let late = acl(&words("path -f a -m beg"), 0).expect("reads");
    assert_eq!(late.flags.late_method, Some(3));
    let table = [
        ("", Fault::MissingCriterion),
        ("path -x /", Fault::UnknownFlag("-x".into())),
        ("path -m", Fault::MissingFlagArgument("-m")),
        ("path -f", Fault::MissingFlagArgument("-f")),
    ];
    for (text, fault) in table {
        assert_eq!(acl(&words(text), 0).expect_err(text).fault, fault);
    }
}

#[test]
fn conditions_are_groups_of_terms() {
    let source = words("a !b ! c || { src 10.0.0.1 } !{ path_beg / } or d");
    let read = condition(&source).expect("reads");
    let shown: Vec<String> =
        read.groups.iter().map(|g| g.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(shown, ["a !b !c", "{...} !{...}", "d"]);
    assert_eq!(read.words(&source).join(" "), "a !b !c or { src 10.0.0.1 } ! { path_beg / } or d");
    for (text, groups, dangling) in [
        ("", 0, None),
        ("a or", 1, Some(1)),
        ("or a", 1, Some(0)),
        ("a !", 1, Some(1)),
        ("a or ! or b", 2, Some(3)),
    ] {
        let read = condition(&words(text)).expect(text);
        assert_eq!((read.groups.len(), read.dangling), (groups, dangling), "{text}");
    }
    let table = [("{ src", Fault::UnclosedBrace), ("{ }", Fault::EmptyBraces)];
    for (text, fault) in table {
        assert_eq!(condition(&words(text)).expect_err(text).fault, fault, "{text}");
    }
}

#[test]
fn log_formats_are_text_and_items() {
    let read = log_format("a %% %ci:%{+Q,-E}r %[src,lower] %(n:str){+X}[date] %-x").expect("reads");
    let shown: Vec<String> = read.items.iter().map(ToString::to_string).collect();
    let want = ["a %% ", "%ci", ":", "%{+Q,-E}r", " ", "%[src,lower]", " ", "%(n:str){+X}[date]", " -x"];
    assert_eq!(shown, want);
    let table = [
        ("100% sure", Fault::StrayPercent(' ')),
        ("%5", Fault::StrayPercent('5')),
        ("a %", Fault::Truncated("%".into())),
        ("%{+Q", Fault::Truncated("+Q".into())),
        ("%{+Q} r", Fault::ModifierWithoutItem("+Q".into())),
        ("%[src", Fault::UnclosedExpression("src".into(), None)),
        ("%[src lower]", Fault::UnclosedExpression("src".into(), Some(' '))),
        ("%[hdr(a]", Fault::UnclosedParenthesis),
        ("%(a b)ci", Fault::BadItemName(' ')),
    ];
    for (text, fault) in table {
        assert_eq!(log_format(text).expect_err(text).fault, fault, "{text}");
    }
}

#[test]
fn positions_in_log_formats_count_from_its_start() {
    let read = log_format("x %[hdr(host),lower]").expect("reads");
    let Some(Item::Expr { sample, at, .. }) = read.items.last() else { panic!("an expression") };
    assert_eq!(at, &(4..19));
    assert_eq!((sample.fetch.at.clone(), sample.fetch.args[0].at.clone()), (4..7, 8..12));
}

fn arb_call() -> impl Strategy<Value = Call> {
    let arg = "[a-zA-Z0-9 ,()'\"\\\\/.:^$*\t\n-]{0,8}";
    ("[a-z][a-z0-9_.+-]{0,6}", prop::collection::vec(arg, 0..4)).prop_map(|(name, args)| {
        // A single empty argument cannot be told from no argument.
        let args = if args.len() == 1 && args[0].is_empty() { Vec::new() } else { args };
        let parenthesised = !args.is_empty();
        let args = args.into_iter().map(|text| Arg { text, at: 0..0 }).collect();
        Call { name, args, parenthesised, at: 0..0 }
    })
}

fn arb_sample() -> impl Strategy<Value = Sample> {
    (arb_call(), prop::collection::vec(arb_call(), 0..3)).prop_map(|(fetch, convs)| Sample { fetch, convs })
}

fn without_positions(mut sample: Sample) -> Sample {
    for call in std::iter::once(&mut sample.fetch).chain(&mut sample.convs) {
        call.at = 0..0;
        call.args.iter_mut().for_each(|arg| arg.at = 0..0);
    }
    sample
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(want in arb_sample()) {
        let text = want.to_string();
        let read = sample(&text).map_err(|e| TestCaseError::fail(format!("{text}: {e}")))?;
        prop_assert_eq!(without_positions(read), want);
    }

    #[test]
    fn log_formats_read_back(samples in prop::collection::vec((arb_sample(), "[a-z %/:]{0,5}"), 0..4)) {
        let text: String = samples.iter().map(|(s, t)| format!("%[{s}]{}", t.replace('%', "%%"))).collect();
        let read = log_format(&text).map_err(|e| TestCaseError::fail(format!("{text}: {e}")))?;
        let printed = read.to_string();
        prop_assert_eq!(&printed, &text);
        prop_assert_eq!(log_format(&printed), Ok(read));
    }

    #[test]
    fn no_text_makes_the_readers_panic(text in ".{0,40}") {
        let _ = sample(&text);
        let _ = log_format(&text);
        let _ = condition(&text.split(' ').collect::<Vec<_>>());
        let _ = acl(&text.split(' ').collect::<Vec<_>>(), 0);
    }
}
