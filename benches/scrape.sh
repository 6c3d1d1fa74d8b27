#!/bin/bash
# What a scrape costs, beside HAProxy: thousands of servers' metrics, and what traffic feels of it.
# Each program runs alone with the same file, in turns. Traffic is answered by the proxy itself and its p99 is taken
# twice: alone, and while the metrics are read once a second.
# usage: [SERVERS=2000] [SECS=6] [TANDEM=program] [REF_HAPROXY=haproxy] benches/scrape.sh
set -eu
servers=${SERVERS:-2000} secs=${SECS:-6}
. "$(dirname "$0")/preamble.sh" wrk curl
config() { # port of traffic; the one behind it is that of metrics
    printf 'global\n  maxconn 4000\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n'
    printf 'frontend traffic\n  bind 127.0.0.1:%s\n  http-request return status 200\n' "$1"
    printf 'frontend metrics\n  bind 127.0.0.1:%s\n  http-request use-service prometheus-exporter\n' $(($1 + 1))
    for b in $(seq 20); do printf 'backend b%s\n  server-template s %s 127.0.0.1:%s\n' "$b" $((servers / 20)) "$base"; done
}
p99() { # port -> microseconds
    wrk -t1 -c16 -d"${secs}s" --latency "http://127.0.0.1:$1/" |
        awk '$1 == "99%" { v = $2 + 0; if ($2 ~ /ms/) v *= 1000; else if ($2 ~ /[0-9]s/) v *= 1000000; print v }'
}
cpu() { cat /proc/"$1"/task/*/schedstat | awk '{ns += $1} END {printf "%.0f", ns / 1e6}'; }
printf '%s servers, read once a second beside traffic\n%-8s %12s %12s %12s %12s %12s\n' "$servers" program "scrape ms" "CPU ms" MB "p99 us" "p99 beside"
for program in "$ours" "$ref"; do
    port=$((base + 2)); base=$((base + 4))
    config $port > "$dir/$port.cfg"
    "$program" -f "$dir/$port.cfg" > /dev/null 2>&1 &
    pid=$!; echo $pid > "$dir/$port.pid"
    for _ in $(seq 100); do (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null && break; sleep 0.1; done
    url="http://127.0.0.1:$((port + 1))/metrics"
    curl -s -o /dev/null "$url"
    before=$(cpu $pid)
    for _ in $(seq 10); do curl -s -o /dev/null -w '%{time_total} %{size_download}\n' "$url"; done > "$dir/scrapes"
    used=$(awk -v ms=$(($(cpu $pid) - before)) 'BEGIN { printf "%.1f", ms / 10 }')
    took=$(sort -n "$dir/scrapes" | awk 'NR == 5 { printf "%.1f", $1 * 1000 }')
    size=$(awk 'NR == 1 { printf "%.1f", $2 / 1e6 }' "$dir/scrapes")
    alone=$(p99 $port)
    (while :; do curl -s -o /dev/null "$url"; sleep 1; done) & scraper=$!
    beside=$(p99 $port)
    kill $scraper; wait $scraper 2> /dev/null || true
    printf '%-8s %12s %12s %12s %12s %12s\n' "$([ "$program" = "$ours" ] && echo Tandem || echo HAProxy)" "$took" "$used" "$size" "$alone" "$beside"
    kill $pid; while kill -0 $pid 2> /dev/null; do sleep 0.1; done; rm "$dir/$port.pid"
done
