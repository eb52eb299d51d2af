#!/usr/bin/env bash
# Gigabytes through real clients and back: every record, in order, once. And the same while the broker is killed with kill -9 and started again.
# BULK_MB: how much the fast clients write (1024). The crashing checks need a broker that scripts/conformance started itself.
. "$(dirname "$0")/../../../scripts/lib/suite.sh"
. "$(dirname "$0")/../../../scripts/lib/broker.sh"
place=$cache/bulk-1
kafka_python=$cache/kafka-python-3.0.12

build() {
  need_debian kcat bc
  kafka_jars
  need_go 1.25
  "$conformance/suites/kafka-python.sh" build
  # Built anew when its source has changed.
  cmp -s "$conformance/bulk/main.go" "$place/main.go" || rm -rf "$place"
  whole "$place" bulk_build
}

bulk_build() {
  local log=$cache/logs/bulk.log
  cp "$conformance/bulk/main.go" .
  quietly "$log" go mod init bulk
  quietly "$log" go get github.com/twmb/franz-go/pkg/kgo@v1.22.2
  quietly "$log" go mod tidy
  quietly "$log" go build -p "$jobs" -o bulk .
}

# The second: a Kafka that was killed may not come back before its controller has given up on the one before.
settings() {
  echo num.partitions=1
  echo broker.session.timeout.ms=9000
}

mb=${BULK_MB:-1024}
padding=$(printf '%01013d' 0)

# lines FROM TO: numbered lines of 1 KiB, newline included
lines() { seq -f '%010.0f' "$1" "$2" | sed "s/\$/$padding/"; }
topic() { kafka_tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$BROKER" --create --partitions 1 --replication-factor 1 --topic "$1"; }
produce() { timeout 400 kcat -E -b "$BROKER" -P -p 0 -X enable.idempotence=true -X linger.ms=5 -X queue.buffering.max.messages=50000 -X message.timeout.ms=200000 -t "$@"; }
consume() { timeout 400 kcat -b "$BROKER" -C -p 0 -o beginning -e -q -t "$@"; }
back() { cmp <(lines 1 "$2") <(consume "$1"); } # TOPIC COUNT: exactly these lines
crash() { broker_crash "${BROKER_DIR:?these checks need a broker that scripts/conformance started}"; }

kcat_plain() { topic "$t"; lines 1 $((mb * 1024)) | produce "$t"; back "$t" $((mb * 1024)); }
kcat_lz4() { topic "$t"; lines 1 $((mb * 1024)) | produce "$t" -z lz4; back "$t" $((mb * 1024)); }
kcat_zstd_batches() { topic "$t"; lines 1 $((mb * 256)) | produce "$t" -z zstd -X linger.ms=100 -X batch.size=900000; back "$t" $((mb * 256)); }
java_console() {
  local n=$((mb * 256)) tool=org.apache.kafka.tools
  topic "$t"
  lines 1 $n | kafka_tool $tool.ConsoleProducer --bootstrap-server "$BROKER" --topic "$t"
  cmp <(lines 1 $n) <(kafka_tool $tool.consumer.ConsoleConsumer --bootstrap-server "$BROKER" --topic "$t" --partition 0 --offset earliest --max-messages $n --timeout-ms 60000 2> /dev/null)
}
java_perf() { topic "$t"; java_perf_of $((mb * 1024)) -1; }
java_perf_of() { # RECORDS PER_SECOND: all there, by count
  kafka_tool org.apache.kafka.tools.ProducerPerformance --topic "$t" --num-records "$1" --record-size 1023 --throughput "$2" --bootstrap-server "$BROKER" --command-property acks=all | tee perf.log | tail -n 1
  grep -q "^$1 records sent.* 99.9th" perf.log
  [ "$(consume "$t" | wc -l)" = "$1" ]
}
franz_go() { "$place/bulk" "$BROKER" "$t" $((mb * 1024)) 1024; }
kafka_python() { topic "$t"; PYTHONPATH=$kafka_python/source timeout 500 "$kafka_python/venv/bin/python" "$conformance/bulk/bulk.py" "$BROKER" "$t" $((mb * 64)) 1024; }

crash_kcat() {
  local n=$((mb * 1024)); rm -f quarter three
  topic "$t"
  { lines 1 $((n / 4)); : > quarter; lines $((n / 4 + 1)) $((n * 3 / 4)); : > three; lines $((n * 3 / 4 + 1)) $n; } | produce "$t" &
  local producer=$!
  wait_for 120 "a quarter" test -e quarter; crash
  wait_for 120 "three quarters" test -e three; crash
  wait $producer
  back "$t" $n
}
crash_franz_go() {
  "$place/bulk" "$BROKER" "$t" $((mb * 1024)) 1024 > go.log &
  local client=$!
  wait_for 120 "half of the records" grep -q half go.log; crash
  wait $client
  cat go.log
}
crash_java_perf() {
  topic "$t"
  java_perf_of $((mb * 512)) $((mb * 32)) &
  local client=$!
  wait_for 60 "records" filled "$t"; sleep 3; crash
  wait $client
}
filled() { consume "$1" -c 1 | grep -q .; }
# It does not retry: what it was told is there must be there, in order, once; of the rest nothing is promised.
crash_java_acks() {
  topic "$t"
  timeout 120 java -Xmx256m -cp "$kafka_libs/*" org.apache.kafka.tools.VerifiableProducer --bootstrap-server "$BROKER" --topic "$t" --max-messages 40000 --throughput 4000 --acks -1 > vp.json 2> vp.err &
  local client=$!
  wait_for 60 "acknowledgements" enough_acks; crash
  wait $client || true
  sed -n 's/.*producer_send_success.*"value":"\([0-9]*\)".*/\1/p; s/.*"value":"\([0-9]*\)".*producer_send_success.*/\1/p' vp.json | sort -n > acked
  consume "$t" > got
  [ "$(wc -l < acked)" -gt 8000 ]
  [ -z "$(sort got | uniq -d)" ]                                # once
  sort -n got | cmp - got                                      # in order
  [ -z "$(comm -23 <(sort acked) <(sort got))" ]                # there
}
enough_acks() { [ "$(grep -c producer_send_success vp.json)" -gt 8000 ]; }

run() {
  local name started failed
  cd "$2.logs"
  : > "$2"
  while read -r name; do
    say "bulk: $name"
    started=$(now_ms) failed=''
    # A shell of its own for each: there `set -e` holds.
    t=bulk-$name-$started bash -c '. "$0" source; "$1"' "$0" "$name" > "$name.log" 2>&1 < /dev/null || failed=1
    printf '%s\t%s\t%s\n' "$name" "$([ -z "$failed" ] && echo pass || echo fail)" "$(echo "scale=1; ($(now_ms) - $started) / 1000" | bc)" >> "$2"
  done < "$1"
}

[ "${1:-}" = source ] || suite "$@"
