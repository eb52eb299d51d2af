# Sourced after common.sh: a real Apache Kafka, from its jars on Maven Central: its tools, and a broker of its own to compare with.

kafka_version=4.3.1
kafka_libs=$cache/kafka-$kafka_version/libs

# kafka_jars: fetches Kafka's jars and what they depend on (some 90) into $kafka_libs.
kafka_jars() {
  [ -e "$cache/kafka-$kafka_version/.whole" ] && { need_java; return; }
  need_maven
  say "fetching Apache Kafka $kafka_version from Maven Central"
  whole "$cache/kafka-$kafka_version" kafka_jars_fetch
}

kafka_jars_fetch() {
  cat > pom.xml << POM
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>millrace</groupId><artifactId>kafka-jars</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$kafka_version</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$kafka_version</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
POM
  quietly "$cache/logs/maven.log" mvn -q -B dependency:copy-dependencies -DoutputDirectory="$PWD/libs"
  ls libs/kafka_2.13-"$kafka_version".jar libs/kafka-tools-"$kafka_version".jar > /dev/null
}

# kafka_tool CLASS ARGUMENT...: one of Kafka's command line tools.
kafka_tool() {
  java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=error -cp "$kafka_libs/*" "$@"
}

# kafka_properties DIR PORT SETTING...: writes DIR/server.properties for a single node; later settings win over earlier ones.
kafka_properties() {
  local dir=$1 port=$2; shift 2
  {
    cat << SETTINGS
process.roles=broker,controller
node.id=0
controller.quorum.bootstrap.servers=127.0.0.1:$((port + 1))
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
log.dirs=$dir/data
num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=180000
SETTINGS
    [ $# = 0 ] || printf '%s\n' "$@"
  } > "$dir/server.properties"
}

# kafka_format DIR: writes the metadata that Kafka wants in an empty data directory.
kafka_format() {
  kafka_tool kafka.tools.StorageTool format --standalone -t MkU3OEVBNTcwNTJENDM2Qg -c "$1/server.properties" > "$1/format.log" 2>&1 ||
    { cat "$1/format.log" >&2; die "Kafka could not format $1/data"; }
}

# kafka_start DIR PORT HEAP CPUS SETTING...: formats DIR if it is new, starts Kafka in the background, waits until it answers; its process id is in
# DIR/pid, its log in DIR/log, the line that starts it in DIR/command. CPUS is a list for taskset, or empty. $KAFKA_JVM may hold more options of the JVM, and
# KAFKA_REQUEST_LOG=1 logs every request.
kafka_start() {
  local dir=$1 port=$2 heap=$3 cpus=$4 wrap=() log=(); shift 4
  mkdir -p "$dir"
  [ -e "$dir/pid" ] && kill -0 "$(cat "$dir/pid")" 2> /dev/null && die "a Kafka runs in $dir already (process $(cat "$dir/pid"))"
  listening 127.0.0.1 "$port" && die "port $port is in use"
  kafka_properties "$dir" "$port" "$@"
  [ -e "$dir/data/meta.properties" ] || kafka_format "$dir"
  [ -z "$cpus" ] || wrap=(taskset -c "$cpus")
  [ -z "${KAFKA_REQUEST_LOG:-}" ] || log=(-Dorg.slf4j.simpleLogger.log.kafka.request.logger=debug)
  # shellcheck disable=SC2206
  wrap+=(java "-Xmx$heap" "-Xms$heap" ${KAFKA_JVM:-} "${log[@]}" -Dorg.slf4j.simpleLogger.showDateTime=true
    -Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS -cp "$kafka_libs/*" kafka.Kafka "$dir/server.properties")
  printf 'exec%s\n' "$(printf ' %q' "${wrap[@]}")" > "$dir/command"
  nohup bash "$dir/command" >> "$dir/log" 2>&1 < /dev/null &
  echo $! > "$dir/pid"
  wait_for 90 "Kafka on port $port" kafka_answers "$dir" "$port" || { tail -n 40 "$dir/log" >&2; die "Kafka did not start (its log: $dir/log)"; }
}

# Ready when the log says so and the port accepts; at once when the process is gone, so that the caller need not wait.
kafka_answers() { grep -q 'Kafka Server started' "$1/log" && listening 127.0.0.1 "$2"; }

kafka_stop() {
  [ -e "$1/pid" ] || return 0
  stop_process "$(cat "$1/pid")" 30
  rm -f "$1/pid"
}
