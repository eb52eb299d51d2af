#!/bin/bash
# tools-smoke.sh BROKER LIBS OUT [LOG_DIR]: runs kcat and Apache Kafka's own tools (jars in LIBS) once each against BROKER and writes
# OUT: name<TAB>pass|fail|skip<TAB>seconds. LOG_DIR: the broker's log directory, for DumpLogSegments (else skipped). ONLY: names to run.
# ID: the run's id; checks work on the topics of earlier ones, so one check alone (ONLY) wants the ID of the run that made them.
# Each tool's own output stays beside OUT in OUT.logs/.
[ $# -ge 3 ] || { sed -n 2,5p "$0" >&2; exit 2; }
b=$1; libs=$2; out=$(readlink -f "$3"); logdir=$4; logs=$out.logs; mkdir -p "$logs"; : > "$out"
id=${ID:-$(date +%s)-$$}; cd "$logs" || exit 2
limit=${LIMIT:-120}
tool() { timeout "$limit" java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=error -cp "$libs/*" "$@" 2>&1; }
k=org.apache.kafka.tools
topic() { tool $k.TopicCommand --bootstrap-server "$b" "$@"; }
groups() { tool $k.consumer.group.ConsumerGroupCommand --bootstrap-server "$b" "$@"; }
configs() { tool kafka.admin.ConfigCommand --bootstrap-server "$b" "$@"; }
t=smoke-$id; t2=smoke-$id-2; g=smoke-group-$id; failed=0

check() { # name function: passes if the function's last command succeeds
  local s rc; [ -z "$ONLY" ] || [[ " $ONLY " == *" $1 "* ]] || return
  s=$(date +%s.%N); (set -eo pipefail; "$2") > "$logs/$1.log" 2>&1; rc=$?
  printf '%s\t%s\t%.1f\n' "$1" "$([ $rc = 0 ] && echo pass || { [ $rc = 77 ] && echo skip || echo fail; })" \
    "$(echo "$(date +%s.%N) - $s" | bc)" | tee -a "$out"
  [ $rc = 0 ] || [ $rc = 77 ] || failed=1
}
has() { local o; o=$(cat); printf '%s\n' "$o" >&2; grep -qE -- "$1" <<< "$o"; } # reads all of it: a tool must not die of SIGPIPE

topic_create() { topic --create --topic $t --partitions 3 --replication-factor 1 | has "Created topic $t"; topic --create --topic $t2 --partitions 1 | has Created; }
topic_describe() { topic --describe --topic $t | has "Topic: $t.*PartitionCount: 3.*ReplicationFactor: 1"; }
topic_alter() { topic --alter --topic $t --partitions 4; topic --describe --topic $t | has 'PartitionCount: 4'; }
topic_list() { topic --list | has "^$t\$"; }
topic_delete() { topic --delete --topic $t2; sleep 2; ! topic --list | has "^$t2\$"; }
kcat_metadata() { timeout 20 kcat -b "$b" -L -J | has '"brokers":\[\{"id":[0-9]+,"name":"[^"]+"'; }
kcat_roundtrip() { seq 1000 | timeout 20 kcat -b "$b" -P -t $t -p 0; timeout 20 kcat -b "$b" -C -t $t -p 0 -o beginning -e -q > got; seq 1000 | cmp - got; }
kcat_codecs() { for z in gzip snappy lz4 zstd; do seq 500 | timeout 20 kcat -b "$b" -P -t $t -p 1 -z $z -X linger.ms=50; done
  timeout 20 kcat -b "$b" -C -t $t -p 1 -o beginning -e -q > got; for z in 1 2 3 4; do seq 500; done | cmp - got; }
kcat_keys_headers() { echo 'k1:v1' | timeout 20 kcat -b "$b" -P -t $t -p 2 -K: -H h1=x -H h2=y; timeout 20 kcat -b "$b" -C -t $t -p 2 -o beginning -e -q -f '%k|%s|%h|%o\n' | has '^k1\|v1\|h1=x,h2=y\|0$'; }
kcat_offsets_for_times() { timeout 20 kcat -b "$b" -Q -t $t:0:1 | has "^$t \[0\] offset 0\$"; }
kcat_group() { timeout 60 kcat -b "$b" -G $g-kcat -X auto.offset.reset=earliest -e -q $t > got; [ "$(wc -l < got)" = 3001 ]; }
kcat_idempotent() { seq 100 | timeout 20 kcat -b "$b" -P -t $t -p 3 -X enable.idempotence=true; timeout 20 kcat -b "$b" -C -t $t -p 3 -o beginning -e -q | cmp - <(seq 100); }
# it wants an empty topic of its own, and creates "newtopic", which an earlier run may have left
client_compatibility() { topic --delete --if-exists --topic newtopic; topic --create --topic $t-cc --partitions 1; sleep 1; tool $k.ClientCompatibilityTest --bootstrap-server "$b" --topic $t-cc --num-cluster-nodes "${NODES:-1}" \
  --offsets-for-times-supported true --cluster-id-supported true --create-topics-supported true --describe-acls-supported "${ACLS:-true}" \
  --describe-configs-supported true --idempotent-producer-supported true --expect-record-too-large-exception false | has SUCCESS; }
verifiable_producer() { tool $k.VerifiableProducer --bootstrap-server "$b" --topic $t-v --max-messages 1000 --acks -1 > vp.json; cat vp.json | has '"name":"tool_data".*|"acked":1000' ; [ "$(grep -c producer_send_success vp.json)" = 1000 ]; }
verifiable_consumer() { timeout 60 java -Xmx256m -XX:+UseSerialGC -cp "$libs/*" $k.VerifiableConsumer --bootstrap-server "$b" --topic $t-v --group-id $g-vc --reset-policy earliest --max-messages 1000 --verbose > vc.json
  [ "$(grep -c '"name":"record_data"' vc.json)" = 1000 ]; grep -q offsets_committed.*success.:true vc.json; grep -q partitions_assigned vc.json; }
verifiable_consumer_848() { timeout 60 java -Xmx256m -XX:+UseSerialGC -cp "$libs/*" $k.VerifiableConsumer --bootstrap-server "$b" --topic $t-v --group-id $g-vc848 --group-protocol consumer --reset-policy earliest --max-messages 1000 --verbose > vc.json
  [ "$(grep -c '"name":"record_data"' vc.json)" = 1000 ]; grep -q offsets_committed.*success.:true vc.json; }
console_roundtrip() { seq 200 | tool $k.ConsoleProducer --bootstrap-server "$b" --topic $t-c; tool $k.consumer.ConsoleConsumer --bootstrap-server "$b" --topic $t-c --from-beginning --max-messages 200 --timeout-ms 30000 --group $g-cc > cc; grep -E '^[0-9]+$' cc | sort -n | cmp - <(seq 200); }
console_read_committed() { tool $k.consumer.ConsoleConsumer --bootstrap-server "$b" --topic $t-c --from-beginning --max-messages 200 --timeout-ms 30000 --isolation-level read_committed > cc; grep -E '^[0-9]+$' cc | sort -n | cmp - <(seq 200); }
# the same by partition, without a group
console_partition() { seq 200 | tool $k.ConsoleProducer --bootstrap-server "$b" --topic $t-cp; tool $k.consumer.ConsoleConsumer --bootstrap-server "$b" --topic $t-cp --partition 0 --offset earliest --max-messages 200 --timeout-ms 30000 > cc; grep -E '^[0-9]+$' cc | sort -n | cmp - <(seq 200); }
console_partition_read_committed() { tool $k.consumer.ConsoleConsumer --bootstrap-server "$b" --topic $t-cp --partition 0 --offset 150 --max-messages 50 --timeout-ms 30000 --isolation-level read_committed > cc; grep -E '^[0-9]+$' cc | sort -n | cmp - <(seq 151 200); }
console_compressed() { local z; for z in gzip snappy lz4 zstd; do seq 100 | tool $k.ConsoleProducer --bootstrap-server "$b" --topic $t-cz --compression-codec $z --command-property linger.ms=100; done
  tool $k.consumer.ConsoleConsumer --bootstrap-server "$b" --topic $t-cz --partition 0 --offset earliest --max-messages 400 --timeout-ms 30000 > cc; grep -E '^[0-9]+$' cc | cmp - <(for z in 1 2 3 4; do seq 100; done); }
groups_list() { groups --list | has "^$g-cc\$"; }
groups_describe() { groups --describe --group $g-cc | has "$g-cc +$t-c +0 +200 +200 +0"; }
groups_reset() { groups --reset-offsets --group $g-cc --topic $t-c --to-earliest --execute | has "$g-cc +$t-c +0 +0"; groups --describe --group $g-cc | has "$g-cc +$t-c +0 +0 +200 +200"; }
groups_delete() { groups --delete --group $g-cc | has 'successful'; ! groups --list | has "^$g-cc\$"; }
config_topic() { configs --alter --entity-type topics --entity-name $t --add-config retention.ms=123456789,max.message.bytes=65536 | has Completed; configs --describe --entity-type topics --entity-name $t | has 'retention.ms=123456789.*DYNAMIC_TOPIC_CONFIG'
  configs --alter --entity-type topics --entity-name $t --delete-config retention.ms,max.message.bytes | has Completed; ! configs --describe --entity-type topics --entity-name $t | has retention.ms=123456789; }
config_broker() { configs --describe --entity-type brokers --entity-name "${NODE:-0}" --all | has 'log.retention.hours=168'; }
offsets_latest() { tool $k.GetOffsetShell --bootstrap-server "$b" --topic $t --time -1 | has "^$t:0:1000\$"; }
offsets_earliest() { tool $k.GetOffsetShell --bootstrap-server "$b" --topic $t --time earliest | has "^$t:0:0\$"; }
offsets_max_timestamp() { tool $k.GetOffsetShell --bootstrap-server "$b" --topic $t --time max-timestamp | has "^$t:0:[0-9]+\$"; }
delete_records() { echo "{\"partitions\":[{\"topic\":\"$t\",\"partition\":0,\"offset\":400}],\"version\":1}" > del.json; tool $k.DeleteRecordsCommand --bootstrap-server "$b" --offset-json-file del.json | has 'low_watermark: 400'
  timeout 20 kcat -b "$b" -C -t $t -p 0 -o beginning -c 1 -e -q -f '%o\n' | has '^400$'; }
log_dirs() { tool $k.LogDirsCommand --bootstrap-server "$b" --describe --topic-list $t | has "\"partition\":\"$t-0\",\"size\":[1-9]"; }
api_versions() { tool $k.BrokerApiVersionsCommand --bootstrap-server "$b" > av; has 'Produce\(0\): .*usable' < av; [ "$(grep -c usable av)" -ge "${APIS:-40}" ]; }
transactions_list() { tool $k.TransactionsCommand --bootstrap-server "$b" list | has 'TransactionalId'; }
cluster_id() { tool $k.ClusterTool cluster-id --bootstrap-server "$b" | has 'Cluster ID: .+'; }
producer_perf() { tool $k.ProducerPerformance --topic $t-p --num-records 100000 --record-size 100 --throughput -1 --bootstrap-server "$b" --command-property acks=all | has '^100000 records sent.* 99.9th'; }
producer_perf_txn() { tool $k.ProducerPerformance --topic $t-p --num-records 20000 --record-size 100 --throughput -1 --bootstrap-server "$b" --transactional-id $t-x --transaction-duration-ms 200 | has '^20000 records sent'; }
consumer_perf() { tool $k.ConsumerPerformance --bootstrap-server "$b" --topic $t-p --num-records 100000 --group $g-perf --timeout 60000 > cp; cat cp; awk -F', ' 'NR>1 && $5>=100000 {ok=1} END {exit !ok}' cp; }
end_to_end() { topic --create --topic $t-e --partitions 1 | has Created; tool $k.EndToEndLatency --bootstrap-server "$b" --topic $t-e --num-records 1000 --producer-acks all --record-size 100 | has 'Percentiles: 50th = [0-9]+, 99th = [0-9]+'; }
dump_log() { [ -n "$logdir" ] || exit 77; tool $k.DumpLogSegments --print-data-log --files "$logdir/$t-p-0/00000000000000000000.log" > dl; has 'baseOffset: 0 lastOffset: ' < dl; ! grep -i 'corrupt\|isvalid: false' dl; tool $k.DumpLogSegments --index-sanity-check --files "$logdir/$t-p-0/00000000000000000000.index" | has 'passed sanity check'; }

for c in topic_create topic_describe topic_alter topic_list kcat_metadata kcat_roundtrip kcat_codecs kcat_keys_headers kcat_offsets_for_times kcat_group \
  kcat_idempotent client_compatibility verifiable_producer verifiable_consumer verifiable_consumer_848 console_roundtrip console_read_committed console_partition console_partition_read_committed console_compressed groups_list \
  groups_describe groups_reset groups_delete config_topic config_broker offsets_latest offsets_earliest offsets_max_timestamp delete_records log_dirs \
  api_versions transactions_list cluster_id producer_perf producer_perf_txn consumer_perf end_to_end dump_log topic_delete; do check $c $c; done
cut -f2 "$out" | sort | uniq -c
exit $failed
