# Sourced by every script here: what they say, what they need, and where they keep things.
#
# Nothing is written into the repository. What is fetched or built from outside lives in $cache; each such thing is made in
# a folder beside its place and renamed when whole, so that whatever stands in the cache is complete and a broken run resumes.

set -euo pipefail
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${MILLRACE_CACHE:-${HOME:-/tmp}/.cache/millrace}
mkdir -p "$cache/downloads"
case $cache/ in "$repo"/*) echo "MILLRACE_CACHE=$cache is inside the repository; choose a folder outside of it" >&2; exit 2 ;; esac

# say TEXT: one line of progress, with the seconds since the script began. Progress is on stderr: stdout is for results.
say() { printf '%s %s\n' "$(printf '[%3ds]' "$SECONDS")" "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" > /dev/null 2>&1; }

# quietly LOG COMMAND...: its output goes to LOG; if it fails, the end of LOG is shown.
quietly() {
  local log=$1; shift
  mkdir -p "$(dirname "$log")"
  "$@" > "$log" 2>&1 && return
  local status=$?
  printf '%s\n' "--- end of $log" >&2; tail -n 40 "$log" >&2; printf '%s\n' "--- failed with $status: $*" >&2
  return $status
}

# whole PLACE FUNCTION: makes PLACE (a folder) by FUNCTION, called in an empty folder that becomes PLACE when it succeeds.
# Two runs at once do not disturb each other: the second waits, and finds it made. Never call it in a condition (`if`, `||`):
# there the shell goes on after a failure inside FUNCTION.
whole() {
  local place=$1 make=$2
  [ -e "$place/.whole" ] && return
  mkdir -p "$(dirname "$place")"
  (
    flock 9
    [ -e "$place/.whole" ] && exit
    rm -rf "$place.part" "$place"; mkdir "$place.part"
    # One command a line: after `&&` the shell would not stop where FUNCTION fails.
    cd "$place.part"
    "$make"
    touch .whole
    cd / && mv "$place.part" "$place"
  ) 9> "$place.lock"
}

# --- Debian packages -----------------------------------------------------------------------------------------------------

# need_debian PACKAGE...: installs those that are missing, or says which they are.
need_debian() {
  local missing=() p
  if ! have dpkg-query; then
    say "not a Debian system: taking for granted what these packages hold: $*"
    return
  fi
  for p in "$@"; do
    dpkg-query -W -f '${Status}' "$p" 2> /dev/null | grep -q '^install ok installed' || missing+=("$p")
  done
  [ ${#missing[@]} = 0 ] && return
  if [ "$(id -u)" = 0 ]; then local sudo=(); elif have sudo && sudo -n true 2> /dev/null; then local sudo=(sudo -n)
  else die "these Debian packages are missing and this user may not install them: ${missing[*]}. As root: apt-get install ${missing[*]}"; fi
  say "installing Debian packages: ${missing[*]}"
  (
    flock 9
    # An old list of packages names versions that the mirror no longer has: fetch a new one if the install fails.
    apt_get() { quietly "$cache/logs/apt.log" "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@"; }
    apt_get install -y --no-install-recommends "${missing[@]}" 2> /dev/null && exit
    apt_get update && apt_get install -y --no-install-recommends "${missing[@]}"
  ) 9> "$cache/apt.lock" || die "apt-get could not install ${missing[*]} (see $cache/logs/apt.log)"
}

# need_command COMMAND PACKAGE: the command, from whatever source; its Debian package if it is missing.
need_command() {
  have "$1" || need_debian "$2"
  have "$1" || die "the command $1 is missing; on Debian the package $2 has it"
}

# --- toolchains ----------------------------------------------------------------------------------------------------------

# at_least VERSION WANTED: whether a dotted version is at least another.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

need_rust() {
  local wanted found
  [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ] && PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
  wanted=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' "$repo/Cargo.toml" | head -n 1)
  have cargo || die "no Rust toolchain: cargo is not in the PATH. Install Rust $wanted or newer (https://rustup.rs) and try again"
  found=$(cargo --version | cut -d ' ' -f 2)
  at_least "$found" "$wanted" || die "cargo is version $found, Millrace needs Rust $wanted or newer: rustup update stable"
  # zstd is compiled from C sources.
  have cc || need_command cc gcc
  echo 'int main(void) { return 0; }' | cc -x c -o /dev/null - 2> /dev/null || need_debian gcc libc6-dev
}

# need_rust_component COMMAND COMPONENT: rustfmt or clippy.
need_rust_component() {
  cargo "$1" --version > /dev/null 2>&1 && return
  have rustup && quietly "$cache/logs/rustup.log" rustup component add "$2" || true
  cargo "$1" --version > /dev/null 2>&1 || die "cargo $1 is missing: rustup component add $2"
}

need_java() {
  have java && have javac || need_debian openjdk-17-jdk-headless
  have java || die "no Java: install a JDK 17 or newer (Debian: openjdk-17-jdk-headless)"
}

need_maven() { need_java; need_command mvn maven; }

need_npm() { need_command npm npm; }

# Debian 12's Go is older than franz-go asks for, so there is nothing to install when it is missing.
need_go() {
  local found
  have go || die "no Go: this suite needs Go $1 or newer"
  found=$(go env GOVERSION); found=${found#go}
  at_least "$found" "$1" || [ "$(go env GOTOOLCHAIN)" = auto ] || die "Go is version $found, this suite needs $1 or newer"
}

need_python() {
  need_command python3 python3
  python3 -c 'import ensurepip, venv' 2> /dev/null || need_debian python3-venv
}

# --- the kernel ----------------------------------------------------------------------------------------------------------

# need_io_uring: a sentence that says what is in the way, if something is. 425 is io_uring_setup, on every architecture.
need_io_uring() {
  local disabled release errno
  [ "$(uname -s)" = Linux ] || die "Millrace runs on Linux only: it does all its I/O through io_uring"
  release=$(uname -r)
  at_least "${release%%-*}" 6.1 || die "this kernel is $release; Millrace needs Linux 6.1 or newer for io_uring"
  disabled=$(cat /proc/sys/kernel/io_uring_disabled 2> /dev/null || echo 0)
  case $disabled in
    2) die "io_uring is switched off on this machine: sysctl -w kernel.io_uring_disabled=0" ;;
    1) [ "$(id -u)" = 0 ] || die "io_uring is reserved for a group on this machine (kernel.io_uring_group), and this user is not in it: sysctl -w kernel.io_uring_disabled=0" ;;
  esac
  have perl || return 0
  errno=$(perl -e 'my $p = "\0" x 120; print syscall(425, 4, $p) < 0 ? $! + 0 : 0')
  case $errno in
    0) ;;
    1) die "io_uring is forbidden here (EPERM): most likely a container's seccomp profile; with Docker: --security-opt seccomp=unconfined" ;;
    38) die "this kernel is built without io_uring (ENOSYS); CONFIG_IO_URING=y is needed" ;;
    12) die "io_uring may not lock memory (ENOMEM): raise the limit, now $(ulimit -l) KiB: ulimit -l unlimited, or LimitMEMLOCK=infinity in its unit" ;;
    *) die "io_uring does not work here: io_uring_setup fails with errno $errno" ;;
  esac
}

# --- processes -----------------------------------------------------------------------------------------------------------

# wait_for SECONDS WHAT COMMAND...: until the command succeeds. Fails, saying WHAT, when the time is over.
wait_for() {
  local until=$((SECONDS + $1)) what=$2; shift 2
  until "$@" > /dev/null 2>&1; do
    [ $SECONDS -lt $until ] || { say "gave up waiting for $what"; return 1; }
    sleep 0.1
  done
}

# listening HOST PORT: whether somebody accepts there.
listening() { (exec 3<> "/dev/tcp/$1/$2") 2> /dev/null; }

# stop_process PID SECONDS: SIGTERM, and SIGKILL when it has not gone by then.
stop_process() {
  kill -TERM "$1" 2> /dev/null || return 0
  local until=$((SECONDS + $2))
  while kill -0 "$1" 2> /dev/null; do
    [ $SECONDS -lt $until ] || { kill -KILL "$1" 2> /dev/null; return; }
    sleep 0.1
  done
}

# milliseconds since 1970, for durations
now_ms() { date +%s%3N; }
