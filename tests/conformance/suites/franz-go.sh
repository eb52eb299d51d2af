#!/usr/bin/env bash
# franz-go 1.22.2, package kgo: a client with a codec of its own, in Go. What a broker does not advertise its tests skip.
. "$(dirname "$0")/../../../scripts/lib/suite.sh"
version=v1.22.2
place=$cache/franz-go-$version

build() {
  need_go 1.25
  [ -e "$place/.whole" ] && return
  say "building franz-go's tests"
  whole "$place" franz_go_build
}

franz_go_build() {
  local log=$cache/logs/franz-go.log
  export GOFLAGS=-mod=mod
  mkdir build
  (
    cd build
    quietly "$log" go mod init t
    quietly "$log" go get -t "github.com/twmb/franz-go/pkg/kgo@$version"
    quietly "$log" go test -c -p "$jobs" -o ../kgo.test github.com/twmb/franz-go/pkg/kgo
    # One of the tests reads the folder of its source.
    cp -r "$(go list -m -f '{{.Dir}}' github.com/twmb/franz-go)/pkg/kgo" ../kgo
  )
  chmod -R u+w kgo; rm -rf build
}

settings() {
  echo auto.create.topics.enable=false
}

run() {
  local all
  all=$(paste -sd '|' "$1")
  (
    cd "$place/kgo"
    KGO_SEEDS=$BROKER KGO_TEST_RF=1 KGO_TEST_RECORDS=${KGO_TEST_RECORDS:-50000} KGO_LOG_LEVEL=none \
      ../kgo.test -test.v -test.count=1 -test.timeout 15m -test.run "^($all)\$"
  ) > "$2.logs/kgo.log" 2>&1 < /dev/null || true
  sed -nE 's/^--- PASS: ([^ ]+) \(([0-9.]+)s\)/\1\tpass\t\2/p; s/^--- FAIL: ([^ ]+) \(([0-9.]+)s\)/\1\tfail\t\2/p; s/^--- SKIP: ([^ ]+) \(([0-9.]+)s\)/\1\tskip\t\2/p' \
    "$2.logs/kgo.log" | sort > "$2"
}

suite "$@"
