#!/bin/bash
# Tandem beside HAProxy, and nginx where it can do the same: CPU per request, p99, what a second thread adds, idle
# connections, slow clients, maps. Every figure is made in turns with its peers, and is the median of PAIRS of them; only the
# ratios say something on a machine that does other work too.
# usage: [SECS=3] [PAIRS=3] [TANDEM=program] [REF_HAPROXY=haproxy] benches/compare.sh [PART...]
# Parts: the scenarios below, p99, threads, idle, slow, map. Needs haproxy, nginx, wrk, python3.
set -eu
secs=${SECS:-3} pairs=${PAIRS:-3}
scenarios=(small logged kb16 mb1 close tcp tcpbulk chain)
parts=("$@"); [ $# -gt 0 ] || parts=("${scenarios[@]}" p99 threads idle slow map)
. "$(dirname "$0")/preamble.sh" nginx wrk python3
# Ports from base: 0-2: servers, 9: log; 10, 30, 50, 70: tandem, haproxy, nginx, tandem or haproxy with two threads
mkdir "$dir/f"; head -c 16384 /dev/urandom > "$dir/f/16k"; head -c 1048576 /dev/urandom > "$dir/f/1m"; truncate -s 100M "$dir/f/100m"; chmod -R a+rX "$dir"

hosts() { for i in $(seq 500); do printf "$1" "$i" "$i"; done; }
config() { # first port, threads
    cat << C
global
  maxconn 8000
  nbthread $2
  log 127.0.0.1:$((base + 9)) local0
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend small
  bind 127.0.0.1:$1
  default_backend be
frontend logged
  bind 127.0.0.1:$(($1 + 1))
  log global
  option httplog
  option forwardfor
  acl api path_beg /api/
  acl static path_end .css .js .png .jpg .svg
  acl host hdr(host) -i www.example.com
  acl internal src 10.0.0.0/8 192.168.0.0/16
  http-request set-header X-Forwarded-Proto http
  http-request deny if internal api
  http-response set-header X-Frame-Options DENY
  use_backend be2 if api or static
  use_backend be2 if host
  default_backend be
frontend close
  bind 127.0.0.1:$(($1 + 2))
  option http-server-close
  default_backend be
listen tcp
  mode tcp
  bind 127.0.0.1:$(($1 + 3))
  server s1 127.0.0.1:$base
frontend chain
  bind 127.0.0.1:$(($1 + 4))
$(hosts '  acl h%d hdr(host) -i host%d.example.com\n')
$(for i in $(seq 500); do echo "  use_backend be2 if h$i"; done)
  default_backend be
frontend buffered
  bind 127.0.0.1:$(($1 + 5))
  option http-buffer-request
  default_backend be
frontend awaited
  bind 127.0.0.1:$(($1 + 6))
  http-request wait-for-body time 60s
  default_backend be
backend be
  balance roundrobin
  server s1 127.0.0.1:$base
  server s2 127.0.0.1:$((base + 1))
  server s3 127.0.0.1:$((base + 2))
backend be2
  balance leastconn
  server s1 127.0.0.1:$base
  server s2 127.0.0.1:$((base + 1))
C
}
cat > "$dir/origin.conf" << N
worker_processes 1; pid $dir/origin.pid; error_log $dir/origin.err; daemon on;
events { worker_connections 8000; }
http { access_log off; keepalive_requests 100000000; keepalive_timeout 600s; default_type text/plain;
  server { listen 127.0.0.1:$base backlog=4096; listen 127.0.0.1:$((base + 1)) backlog=4096;
    listen 127.0.0.1:$((base + 2)) backlog=4096;
    location = / { return 200 "one hundred bytes of body -------------------------------------------------------------------------\n"; }
    location /f/ { root $dir; } } }
N
p=$((base + 50)) servers="server 127.0.0.1:$base; server 127.0.0.1:$((base + 1)); server 127.0.0.1:$((base + 2));"
reuse='proxy_http_version 1.1; proxy_set_header Connection "";'
cat > "$dir/nginx.conf" << N
worker_processes 1; pid $dir/nginx.pid; error_log $dir/nginx.err; daemon on;
events { worker_connections 8000; }
http { access_log off; keepalive_requests 100000000; keepalive_timeout 600s; server_names_hash_bucket_size 64;
  upstream be { $servers keepalive 256; keepalive_requests 100000000; }
  upstream plain { $servers }
  server { listen 127.0.0.1:$p backlog=4096; location / { proxy_pass http://be; $reuse } }
  server { listen 127.0.0.1:$((p + 1)) backlog=4096; access_log syslog:server=127.0.0.1:$((base + 9)) combined;
    location ~ ^/api/|\\.(css|js|png|jpg|svg)\$ { proxy_pass http://be; $reuse }
    location / { proxy_pass http://be; $reuse proxy_set_header X-Forwarded-Proto http;
      proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for; add_header X-Frame-Options DENY; } }
  server { listen 127.0.0.1:$((p + 2)) backlog=4096; location / { proxy_pass http://plain; proxy_http_version 1.1; } }
  $(for i in $(seq 500); do echo "server { listen 127.0.0.1:$((p + 4)); server_name host$i.example.com; location / { proxy_pass http://be; $reuse } }"; done)
  server { listen 127.0.0.1:$((p + 4)) default_server; location / { proxy_pass http://be; $reuse } } }
N
python3 - $((base + 9)) << 'P' & echo $! > "$dir/log.pid"
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", int(sys.argv[1])))
while True: s.recv(65535)
P
disown
start() { # program, config, name, port
    "$1" -db -f "$2" > "$dir/$3.log" 2>&1 & echo $! > "$dir/$3.pid"; disown
    answers "$4" || { echo "compare.sh: $3 does not answer"; tail -3 "$dir/$3.log"; exit 2; }
}
answers() { for _ in $(seq 100); do (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null && return; sleep 0.1; done; return 1; }
stop() { local pid; pid=$(cat "$dir/$1.pid"); kill "$pid"; while kill -0 "$pid" 2> /dev/null; do sleep 0.05; done; rm "$dir/$1.pid"; }
nginx -c "$dir/origin.conf" 2> /dev/null; nginx -c "$dir/nginx.conf" 2> /dev/null
answers "$base"; answers "$p"
config $((base + 10)) 1 > "$dir/ours.cfg"; config $((base + 30)) 1 > "$dir/ref.cfg"; config $((base + 70)) 2 > "$dir/two.cfg"
start "$ours" "$dir/ours.cfg" ours $((base + 10)); start "$ref" "$dir/ref.cfg" ref $((base + 30))

# nginx works in a child.
ticks() { local pid; pid=$(cat "$dir/$1.pid"); cat "/proc/$pid/stat" $(pgrep -P "$pid" | sed 's|.*|/proc/&/stat|') | awk '{n += $14 + $15} END {print n}'; }
load() { # name, port, scenario -> "us of CPU per request, p99 in us"
    local offset path=/ connections=64 before header=X:1 script=()
    case $3 in small | p99) offset=0 ;; p99calm) offset=0 script=(-s "$dir/calm.lua") ;; logged) offset=1 ;; kb16) offset=0 path=/f/16k ;; mb1) offset=0 path=/f/1m connections=16 ;;
        close) offset=2 header='Connection: close' ;; tcp) offset=3 ;; tcpbulk) offset=3 path=/f/1m connections=16 ;; chain) offset=4 ;; esac
    before=$(ticks "$1")
    wrk -t1 -c$connections -d"${secs}s" --latency "${script[@]}" -H "$header" "http://127.0.0.1:$(($2 + offset))$path" > "$dir/wrk" 2>&1
    awk -v t=$(($(ticks "$1") - before)) '/99%/ {f = $2 ~ /us$/ ? 1 : $2 ~ /ms$/ ? 1000 : 1000000; p = $2 * f} /requests in/ {n = $1} /Non-2xx/ {n = 0}
        END {if (n > 0) printf "%.2f %d\n", t * 10000 / n, p; else print "0 0"}' "$dir/wrk"
}
# The slowest hundredth of one run may take three times as long as that of the next: p99 needs more of them, and is compared
# by the medians and not pair by pair.
table() { # scenario, column (1: CPU, 2: p99) -> a line of medians
    for _ in $(seq $(($2 == 2 ? pairs * 3 : pairs))); do
        echo "$(load ours $((base + 10)) "$1" | cut -d' ' -f"$2") $(load ref $((base + 30)) "$1" | cut -d' ' -f"$2") $(
            case $1 in tcp*) echo 0 ;; *) load nginx "$p" "$1" | cut -d' ' -f"$2" ;; esac)"
    done | python3 -c '
