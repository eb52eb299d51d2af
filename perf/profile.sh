#!/usr/bin/env bash
# Where a running broker's time goes: perf/profile.sh [PID] [SECONDS]. Without PID: the only process named millrace. Prints the functions that take the most
# CPU, system calls' included, and leaves perf.data.PID for `perf report`.
. "$(dirname "$0")/../scripts/lib/common.sh"
need_command perf linux-perf
pid=${1:-$(pgrep -x millrace || true)} seconds=${2:-10}
[[ $pid =~ ^[0-9]+$ ]] || die "name the process: perf/profile.sh PID (found: '${pid:-none}')"
perf record -q -F 499 -g -p "$pid" -o "perf.data.$pid" -- sleep "$seconds"
perf report -i "perf.data.$pid" --stdio --no-children -g none --percent-limit 0.5 2> /dev/null | grep -v '^#' | sed '/^$/d' | head -n 60
