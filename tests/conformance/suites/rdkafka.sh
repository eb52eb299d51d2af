#!/usr/bin/env bash
# The crate rdkafka 0.39.0 (librdkafka 2.12.1 behind an API in Rust). Asks for port 9092 and node id 0 or 1.
. "$(dirname "$0")/../../../scripts/lib/suite.sh"

build() {
  need_debian gcc g++ make
  crate rdkafka 0.39.0
}

settings() {
  echo num.partitions=3
}

run() {
  crate_name=rdkafka crate_version=0.39.0
  export KAFKA_HOST=$BROKER KAFKA_VERSION=4.3.1
  crate_run "$1" "$2" 1
}

suite "$@"