import statistics, sys
rows = [tuple(map(float, line.split())) for line in sys.stdin]
if any(a == 0 or b == 0 for a, b, _ in rows): print(f"{sys.argv[1]:9} FAILED: a run answered no request"); sys.exit(1)
a, b, c = (statistics.median(column) for column in zip(*rows))
ratio = a / b if sys.argv[2] == "2" else statistics.median(x / y for x, y, _ in rows)
print(f"{sys.argv[1]:9} {a:10.1f} {b:10.1f} {c if c else chr(45):>10} {ratio:8.2f}")' "$1" "$2"
}
failed=0
heading() { printf '%-9s %10s %10s %10s %8s\n' "$1" Tandem HAProxy nginx ratio; }
# A control that paces (bbr) costs more than the bytes do where bodies are long.
echo "congestion control: $(sysctl -n net.ipv4.tcp_congestion_control)"
echo "$(date -u +%F), $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg), $("$ref" -v | head -1 | cut -d' ' -f3), $(nginx -v 2>&1 | cut -d/ -f2)"
heading 'us/req'
for s in "${scenarios[@]}"; do case " ${parts[*]} " in *" $s "*) table "$s" 1 || failed=1 ;; esac; done
# Clients of p99calm wait a millisecond between two requests, so that the proxy is not at its limit.
case " ${parts[*]} " in *" p99 "*)
    echo 'function delay() return 1 end' > "$dir/calm.lua"
    heading us; for s in p99 p99calm; do table $s 2 || failed=1; done ;;
