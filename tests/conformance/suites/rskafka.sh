#!/usr/bin/env bash
# The crate rskafka 0.6.0: a client with a codec of its own, in Rust; its tests cross-produce with librdkafka in five codecs.
. "$(dirname "$0")/../../../scripts/lib/suite.sh"

build() {
  need_java  # one of its development dependencies asks for a JDK when it is built
  need_debian gcc g++ make cmake zlib1g-dev libssl-dev pkg-config
  crate rskafka 0.6.0 full
}

# The rsasl that it is locked to (2.2.0) does not compile with Rust 1.95.
crate_prepare() { quietly "$cache/logs/rskafka-update.log" cargo update -p rsasl; }

settings() {
  echo auto.create.topics.enable=false
}

# Without these variables its tests return at once, and pass.
run() {
  crate_name=rskafka crate_version=0.6.0
  export TEST_INTEGRATION=1 TEST_BROKER_IMPL=kafka KAFKA_CONNECT=$BROKER
  crate_run "$1" "$2" 2
}

suite "$@"
