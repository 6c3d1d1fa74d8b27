//! What is done to samples (manual, 7.3.1).

use std::collections::HashMap;
use std::sync::Arc;

use regex::bytes::Regex;

use super::super::pattern::{MatchMethod, PatternSet};
use super::super::reference::Newer;
use super::super::table::{ExactTable, NetTable, PrefixTable};
use super::{Dir, SampleType, TimeUnit, Value, VarName};

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
    /// Keys; they yield positions in `values`.
    pub keys: MapKeys,
    /// The different results.
    pub values: Arc<[Value]>,
    /// Result when nothing matches.
    pub default: Option<Value>,
    /// `map_regm`: the result has references to groups (`\1`).
    pub substitute: bool,
    /// How keys are matched.
    pub method: MatchMethod,
    /// Type of the results.
    pub out: SampleType,
    /// `str`: keys that commands changed since `keys` was made, and what each yields now (`None`: nothing). They
    /// are asked first.
    pub changed: Option<Arc<Changed>>,
    /// What took its place while running.
    pub newer: Option<Arc<Newer<Map>>>,
}

/// See [`Map::changed`].
pub type Changed = HashMap<Box<[u8]>, Option<Value>>;

/// Index of a map's keys.
#[derive(Clone, Debug)]
pub enum MapKeys {
    /// `str`: the first of equal keys.
    Exact(Arc<ExactTable>),
    /// `beg`: the longest key.
    Prefix(Arc<PrefixTable>),
    /// `end`: the first key in the file that matches.
    Suffix(Arc<PrefixTable>),
    /// `ip`: the smallest network.
    Nets(Arc<NetTable>),
    /// Every other match kind: entries tried in order.
    Ordered(MatchMethod, Arc<[(PatternSet, u32)]>),
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

/// The hashes of the xxHash family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum XxhKind {
    /// 32 bits.
    Xxh32,
    /// 64 bits.
    Xxh64,
    /// XXH3, 64 bits.
    Xxh3,
}

/// What is wanted of a `Forwarded` header (RFC 7239).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ForwardedKind {
    /// `rfc7239_is_valid`.
    IsValid,
    /// `rfc7239_field(proto)`.
    Proto,
    /// `rfc7239_field(host)`.
    Host,
    /// `rfc7239_field(for)`.
    For,
    /// `rfc7239_field(by)`.
    By,
    /// `rfc7239_n2nn`: the name of a node.
    NodeName,
    /// `rfc7239_n2np`: the port of a node.
    NodePort,
    /// `rfc7239_nn`: a node's name, made of an address or a word.
    MakeName,
    /// `rfc7239_np`: a node's port, made of a number or a word.
    MakePort,
}

/// Types of protocol buffer values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProtobufKind {
    /// As the wire type says: bytes, whatever it is.
    Raw,
    /// `int32`, `int64`, `uint32`, `uint64`, `enum`.
    Varint,
    /// `sint32`, `sint64`: zigzag.
    Zigzag,
    /// `bool`.
    Bool,
    /// `fixed32`, `sfixed32`.
    Fixed32 {
        /// Two's complement.
        signed: bool,
    },
    /// `fixed64`, `sfixed64`.
    Fixed64,
    /// `float`.
    Float,
    /// `double`.
    Double,
    /// `string`, `bytes`, embedded messages.
    Bytes,
}

/// Control packets of MQTT that can be looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MqttPacket {
    /// `connect`.
    Connect,
    /// `connack`.
    Connack,
}

/// Fields of MQTT packets: of the variable header, properties (by their identifier), of the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MqttField {
    /// `flags`.
    Flags,
    /// `protocol_name`.
    ProtocolName,
    /// `protocol_version`.
    ProtocolVersion,
    /// `keepalive`.
    KeepAlive,
    /// `client_identifier`.
    ClientIdentifier,
    /// `will_topic`.
    WillTopic,
    /// `will_payload`.
    WillPayload,
    /// `username`.
    Username,
    /// `password`.
    Password,
    /// `reason_code`.
    ReasonCode,
    /// A property of the header.
    Property(u8),
    /// A property of the will.
    WillProperty(u8),
}

/// Arguments of the AES converters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aes {
    /// Galois/counter mode; else cipher block chaining with PKCS#7 padding.
    pub gcm: bool,
    /// Decrypt.
    pub decrypt: bool,
    /// 128, 192 or 256.
    pub bits: u16,
    /// Nonce or initialisation vector, base64.
    pub nonce: Text,
    /// Key, base64.
    pub key: Text,
    /// Where the tag is (decrypting) or goes (encrypting), base64. GCM only.
    pub tag: Option<Text>,
    /// Additional authenticated data, base64. GCM only.
    pub aad: Option<Text>,
}

/// Signature algorithms of JSON web tokens (RFC 7518 section 3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwtAlgorithm {
    /// `HS256` and the like, written or read from a variable.
    Text(Text),
}

/// The key of `jwt_verify`.
#[derive(Clone)]
pub enum JwtKey {
    /// Shared secret, or the path of a public key known since the start, read when evaluated.
    Var(VarName),
    /// Shared secret as written, and the public key if a file of that name could be read.
    Literal(Box<[u8]>, Option<Arc<PublicKey>>),
}

impl std::fmt::Debug for JwtKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Secrets do not belong into dumps.
        match self {
            Self::Var(name) => f.debug_tuple("Var").field(name).finish(),
            Self::Literal(_, key) => f.debug_struct("Literal").field("public", &key.is_some()).finish(),
        }
    }
}

/// A public key, parsed.
#[derive(Clone, Debug)]
pub enum PublicKey {
    /// RS* and PS*.
    Rsa(rsa::RsaPublicKey),
    /// ES256.
    P256(p256::ecdsa::VerifyingKey),
    /// ES384.
    P384(p384::ecdsa::VerifyingKey),
    /// ES512.
    P521(p521::ecdsa::VerifyingKey),
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

/// Fields that can be taken out of a captured packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PacketField {
    /// `eth.data`.
    EthData,
    /// `eth.dst`.
    EthDst,
    /// `eth.hdr`.
    EthHdr,
    /// `eth.proto`.
    EthProto,
    /// `eth.src`.
    EthSrc,
    /// `eth.vlan`.
    EthVlan,
    /// `ip.data`.
    IpData,
    /// `ip.df`.
    IpDf,
    /// `ip.dst`.
    IpDst,
    /// `ip.hdr`.
    IpHdr,
    /// `ip.proto`.
    IpProto,
    /// `ip.src`.
    IpSrc,
    /// `ip.tos`.
    IpTos,
    /// `ip.ttl`.
    IpTtl,
    /// `ip.ver`.
    IpVer,
    /// `tcp.dst`.
    TcpDst,
    /// `tcp.flags`.
    TcpFlags,
    /// `tcp.options.mss`.
    TcpMss,
    /// `tcp.options.sack`.
    TcpSack,
    /// `tcp.options.tsopt`.
    TcpTsOpt,
    /// `tcp.options.tsval`.
    TcpTsVal,
    /// `tcp.options.wscale`.
    TcpWscale,
    /// `tcp.options.wsopt`.
    TcpWsOpt,
    /// `tcp.options_list`.
    TcpOptions,
    /// `tcp.seq`.
    TcpSeq,
    /// `tcp.src`.
    TcpSrc,
    /// `tcp.win`.
    TcpWin,
}
