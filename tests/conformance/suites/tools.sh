#!/usr/bin/env bash
# kcat (an old librdkafka, 2.0.2: keep it) and Apache Kafka's own command line tools, once each.
. "$(dirname "$0")/../../../scripts/lib/suite.sh"

build() {
  need_debian kcat bc
  kafka_jars
}

settings() { :; }

# Checks build on the topics of earlier ones: a second run under the same ID, of a single one, finds them.
run() {
  # What is not there yet: ACLs, and half of the APIs.
  [ "${KIND:-}" = kafka ] || export ACLS=false APIS=20
  ID=${ID:-} ONLY=$(tr '\n' ' ' < "$1") bash "$conformance/tools-smoke.sh" "$BROKER" "$kafka_libs" "$2" ${LOG_DIR:+"$LOG_DIR"} >&2 || true
}

suite "$@"
