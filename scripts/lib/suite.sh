# Sourced by tests/conformance/suites/*.sh: what they have in common.
#
# A suite is a script with three commands:
#
#   build                  fetches and builds it into the cache; the only one that needs the network
#   settings               prints the broker's settings that it asks for, KEY=VALUE a line
#   run NAMES OUT          runs the tests named in the file NAMES, one a line, at the broker $BROKER (HOST:PORT), and writes
#                          OUT: name<TAB>pass|fail|skip<TAB>seconds; logs in the folder OUT.logs
#
# `run` may also look at LOG_DIR, the broker's log directory (empty: not on this machine), and KIND (kafka, millrace or other).
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$(dirname "${BASH_SOURCE[0]}")/kafka.sh"
conformance=$repo/tests/conformance

suite() {
  case ${1:-} in
    build) build ;;
    settings) settings ;;
    run)
      [ $# = 3 ] && [ -n "${BROKER:-}" ] || die "usage: BROKER=HOST:PORT $0 run NAMES OUT"
      local names out; names=$(readlink -f "$2"); out=$(readlink -f "$3"); mkdir -p "$out.logs"
      run "$names" "$out" ;;
    *) die "usage: $0 build | settings | run NAMES OUT" ;;
  esac
}

# jobs for building: both cores, unless BUILD_JOBS says otherwise
jobs=${BUILD_JOBS:-$(nproc)}

# crate NAME VERSION [FEATURES]: fetches a crate from crates.io, builds its tests, and keeps the test binaries: NAME-VERSION/source, NAME-VERSION/bin/<binary>.
crate_name='' crate_version='' crate_features=''
crate() {
  need_rust
  crate_name=$1 crate_version=$2 crate_features=${3:-}
  [ -e "$cache/$1-$2/.whole" ] && return
  say "building the tests of the crate $1 $2"
  whole "$cache/$1-$2" crate_build
}

crate_build() {
  local target=$cache/$crate_name-$crate_version.target
  mkdir fetch
  (
    cd fetch
    mkdir src; : > src/lib.rs
    printf '[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n[dependencies]\n%s = "=%s"\n' "$crate_name" "$crate_version" > Cargo.toml
    quietly "$cache/logs/$crate_name-fetch.log" cargo fetch
  )
  rm -rf fetch
  cp -rL "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/"$crate_name-$crate_version" source
  (
    cd source
    rm -f rust-toolchain.toml
    printf '\n[workspace]\n' >> Cargo.toml
    crate_prepare
    # Nothing of debug information: it doubles the time of building and is of no use here.
    CARGO_TARGET_DIR=$target CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0 \
      cargo test -q --tests --no-run -j "$jobs" ${crate_features:+--features "$crate_features"} --message-format json \
      > "$target.json" 2> "$cache/logs/$crate_name-build.log" || { tail -n 40 "$cache/logs/$crate_name-build.log" >&2; exit 1; }
  )
  mkdir bin
  python3 - "$target.json" bin << 'PYTHON'
import json, shutil, sys
for line in open(sys.argv[1]):
    m = json.loads(line) if line.startswith('{') else {}
    if m.get('reason') == 'compiler-artifact' and m['profile']['test'] and m.get('executable'):
        kind = m['target']['kind'][0]
        shutil.copy(m['executable'], f"{sys.argv[2]}/{'lib' if kind == 'lib' else m['target']['name']}")
PYTHON
  rm -rf "$target" "$target.json"
}

# What a crate needs before it can be built; a suite may define its own.
crate_prepare() { :; }

# crate_run NAMES OUT THREADS: runs those test binaries that hold a named test (binary::test), with just these tests.
crate_run() {
  local names=$1 out=$2 threads=$3 binary tests place=$cache/$crate_name-$crate_version logs=()
  while read -r binary; do
    mapfile -t tests < <(sed -n "s/^$binary:://p" "$names")
    say "$crate_name: $binary, ${#tests[@]} tests"
    # The line that cargo writes before it runs a binary: cargo-tsv.py looks for it.
    printf '     Running tests/%s.rs (%s)\n' "$binary" "$binary" > "$out.logs/$binary.log"
    (cd "$place/source" && CARGO_MANIFEST_DIR=$PWD timeout -k 10 600 "$place/bin/$binary" --exact "${tests[@]}" "--test-threads=$threads") \
      >> "$out.logs/$binary.log" 2>&1 < /dev/null || true
    logs+=("$out.logs/$binary.log")
  done < <(sed 's/::.*//' "$names" | sort -u)
  python3 "$conformance/cargo-tsv.py" "${logs[@]}" > "$out"
}
