#!/bin/bash
# What checks cost, beside HAProxy: CPU of thousands of checked servers, and what traffic beside them feels of it.
# Each program runs alone with the same file, in turns; CPU is that of the process, so other work on the machine counts for
# little; p99 is only worth its ratio.
# usage: [SERVERS=10000] [INTER=2s] [SECS=10] [TANDEM=program] [REF_HAPROXY=haproxy] benches/checks.sh [tcp|http...]
set -eu
servers=${SERVERS:-10000} inter=${INTER:-2s} secs=${SECS:-10}
kinds=("$@"); [ $# -gt 0 ] || kinds=(tcp http)
. "$(dirname "$0")/preamble.sh" nginx wrk
cat > "$dir/nginx.conf" << C
daemon off; worker_processes 1; pid $dir/origin.pid; error_log /dev/null;
events { worker_connections 12000; }
http { access_log off; keepalive_requests 1000000; server { listen 127.0.0.1:$base backlog=16000; location / { return 200 'ok'; } } }
C
nginx -c "$dir/nginx.conf" > /dev/null 2>&1 &

config() { # kind (none: no checks), port
    printf 'global\n  maxconn 4000\n  nbthread 1\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n'
    printf 'frontend traffic\n  bind 127.0.0.1:%s\n  default_backend origin\nbackend origin\n  server o 127.0.0.1:%s\n' "$2" "$base"
    [ "$1" = none ] || for b in $(seq 10); do
        printf 'backend checked%s\n' "$b"
        [ "$1" = tcp ] || printf '  option httpchk GET /\n'
        printf "  server-template s $((servers / 10)) 127.0.0.1:%s check inter %s\n" "$base" "$inter"
    done
}
# Milliseconds of processor time, by the scheduler: ticks would be counted on the grid on which checks start.
cpu() { cat /proc/"$1"/task/*/schedstat | awk '{ns += $1} END {printf "%.0f", ns / 1e6}'; }
# program, kind, port -> "CPU in percent of one core without traffic, p99 in us with it"
measure() {
    config "$2" "$3" > "$dir/$3.cfg"
    "$1" -f "$dir/$3.cfg" > /dev/null 2>&1 &
    local pid=$! before after
    echo $pid > "$dir/$3.pid"
    for _ in $(seq 200); do (exec 3<> "/dev/tcp/127.0.0.1/$3") 2> /dev/null && break; sleep 0.1; done
    sleep 4 # one round of checks, and the noise of the start is over
    before=$(cpu $pid); sleep "$secs"; after=$(cpu $pid)
    wrk -t1 -c16 -d"$((secs / 2))s" --latency "http://127.0.0.1:$3/" > "$dir/wrk"
    awk -v cpu="$(awk -v ms=$((after - before)) -v s="$secs" 'BEGIN { printf "%.1f", ms / 10 / s }')" \
        '$1 == "99%" { v = $2 + 0; if ($2 ~ /ms/) v *= 1000; else if ($2 ~ /[0-9]s/) v *= 1000000; print cpu, v }' "$dir/wrk"
    kill $pid; while kill -0 $pid 2> /dev/null; do sleep 0.1; done
    rm "$dir/$3.pid"
}
printf '%s servers, one check every %s each\n%-6s %14s %14s %8s %12s %12s\n' "$servers" "$inter" checks "Tandem CPU %" "HAProxy CPU %" ratio "Tandem p99" "HAProxy p99"
for kind in none "${kinds[@]}"; do
    read -r cpu1 p1 < <(measure "$ours" "$kind" $((base + 1)))
    read -r cpu2 p2 < <(measure "$ref" "$kind" $((base + 2)))
    printf '%-6s %14s %14s %8s %12s %12s\n' "$kind" "$cpu1" "$cpu2" "$(awk -v a="$cpu1" -v b="$cpu2" 'BEGIN { print b ? sprintf("%.2f", a / b) : "-" }')" "$p1" "$p2"
done
