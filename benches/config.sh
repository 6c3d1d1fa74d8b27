#!/usr/bin/env bash
# Checks a generated configuration of 40,000 lines and 5,000 backends with this program and with haproxy, in turns:
# [ROUNDS=5] [TANDEM=program] [REF_HAPROXY=haproxy] benches/config.sh. Prints CPU seconds and the largest memory of each,
# the least of all rounds.
set -euo pipefail
rounds=${ROUNDS:-5}
. "$(dirname "$0")/preamble.sh" /usr/bin/time awk
awk 'BEGIN {
  print "global\n    maxconn 10000\ndefaults\n    mode http\n    timeout client 30s\n    timeout server 30s"
  print "    timeout connect 5s\n    balance roundrobin\n\nfrontend www\n    bind 127.0.0.1:18080"
  for (n = 0; n < 5000; n++) printf "    acl h%d hdr(host) -i site%d.example.com\n    use_backend b%d if h%d\n", n, n, n, n
  for (n = 0; n < 5000; n++) {
    net = "10." int(n / 250) "." n % 250
    printf "\nbackend b%d\n    option httpchk GET /health\n", n
    printf "    server s1 %s.1:8080 check inter 2s rise 2 fall 3\n", net
    printf "    server s2 %s.2:8080 check inter 2s rise 2 fall 3 weight 50\n", net
    print "    cookie SRV insert indirect nocache"
  }
}' >"$dir/big.cfg"
least() { # PROGRAM
  for _ in $(seq "$rounds"); do
    /usr/bin/time -f '%U %S %M' "$1" -c -q -f "$dir/big.cfg" 2>&1 >/dev/null | tail -n 1
  done | awk '{ t = $1 + $2; if (NR == 1 || t < cpu) cpu = t; if (NR == 1 || $3 < mem) mem = $3 } END { printf "%.2f s, %.0f MB\n", cpu, mem / 1024 }'
}
wc -l <"$dir/big.cfg" | sed 's/$/ lines/'
printf 'haproxy: '; least "$ref"
printf 'tandem:  '; least "$ours"
