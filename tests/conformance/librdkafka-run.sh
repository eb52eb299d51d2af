#!/bin/bash
# librdkafka-run.sh TESTS_DIR BROKER OUT [runner flags...]: runs every test of ONLY (4-digit numbers; default: all that need a broker), one
# process and one time limit each, JOBS at a time, and writes OUT: name<TAB>pass|fail|skip<TAB>seconds. Logs beside OUT in OUT.logs/.
# NUMBER/SUBTEST in ONLY runs just that subtest (a part of its function's name), under the name of the test with /SUBTEST behind it; it must have run.
# A number that fails is run once more at the end, alone, unless RETRY is set and empty.
# environment: ONLY, JOBS (2), LIMIT seconds (700), WRAP (a command put before each run), VERSION (4.3.1), KAFKA_PATH, TEST_CONSUMER_GROUP_PROTOCOL,
# CONF (more lines of test.conf), RETRY
set -e
[ $# -ge 3 ] || { sed -n 2,8p "$0" >&2; exit 2; }
dir=$(readlink -f "$1"); broker=$2; out=$(readlink -f "$3"); shift 3
logs=$out.logs; mkdir -p "$logs"; rm -f "$logs"/*
printf 'metadata.broker.list=%s\ntest.timeout.multiplier=2\n%s\n' "$broker" "$CONF" > "$logs/test.conf"
export BROKERS=$broker RDKAFKA_TEST_CONF=$logs/test.conf TEST_KAFKA_VERSION=${VERSION:-4.3.1} TEST_LEVEL=2
export LD_LIBRARY_PATH=$dir/../src:$dir/../src-cpp
# numbers of the tests without TEST_F_LOCAL and TEST_F_MANUAL, from the table in test.c
if [ -z "$ONLY" ]; then
  ONLY=$(sed -n '/^struct test tests\[\]/,/^};/p' "$dir/test.c" | tr -d '\n' | sed 's/_TEST(/\n&/g' |
         grep '^_TEST' | grep -v 'TEST_F_LOCAL\|TEST_F_MANUAL' | grep -o '^_TEST([0-9]*' | grep -o '[0-9]*' | sort -u | tr '\n' ' ')
fi
one() {
  id=${1/\//.}; n=${1%%/*}; sub=''; [ "$1" = "$n" ] || sub=${1#*/}; shift; log=$logs/$id.log; cd "$dir"
  [ -z "$sub" ] || export SUBTESTS=$sub
  TESTS=$n $WRAP timeout -k 10 "${LIMIT:-700}" stdbuf -oL ./test-runner -p1 -L "$@" > "$log" 2>&1 < /dev/null; rc=$?
  # Without a subtest that ran to its end, nothing was shown.
  [ -z "$sub" ] || grep -aq "\[ [^ ]*$sub[^]]*: PASS (" "$log" || rc=1 ran=no
  sed 's/\x1b\[[0-9;]*m//g' "$log" | awk -F'|' -v n="$n" -v rc=$rc -v sub_="${sub:+/$sub}" -v ran="${ran:-yes}" '
    $2 ~ /^ *[0-9][0-9][0-9][0-9]_/ && $3 ~ /PASSED|FAILED|SKIPPED|RUNNING/ {
      name=$2; st=$3; s=$4; gsub(/ /,"",name); gsub(/ /,"",st); gsub(/[s ]/,"",s); if (ran=="no") st="FAILED"
      if (sub_ != "" && st=="SKIPPED") next
      seen[name sub_]=(st=="PASSED"?"pass":st=="SKIPPED"?"skip":"fail") "\t" sprintf("%.1f",s) }
    END { c=0; for (k in seen) { print k "\t" seen[k]; c++ }
          if (!c) print n sub_ "\t" (rc==124||rc==137 ? "fail" : rc==0 ? "skip" : "fail") "\t" (rc==124||rc==137 ? "timeout" : "0.0") }' > "$logs/$id.tsv"
}
export -f one; export logs dir LIMIT WRAP
echo $ONLY | tr ' ' '\n' | xargs -P "${JOBS:-2}" -I{} bash -c 'one "$@"' _ {} "$@"
[ -z "${RETRY-1}" ] || for n in $(grep -l '\sfail\s' "$logs"/*.tsv | xargs -rn1 basename | sed 's/\.tsv//'); do
  cp "$logs/$n.log" "$logs/$n.first"; one "${n/.//}" "$@"
done
# the tests that run without a broker (-L left them out) are not part of the list
sed -n '/^struct test tests\[\]/,/^};/p' "$dir/test.c" | tr -d '\n' | sed 's/_TEST(/\n&/g' | grep 'TEST_F_LOCAL\|TEST_F_MANUAL' |
  grep -o '^_TEST([0-9a-z_]*' | sed 's/_TEST(//' > "$logs/local"
cat "$logs"/*.tsv | sort | awk -F'\t' 'NR==FNR{l[$1];next} !($1 in l)' "$logs/local" - > "$out"
cut -f2 "$out" | sort | uniq -c
