#!/usr/bin/env bash
# librdkafka 2.15.1's own regression tests (C, C++), from the npm package that ships its source. VARIANT=idempotent runs the producers idempotent,
# VARIANT=consumer the consumers under KIP-848.
. "$(dirname "$0")/../../../scripts/lib/suite.sh"
package=@confluentinc/kafka-javascript@1.10.1
place=$cache/librdkafka-2.15.1

build() {
  kafka_jars
  need_npm
  need_debian gcc g++ make pkg-config libssl-dev zlib1g-dev libzstd-dev liblz4-dev rapidjson-dev libcurl4-openssl-dev libsasl2-dev
  [ -e "$place/.whole" ] && return
  say "building librdkafka's tests (about 5 minutes of CPU)"
  whole "$place" librdkafka_build
}

librdkafka_build() {
  # The shells that configure and make start are not to stop at what this one stops at.
  unset BASH_ENV
  quietly "$cache/logs/librdkafka-fetch.log" npm pack --silent "$package"
  tar xzf ./*.tgz; rm -f ./*.tgz
  mv package/deps/librdkafka source; rm -rf package
  (
    cd source
    quietly "$cache/logs/librdkafka-configure.log" ./configure
    # Not plain `make`: the package has no examples/.
    quietly "$cache/logs/librdkafka-libs.log" make -j "$jobs" libs
    quietly "$cache/logs/librdkafka-tests.log" make -j "$jobs" -C tests build
  )
  bash "$conformance/kafka-path.sh" "$PWD/kafka-path" "$kafka_libs"
  KAFKA_PATH=$PWD/kafka-path quietly "$cache/logs/librdkafka-java.log" make -C source/tests/java
}

settings() {
  echo num.partitions=4
}

run() {
  local numbers flags=()
  # 0012_produce_consume is number 0012; 0081_admin/do_test_ListOffsets one subtest of 0081
  numbers=$(sed -E 's|^([0-9]{4})[^/]*|\1|' "$1" | sort -u | tr '\n' ' ')
  case ${VARIANT:-} in
    idempotent) flags=(-P) ;;
    consumer) export TEST_CONSUMER_GROUP_PROTOCOL=consumer ;;
  esac
  # Retrying is left to scripts/conformance, hence RETRY=.
  RETRY='' ONLY=$numbers KAFKA_PATH=$place/kafka-path bash "$conformance/librdkafka-run.sh" "$place/source/tests" "$BROKER" "$2" "${flags[@]}" >&2
}

suite "$@"
