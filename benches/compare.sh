#!/bin/bash
# CPU per request of Tandem beside HAProxy: one thread each, the same configuration, runs interleaved.
# Needs haproxy, nginx and wrk. usage: benches/compare.sh [path of tandem's haproxy link]
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
ours=${1:-}
ref=${REF_HAPROXY:-haproxy}
secs=${SECS:-3}
for tool in "$ref" nginx wrk; do command -v "$tool" > /dev/null || { echo "compare.sh: $tool is missing"; exit 2; }; done
dir=$(mktemp -d)
trap 'for p in "$dir"/*.pid; do [ -s "$p" ] && kill "$(cat "$p")" 2> /dev/null || true; done; sleep 0.3; rm -rf "$dir"' EXIT
if [ -z "$ours" ]; then
    (cd "$here" && cargo build --release)
    target=$(cd "$here" && cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
    ln -s "$target/release/tandem" "$dir/haproxy"
    ours=$dir/haproxy
fi
base=$((20000 + $$ % 20000))
origin=$base
mkdir "$dir/f"; head -c 16384 /dev/urandom > "$dir/f/16k"; head -c 1048576 /dev/urandom > "$dir/f/1m"; chmod -R a+rX "$dir"
cat > "$dir/nginx.conf" << N
worker_processes 1; pid $dir/nginx.pid; error_log $dir/nginx.err; daemon on;
events { worker_connections 4096; }
http { access_log off; keepalive_requests 100000000; default_type text/plain;
  server { listen 127.0.0.1:$origin backlog=4096;
    location = / { return 200 "one hundred bytes of body -------------------------------------------------------------------------\n"; }
    location /f/ { root $dir; } } }
N
nginx -c "$dir/nginx.conf" 2> /dev/null
config() { # first port
    cat << C
global
  maxconn 4000
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend small
  bind 127.0.0.1:$1
  default_backend be
frontend rules
  bind 127.0.0.1:$(($1 + 1))
  option forwardfor
  acl api path_beg /api/
  acl static path_end .css .js .png
  acl host hdr(host) -i www.example.com
  http-request set-header X-Forwarded-Proto http
  http-response set-header X-Frame-Options DENY
  use_backend be if api or static
  use_backend be if host
  default_backend be
listen tcp
  mode tcp
  bind 127.0.0.1:$(($1 + 2))
  server s1 127.0.0.1:$origin
backend be
  server s1 127.0.0.1:$origin
C
}
config $((base + 10)) > "$dir/ours.cfg"; config $((base + 20)) > "$dir/ref.cfg"
"$ours" -db -f "$dir/ours.cfg" > "$dir/ours.log" 2>&1 & echo $! > "$dir/ours.pid"
"$ref" -db -f "$dir/ref.cfg" > "$dir/ref.log" 2>&1 & echo $! > "$dir/ref.pid"
for i in 10 20; do
    for _ in $(seq 100); do (exec 3<> /dev/tcp/127.0.0.1/$((base + i))) 2> /dev/null && break; sleep 0.1; done
done
ticks() { awk '{print $14 + $15}' "/proc/$1/stat"; }
one() { # ours|ref, first port, port offset, path, connections -> microseconds per request
    local pid before after n
    pid=$(cat "$dir/$1.pid"); before=$(ticks "$pid")
    n=$(wrk -t1 -c"$5" -d"${secs}s" "http://127.0.0.1:$(($2 + $3))$4" | awk '/requests in/{print $1}')
    after=$(ticks "$pid")
    awk -v t=$((after - before)) -v n="${n:-0}" 'BEGIN{ if (n > 0) printf "%.2f\n", t * 10000 / n; else print 0 }'
}
printf '%-10s %12s %12s %8s\n' scenario 'tandem us' 'haproxy us' ratio
while read -r name offset path connections; do
    for _ in 1 2 3; do
        echo "$(one ours $((base + 10)) "$offset" "$path" "$connections") $(one ref $((base + 20)) "$offset" "$path" "$connections")"
    done | sort -n | awk -v name="$name" 'NR == 2 { printf "%-10s %12s %12s %8.2f\n", name, $1, $2, ($2 > 0 ? $1 / $2 : 0) }'
done << S
small 0 / 64
rules 1 / 64
kb16 0 /f/16k 64
mb1 0 /f/1m 16
tcp 2 / 64
tcpbulk 2 /f/1m 16
S
