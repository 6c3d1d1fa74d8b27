#!/usr/bin/env bash
# Runs HAProxy's regression tests with this program in HAProxy's place, and compares with the lists beside this file.
#
#   tests/regtests/run.sh HAPROXY_CHECKOUT VTEST [LIST...]
#
# HAPROXY_CHECKOUT  a checkout of HAProxy's repository; its reg-tests are run where they are, nothing of them is copied
# VTEST             the program `vtest` of VTest2
# LIST              lists to go through, such as engine (default: every *.tsv beside this file)
#
# Environment: PROGRAM (default: target/debug/tandem), JOBS (default: 4), KEEP=1 leaves the logs of failures.
# A list has three columns separated by tabs: the test below reg-tests/, `pass`, `fail` or `out`, and the reason.
# `out` is outside: the test needs something that is not built in (TLS, HTTP/2, tables, Lua...); it is not run.
# Exit code 1: a test listed as `pass` did not pass, or one listed as `fail` did.
set -euo pipefail

usage() { sed -n '2,13s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ $# -ge 2 ] || usage
here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$1" && pwd)
vtest=$(realpath "$2")
shift 2
lists=()
for name in "$@"; do lists+=("$here/$name.tsv"); done
[ ${#lists[@]} -gt 0 ] || lists=("$here"/*.tsv)

program=$(realpath "${PROGRAM:-${CARGO_TARGET_DIR:-$here/../../target}/debug/tandem}")
work=$(mktemp -d)
trap '[ -n "${KEEP:-}" ] || rm -rf "$work"' EXIT
# The name a program is called by decides which command line it has.
ln -s "$program" "$work/haproxy"
export HAPROXY_PROGRAM="$work/haproxy" HAPROXY_ARGS="${HAPROXY_ARGS--dM -dI -dW}" TMPDIR="$work"

mapfile -t tests < <(awk -F'\t' '!/^#/ && ($2 == "pass" || $2 == "fail") { print $1 }' "${lists[@]}")
cd "$checkout"
"$vtest" -b 2097152 -k -t "${VTEST_TIMEOUT:-20}" -L -j "${JOBS:-4}" "${tests[@]/#/reg-tests/}" >"$work/log" 2>&1 || true
# Lines such as: #    top  TEST reg-tests/balance/balance-rr.vtc passed (0.123)
sed -n 's,^#  *top  TEST reg-tests/\([^ ]*\) \([A-Za-z]*\).*,\1\t\2,p' "$work/log" >"$work/results"

awk -F'\t' -v OFS='\t' '
    FILENAME == ARGV[1] { if ($2 != "passed" || !($1 in got)) got[$1] = $2; next }
    /^#/ || NF < 2 { next }
    $2 == "out" { out++; next }
    {
        ran++
        now = got[$1] == "passed" ? "pass" : "fail"
        if (now == "pass") passed++
        if (now != $2) { surprises++; print "listed " $2 ", now " now ": " $1 (got[$1] == "skipped" ? " (skipped)" : "") }
    }
    END {
        printf "%d of %d pass; %d need what is not built in; %d differ from the list\n", passed, ran, out, surprises
        exit surprises > 0
    }
' "$work/results" "${lists[@]}"
