//! Variables that a configuration finds set: the default log formats, to be extended, and the branch.

/// Name and value.
const VARIABLES: &[(&str, &str)] = &[
    ("HAPROXY_BRANCH", "3.4"),
    ("HAPROXY_STARTUP_VERSION", super::VERSION),
    (
        "HAPROXY_HTTP_LOG_FMT",
        "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs \
         %{+Q}r",
    ),
    (
        "HAPROXY_HTTPS_LOG_FMT",
        "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs \
         %{+Q}r %[fc_err]/%[ssl_fc_err,hex]/%[ssl_c_err]/%[ssl_c_ca_err]/%[ssl_fc_is_resumed] \
         %[ssl_fc_sni]/%sslv/%sslc",
    ),
    (
        "HAPROXY_HTTP_CLF_LOG_FMT",
        "%{+Q}o %{-Q}ci - - [%trg] %r %ST %B \"\" \"\" %cp %ms %ft %b %s %TR %Tw %Tc %Tr %Ta %tsc %ac %fc %bc \
         %sc %rc %sq %bq %CC %CS %hrl %hsl",
    ),
    ("HAPROXY_TCP_LOG_FMT", "%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq"),
    (
        "HAPROXY_TCP_CLF_LOG_FMT",
        "%{+Q}o %{-Q}ci - - [%T] \"TCP \" 000 %B \"\" \"\" %cp %ms %ft %b %s %Th %Tw %Tc %Tt %U %ts-- %ac %fc %bc %sc %rc \
         %sq %bq \"\" \"\" ",
    ),
    ("HAPROXY_KEYLOG_FC_LOG_FMT", KEYLOG_FC),
    ("HAPROXY_KEYLOG_BC_LOG_FMT", KEYLOG_BC),
];

/// Secrets of a client's TLS session, one line each as key log files have them.
const KEYLOG_FC: &str = "CLIENT_RANDOM %[ssl_fc_client_random,hex] %[ssl_fc_session_key,hex]\n\
                         CLIENT_EARLY_TRAFFIC_SECRET %[ssl_fc_client_random,hex] %[ssl_fc_client_early_traffic_secret]\n\
                         CLIENT_HANDSHAKE_TRAFFIC_SECRET %[ssl_fc_client_random,hex] \
                         %[ssl_fc_client_handshake_traffic_secret]\n\
                         SERVER_HANDSHAKE_TRAFFIC_SECRET %[ssl_fc_client_random,hex] \
                         %[ssl_fc_server_handshake_traffic_secret]\n\
                         CLIENT_TRAFFIC_SECRET_0 %[ssl_fc_client_random,hex] %[ssl_fc_client_traffic_secret_0]\n\
                         SERVER_TRAFFIC_SECRET_0 %[ssl_fc_client_random,hex] %[ssl_fc_server_traffic_secret_0]\n\
                         EXPORTER_SECRET %[ssl_fc_client_random,hex] %[ssl_fc_exporter_secret]\n\
                         EARLY_EXPORTER_SECRET %[ssl_fc_client_random,hex] %[ssl_fc_early_exporter_secret]";

/// And of the session with a server.
const KEYLOG_BC: &str = "CLIENT_RANDOM %[ssl_bc_client_random,hex] %[ssl_bc_session_key,hex]";

/// The value of one of them.
pub(super) fn get(name: &str) -> Option<String> {
    let known = VARIABLES.iter().find(|(known, _)| *known == name)?;
    Some(known.1.to_owned())
}
