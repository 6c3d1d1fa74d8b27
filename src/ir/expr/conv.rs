//! What is done to samples (manual, 7.3.1).

use std::sync::Arc;

use regex::bytes::Regex;

use super::super::pattern::PatternSet;
use super::{TimeUnit, Value, VarName};

/// An integer argument that may be a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    /// A number.
    Int(i64),
    /// A variable, read when evaluated.
    Var(VarName),
}

/// A string argument that may be a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// As written.
    Literal(Box<[u8]>),
    /// A variable, read when evaluated.
    Var(VarName),
}

/// Arithmetic and bit operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arith {
    /// `add`.
    Add,
    /// `sub`.
    Sub,
    /// `mul`.
    Mul,
    /// `div`.
    Div,
    /// `mod`.
    Mod,
    /// `and`.
    And,
    /// `or`.
    Or,
    /// `xor`.
    Xor,
}

/// Non-cryptographic hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HashKind {
    /// `crc32`.
    Crc32,
    /// `crc32c`.
    Crc32c,
    /// `djb2`.
    Djb2,
    /// `sdbm`.
    Sdbm,
    /// `wt6`.
    Wt6,
}

/// Cryptographic digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DigestKind {
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-2, 224 bits.
    Sha224,
    /// SHA-2, 256 bits.
    Sha256,
    /// SHA-2, 384 bits.
    Sha384,
    /// SHA-2, 512 bits.
    Sha512,
}

/// How `json` reads its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JsonInput {
    /// Bytes are ISO 8859-1.
    Ascii,
    /// UTF-8, errors stop.
    Utf8,
    /// UTF-8, errors are dropped silently.
    Utf8s,
    /// UTF-8, errors and what they cut become nothing.
    Utf8p,
    /// UTF-8, errors are replaced.
    Utf8ps,
}

/// Key, result and search of a map converter.
#[derive(Clone, Debug)]
pub struct Map {
    /// File name as written (its identity on the stats socket).
    pub file: Box<str>,
    /// Keys in file order, as a set per entry is not needed: position in `values` of the first that matches.
    pub keys: MapKeys,
    /// Results in file order.
    pub values: Arc<[Value]>,
    /// Result when nothing matches.
    pub default: Option<Value>,
    /// `map_regm`: the result has references to groups (`\1`).
    pub substitute: bool,
}

/// Index of a map's keys.
#[derive(Clone, Debug)]
pub enum MapKeys {
    /// Exact keys.
    Exact(Arc<std::collections::HashMap<Box<[u8]>, u32>>),
    /// Every other match kind: entries tried in order.
    Ordered(Arc<[PatternSet]>),
}

/// A converter with its arguments.
#[derive(Clone, Debug)]
pub enum Conv {
    /// `lower`.
    Lower,
    /// `upper`.
    Upper,
    /// `length`.
    Length,
    /// `hex`.
    Hex,
    /// `hex2i`.
    HexToInt,
    /// `base64`.
    Base64,
    /// `b64dec`.
    Base64Dec,
    /// `ub64enc`.
    UrlBase64,
    /// `ub64dec`.
    UrlBase64Dec,
    /// `url_dec([IN_FORM])`.
    UrlDec {
        /// `+` is a space from the start, not only after `?`.
        in_form: bool,
    },
    /// `url_enc`.
    UrlEnc,
    /// `bytes(OFFSET[,LENGTH])`.
    Bytes(usize, Option<usize>),
    /// `field(INDEX,DELIMS[,COUNT])`.
    Field {
        /// From 1; negative from the end.
        index: i64,
        /// Delimiters.
        delims: Box<[u8]>,
        /// Fields to take; 0: all that follow.
        count: i64,
    },
    /// `word(INDEX,DELIMS[,COUNT])`: like `field`, empty ones do not count.
    Word {
        /// From 1; negative from the end.
        index: i64,
        /// Delimiters.
        delims: Box<[u8]>,
        /// Words to take; 0: all that follow.
        count: i64,
    },
    /// `regsub(REGEX,REPLACEMENT[,FLAGS])`.
    RegSub {
        /// Expression.
        regex: Regex,
        /// With `\1` references.
        replacement: Box<[u8]>,
        /// `g`.
        global: bool,
    },
    /// `concat([START][,VAR][,END])`.
    Concat {
        /// Before the variable.
        start: Box<[u8]>,
        /// Variable.
        var: Option<VarName>,
        /// After it.
        end: Box<[u8]>,
    },
    /// `add_item(DELIM,[VAR],[SUFFIX])`.
    AddItem {
        /// Between items.
        delim: Box<[u8]>,
        /// Variable.
        var: Option<VarName>,
        /// After it.
        suffix: Box<[u8]>,
    },
    /// `strcmp(VAR)`.
    Strcmp(VarName),
    /// `secure_memcmp(VAR)`.
    SecureCompare(VarName),
    /// `ipmask(V4[,V6])`.
    IpMask {
        /// IPv4 mask.
        v4: u32,
        /// IPv6 mask; `None`: IPv6 samples fail.
        v6: Option<u128>,
    },
    /// `and`, `add`, ...
    Arith(Arith, Operand),
    /// `cpl`.
    Complement,
    /// `neg`.
    Negate,
    /// `not`.
    Not,
    /// `bool`.
    Bool,
    /// `odd`.
    Odd,
    /// `even`.
    Even,
    /// `iif(TRUE,FALSE)`.
    Iif(Box<[u8]>, Box<[u8]>),
    /// `host_only`.
    HostOnly,
    /// `port_only`.
    PortOnly,
    /// `ltrim(CHARS)`.
    LTrim(Box<[u8]>),
    /// `rtrim(CHARS)`.
    RTrim(Box<[u8]>),
    /// `cut_crlf`.
    CutCrlf,
    /// `param(NAME[,DELIM])`.
    Param(Box<[u8]>, u8),
    /// `reverse`.
    Reverse,
    /// `reverse_dom`.
    ReverseDom,
    /// `language(LIST[,DEFAULT])`.
    Language(Vec<Box<[u8]>>, Option<Box<[u8]>>),
    /// `json([INPUT])`.
    Json(JsonInput),
    /// `json_query(PATH[,TYPE])`.
    JsonQuery {
        /// Steps of the path.
        path: Vec<JsonStep>,
        /// `int`: the result is an integer.
        as_int: bool,
    },
    /// `crc32([AVALANCHE])` and relatives.
    Hash(HashKind, bool),
    /// `sha1`, `sha2`, `digest`.
    Digest(DigestKind),
    /// `hmac(ALGORITHM,KEY)`; the key is base64 or a variable that holds base64.
    Hmac(DigestKind, Text),
    /// `ltime(FORMAT[,OFFSET])`, with the unit of the input.
    LocalTime(Box<str>, i64, TimeUnit),
    /// `utime(FORMAT[,OFFSET])`.
    UtcTime(Box<str>, i64, TimeUnit),
    /// `http_date([OFFSET[,UNIT]])`.
    HttpDate(i64, TimeUnit),
    /// `be2dec(SEPARATOR,CHUNK[,TRUNCATE])`.
    Be2Dec(Box<[u8]>, usize, bool),
    /// `be2hex([SEPARATOR[,CHUNK[,TRUNCATE]]])`.
    Be2Hex(Box<[u8]>, usize, bool),
    /// `htonl`.
    Htonl,
    /// `nbsrv`: of the backend that the sample names.
    NbSrv,
    /// `map*`.
    Map(Map),
}

/// One step of a JSON path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonStep {
    /// `.name`.
    Member(Box<str>),
    /// `[n]`.
    Index(usize),
}
