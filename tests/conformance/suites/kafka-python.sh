#!/usr/bin/env bash
# kafka-python 3.0.12's integration tests: a client with a codec of its own, in Python.
. "$(dirname "$0")/../../../scripts/lib/suite.sh"
version=3.0.12
place=$cache/kafka-python-$version

build() {
  need_python
  [ -e "$place/.whole" ] && return
  say "fetching kafka-python $version from PyPI"
  whole "$place" kafka_python_build
}

kafka_python_build() {
  local log=$cache/logs/kafka-python.log
  quietly "$log" python3 -m venv venv
  quietly "$log" venv/bin/python -m pip install -q pytest pytest-timeout pytest-mock py lz4 python-snappy zstandard crc32c
  quietly "$log" venv/bin/python -m pip download -q --no-deps --no-binary kafka-python "kafka-python==$version"
  tar xzf "kafka_python-$version.tar.gz"
  mv "kafka_python-$version" source
  # What the package leaves out of its tests.
  touch source/test/__init__.py
  cp "$conformance/kafka-python/service.py" source/test/
  mkdir source/kafka-root
}

settings() {
  echo num.partitions=4
  echo group.min.session.timeout.ms=500
  # One test asks for a source of this that is not its default.
  echo advertised.listeners=PLAINTEXT://127.0.0.1:9092
}

# The client pins its versions of the APIs by KAFKA_VERSION; one test compares it with what it infers from ApiVersions.
run() {
  local ids
  mapfile -t ids < <(sed 's|^\([^:]*\)::|test/integration/\1.py::|' "$1")
  # A consumer that subscribes while its first, empty metadata request is under way never asks for the topic until its metadata is 5 minutes old: seen on
  # brokers that answer quickly. One second, instead.
  sed -i "s/^            'heartbeat_interval_ms': 500,$/&  'metadata_max_age_ms': 1000,/" "$place/source/test/integration/conftest.py"
  (
    cd "$place/source"
    KAFKA_ROOT=$PWD/kafka-root KAFKA_VERSION=${KAFKA_VERSION:-4.3.0} KAFKA_URI=kafka://$BROKER timeout -k 10 900 ../venv/bin/python -m pytest -q -p no:cacheprovider \
      --timeout 120 --timeout-method signal --junitxml "$2.logs/junit.xml" "${ids[@]}"
  ) > "$2.logs/pytest.log" 2>&1 < /dev/null || true
  python3 "$conformance/junit-tsv.py" "$2.logs/junit.xml" > "$2"
}

suite "$@"
