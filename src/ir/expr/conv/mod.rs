//! What is done to samples (manual, 7.3.1).

mod crypto;
mod map;
mod protocol;

use std::sync::Arc;

use super::{Dir, TimeUnit, VarName};
use crate::ir::regex::Regex;

pub use crypto::*;
pub use map::*;
pub use protocol::*;

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
    /// `bytes(OFFSET[,LENGTH])`; both may be variables.
    Bytes(Operand, Option<Operand>),
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
    /// `le2dec(SEPARATOR,CHUNK[,TRUNCATE])`.
    Le2Dec(Box<[u8]>, usize, bool),
    /// `base2`: bits as text.
    Base2,
    /// `has_ctl([MASK])`: bit n stands for control character n, bit 32 for DEL.
    HasCtl(u64),
    /// `xxh32`, `xxh64`, `xxh3`, with a seed.
    Xxh(XxhKind, u64),
    /// `htonl`.
    Htonl,
    /// `date`: seconds since 1970 of an HTTP date.
    FromHttpDate,
    /// `rfc7239_*`.
    Forwarded(ForwardedKind),
    /// `fix_is_valid`.
    FixIsValid,
    /// `fix_tag_value(TAG)`.
    FixTag(u32),
    /// `mqtt_is_valid`.
    MqttIsValid,
    /// `mqtt_field_value(PACKET,FIELD)`.
    MqttField(MqttPacket, MqttField),
    /// `protobuf`, `ungrpc`.
    Protobuf {
        /// The message stands behind gRPC's five bytes.
        grpc: bool,
        /// Numbers of the fields that lead to the value.
        path: Vec<u64>,
        /// How the value is read.
        kind: ProtobufKind,
    },
    /// `aes_gcm_enc`, `aes_gcm_dec`, `aes_cbc_enc`, `aes_cbc_dec`.
    Aes(Box<Aes>),
    /// `jwt_header_query`, `jwt_payload_query`.
    JwtQuery {
        /// The payload, not the header.
        payload: bool,
        /// Steps of the path; `None`: the whole document.
        path: Option<Vec<JsonStep>>,
        /// `int`: the result is an integer.
        as_int: bool,
    },
    /// `jwt_verify(ALGORITHM,KEY)`.
    JwtVerify(JwtAlgorithm, JwtKey),
    /// `when(CONDITION[,ARG])`: the sample, if the condition holds.
    When {
        /// `!`.
        negated: bool,
        /// Condition.
        cond: When,
    },
    /// `set-var(NAME[,CONDITION...])`: the sample is kept in a variable on its way.
    SetVar(VarName, Vec<VarCond>),
    /// `unset-var(NAME)`.
    UnsetVar(VarName),
    /// `debug`: nothing happens to the sample.
    Debug,
    /// Fields of Ethernet, IP and TCP headers (`eth.*`, `ip.*`, `tcp.*`).
    Packet(PacketField),
    /// `nbsrv`: of the backend that the sample names.
    NbSrv,
    /// `fe_exists`: is there a frontend that is called so?
    FrontendExists,
    /// `srv_is_up`: of the server that the sample names.
    ServerIsUp,
    /// `srv_queue`: of the server that the sample names.
    ServerQueue,
    /// `capture-req(ID)`, `capture-res(ID)`: the sample is kept in a capture slot on its way.
    Capture(Dir, usize),
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

/// Conditions of `when`.
#[derive(Clone, Debug)]
pub enum When {
    /// `error`: the request ended badly, or was tried more than once.
    Error,
    /// `forwarded`: to a server.
    Forwarded,
    /// `toapplet`: answered here.
    ToApplet,
    /// `processed`: one of the two.
    Processed,
    /// `stopping`.
    Stopping,
    /// `acl,NAME`.
    Acl(Arc<super::Acl>),
}

/// Conditions of `set-var`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VarCond {
    /// `ifexists`: the variable is set.
    Exists,
    /// `ifnotexists`.
    NotExists,
    /// `ifempty`: the new value is empty.
    Empty,
    /// `ifnotempty`.
    NotEmpty,
    /// `ifset`: the variable holds something that is not empty.
    Set,
    /// `ifnotset`.
    NotSet,
    /// `ifgt`: the variable's value is greater than the new one.
    Greater,
    /// `iflt`.
    Less,
}
