//! Fields of other protocols: `Forwarded` headers, protocol buffers, MQTT, packet headers.

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
    /// `ip.fp(MODE)`: what tells hosts behind one address apart. Bits: 1 appends the TTL, 2 the kinds of TCP options, 4 the
    /// source address.
    IpFingerprint(u8),
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
