#!/usr/bin/env bash
# Millrace beside a warmed Apache Kafka 4.3.1, in one run on one machine: the broker alone on one core, the load on another, records of 1 KiB.
#
#   perf/compare.sh [--seconds N] [--work NAME]... [--only kafka|millrace] [--broker-cpu N] [--load-cpu N] [--out FILE]
#
# Works: batches (64 records a batch, 4 connections), single (1 record a request, 16 connections), fetch (catch-up from the page cache).
# Each row of FILE (perf/results/DATE-COMMIT.jsonl) is what millrace-bench reports, with commit, machine and command; a table of ratios goes to stdout.
. "$(dirname "$0")/../scripts/lib/common.sh"
. "$repo/scripts/lib/rust.sh"
. "$repo/scripts/lib/kafka.sh"
. "$repo/scripts/lib/broker.sh"

usage() { sed -n '2,/^\. /{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2; }
seconds=20 works=() brokers=(kafka millrace) broker_cpu=0 load_cpu=1 out=''
while [ $# -gt 0 ]; do
  case $1 in
    --seconds) seconds=${2:?}; shift ;;
    --work) works+=("${2:?}"); shift ;;
    --only) brokers=("${2:?}"); shift ;;
    --broker-cpu) broker_cpu=${2:?}; shift ;;
    --load-cpu) load_cpu=${2:?}; shift ;;
    --out) out=${2:?}; shift ;;
    *) usage ;;
  esac
  shift
done
[ ${#works[@]} -gt 0 ] || works=(batches single fetch)
[ "$(nproc)" -ge 2 ] || die "two CPUs are needed: one for the broker, one for the load"
commit=$(cd "$repo" && git describe --always --dirty --abbrev=10)
out=${out:-$repo/perf/results/$(date +%Y-%m-%d)-$commit.jsonl}
mkdir -p "$(dirname "$out")"

need_rust; need_io_uring; kafka_jars; need_command python3 python3
say "building millrace and millrace-bench"
(cd "$repo" && cargo build --quiet --release -p millrace -p millrace-bench --bins)
target=$(target_directory)/release
dir=$(mktemp -d "${TMPDIR:-/tmp}/millrace-compare.XXXXXX")
trap 'kill -KILL $(cat "$dir"/*/pid 2> /dev/null) 2> /dev/null; rm -rf "$dir"' EXIT
port=29092

# load BROKER NAME SECONDS WARMUP ARGUMENT...: runs the load generator on its CPU, and adds the row to OUT, unless NAME is "-".
load() {
  local broker=$1 name=$2 time=$3 warmup=$4 row; shift 4
  row=$("$target/millrace-bench" "$@" --broker 127.0.0.1:$port --cpu "$load_cpu" --pid "$(cat "$dir/$broker/pid")" --seconds "$time" --warmup "$warmup" --name "$broker $name")
  [ "$name" = - ] || python3 - "$out" "$row" "$commit" "$broker" "$name" "$*" << 'PYTHON'
import json, os, platform, sys, time
out, row, commit, broker, work, command = sys.argv[1:]
cpu = next((l.split(':')[1].strip() for l in open('/proc/cpuinfo') if l.startswith('model name')), platform.machine())
about = {'time': time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()), 'commit': commit, 'machine': f'{os.cpu_count()} x {cpu}, Linux {platform.release()}',
         'broker': broker if broker != 'kafka' else 'kafka 4.3.1', 'compared': work, 'command': f'millrace-bench {command}'}
with open(out, 'a') as file:
    file.write(json.dumps(about | json.loads(row)) + '\n')
PYTHON
}

topic() { kafka_tool org.apache.kafka.tools.TopicCommand --bootstrap-server "127.0.0.1:$port" --create --topic "$1" --partitions 8 --replication-factor 1 > /dev/null; }

for broker in "${brokers[@]}"; do
  say "$broker on CPU $broker_cpu, load on CPU $load_cpu"
  case $broker in
    kafka) kafka_start "$dir/kafka" $port 1g "$broker_cpu" ;;
    millrace) taskset -pc "$broker_cpu" $$ > /dev/null; broker_start "$target/millrace" "$dir/millrace" $port millrace.cores=1; taskset -pc "0-$(($(nproc) - 1))" $$ > /dev/null ;;
    *) usage ;;
  esac
  topic warm; topic batches; topic single
  # A virtual machine compiles what it runs often: both kinds of request, for as long as it takes.
  say "warming"
  load "$broker" - 20 1 produce --topic warm --connections 4 --batch-records 64
  load "$broker" - 10 1 produce --topic warm --connections 16 --batch-records 1
  load "$broker" - 10 1 fetch --topic warm --connections 4
  for work in "${works[@]}"; do
    say "$work"
    case $work in
      batches) load "$broker" batches "$seconds" 2 produce --topic batches --connections 4 --batch-records 64 ;;
      single) load "$broker" single "$seconds" 2 produce --topic single --connections 16 --batch-records 1 ;;
      fetch) load "$broker" fetch "$seconds" 2 fetch --topic warm --connections 4 ;;
      *) usage ;;
    esac
  done
  stop_process "$(cat "$dir/$broker/pid")" 30; rm -rf "${dir:?}/$broker"
done

python3 - "$out" "$commit" << 'PYTHON'
import json, sys
rows = {}
for line in open(sys.argv[1]):
    row = json.loads(line)
    if row['commit'] == sys.argv[2]:
        rows[row['compared'], row['broker'].split()[0]] = row  # the latest
print(f"{'work':10}{'broker':10}{'requests/s':>12}{'MB/s':>9}{'CPU s/GB':>10}{'p50 us':>9}{'p99 us':>9}{'MiB':>6}")
for (work, broker), r in sorted(rows.items()):
    print(f"{work:10}{broker:10}{r['requests_per_s']:12.0f}{r['mb_per_s']:9.1f}{r['broker_cpu_s_per_gb']:10.2f}{r['latency_us']['p50']:9.0f}{r['latency_us']['p99']:9.0f}{r['broker_resident_bytes'] / 2**20:6.0f}")
for work in sorted({work for work, _ in rows}):
    k, m = rows.get((work, 'kafka')), rows.get((work, 'millrace'))
    if k and m:
        print(f"{work}: CPU per GB {m['broker_cpu_s_per_gb'] / k['broker_cpu_s_per_gb']:.2f} of Kafka's, requests/s {m['requests_per_s'] / k['requests_per_s']:.2f} times Kafka's")
PYTHON
say "rows: $out"
