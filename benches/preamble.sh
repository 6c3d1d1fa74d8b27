# Sourced by the scripts beside it. Sets dir (goes with the script, as do the processes that left a *.pid in it), ref (the
# reference's haproxy, REF_HAPROXY), ours (the program to measure, called haproxy: TANDEM, or built here) and base (a first
# port). Arguments: the other programs the script needs.
for tool in "${REF_HAPROXY:-haproxy}" "$@"; do
    command -v "$tool" > /dev/null || { echo "$(basename "$0"): $tool is missing"; exit 2; }
done
ref=$(command -v "${REF_HAPROXY:-haproxy}")
base=$((20000 + $$ % 10000))
dir=$(mktemp -d)
finish() { for p in "$dir"/*.pid; do [ ! -s "$p" ] || kill "$(cat "$p")" 2> /dev/null || true; done; sleep 0.3; rm -rf "$dir"; }
trap finish EXIT
built() (
    cd "$(dirname "$0")/.."
    cargo build --release >&2
    cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1\/release\/tandem/'
)
ours=$dir/haproxy # it takes HAProxy's command line by this name
program=${TANDEM:-$(built)}
cp "$program" "$ours"