esac

# Twice the threads at the same CPU time per request do twice the work, if they have a core each.
threads() { # name, program
    for _ in $(seq "$pairs"); do
        one=$(load "$1" "$3" small | cut -d' ' -f1)
        start "$2" "$dir/two.cfg" two $((base + 70)); two=$(load two $((base + 70)) small | cut -d' ' -f1); stop two
        echo "$one $two"
    done | awk '{print 2 * $1 / $2}' | sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'
}
case " ${parts[*]} " in *" threads "*)
    printf 'two threads do the work of one times: Tandem %.2f, HAProxy %.2f\n' "$(threads ours "$ours" $((base + 10)))" "$(threads ref "$ref" $((base + 30)))" ;;
esac
held() { # program, script, its arguments
    config $((base + 70)) 1 > "$dir/held.cfg"
    start "$1" "$dir/held.cfg" held $((base + 70)); python3 "$(dirname "$0")/$2" "$(cat "$dir/held.pid")" $((base + 70)) "${@:3}"; stop held
}
case " ${parts[*]} " in *" idle "*) echo "idle connection: Tandem $(held "$ours" idle.py) bytes, HAProxy $(held "$ref" idle.py)" ;; esac
case " ${parts[*]} " in *" slow "*)
    for kind in head buffered awaited unread; do
        echo "slow client ($kind): Tandem $(held "$ours" slow.py $kind) bytes, HAProxy $(held "$ref" slow.py $kind)"
    done ;;
esac

map_bytes() { # program, kind
    local file whole few
    for file in whole few; do
        cat > "$dir/map.cfg" << C
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend f
  bind 127.0.0.1:$((base + 70))
  http-request set-header x %[$([ "$2" = ip ] && echo src || echo 'req.hdr(x)'),map_$2($dir/$2.$file)]
C
        start "$1" "$dir/map.cfg" map $((base + 70)); printf -v "$file" %s "$(awk '/VmRSS/ {print $2}' "/proc/$(cat "$dir/map.pid")/status")"; stop map
    done
    echo $(((whole - few) * 1024 / 100000))
}
case " ${parts[*]} " in *" map "*)
    for kind in str beg end ip; do
        awk -v kind=$kind 'BEGIN {for (i = 0; i < 100000; i++) {
            k = kind == "ip" ? 10 + int(i / 65536) "." int(i / 256) % 256 "." i % 256 ".0/24" : kind == "beg" ? "/app" i % 997 "/section" i "/" : kind == "end" ? ".host" i ".example" i % 977 ".com" : "host" i ".example" i % 977 ".com"
            print k, "be" i % 50}}' > "$dir/$kind.whole"
        head -1 "$dir/$kind.whole" > "$dir/$kind.few"; chmod a+r "$dir/$kind".*
        echo "map_$kind of 100,000: $(map_bytes "$ours" $kind) bytes an entry, HAProxy $(map_bytes "$ref" $kind)"
    done ;;
esac
exit $failed
