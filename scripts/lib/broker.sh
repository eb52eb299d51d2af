# Sourced after common.sh and kafka.sh: one broker for the length of a run, whichever kind it is.
#
# Its folder holds data/, log, pid, and command: the line that starts it, so that it can be killed and started again.

broker_pid=''
export BROKER=${BROKER:-} LOG_DIR=${LOG_DIR:-} BROKER_DIR=${BROKER_DIR:-}

# broker_start KIND DIR PORT SETTING...: starts a broker on 127.0.0.1:PORT with its data under DIR and waits until it accepts. KIND is kafka,
# or the path of a millrace binary. Sets BROKER (HOST:PORT), BROKER_DIR and LOG_DIR.
broker_start() {
  local kind=$1 dir=$2 port=$3 args=() setting; shift 3
  mkdir -p "$dir/data"
  BROKER=127.0.0.1:$port BROKER_DIR=$dir LOG_DIR=$dir/data
  if [ "$kind" = kafka ]; then
    kafka_start "$dir" "$port" 1g '' "$@"
    broker_pid=$(cat "$dir/pid")
    return
  fi
  listening 127.0.0.1 "$port" && die "port $port is in use"
  for setting in node.id=0 "log.dirs=$LOG_DIR" "$@"; do args+=(--set "$setting"); done
  [ "$port" = 9092 ] || args+=(--set "listeners=PLAINTEXT://127.0.0.1:$port")
  # Variables that begin with MILLRACE_ are settings to it.
  printf 'unset "${!MILLRACE_@}"\nexec %q server%s\n' "$kind" "$(printf ' %q' "${args[@]}")" > "$dir/command"
  broker_launch "$dir" "$port"
}

# broker_launch DIR PORT: runs DIR/command in the background and waits until the port accepts. Sets broker_pid.
broker_launch() {
  (cd "$1" && exec bash command >> log 2>&1 < /dev/null) &
  broker_pid=$!
  echo $broker_pid > "$1/pid"
  wait_for 60 "the broker on port $2" broker_ready "$1" "$2"
  broker_alive "$1" || { broker_log "$1" 40; die "the broker did not start"; }
}

# Ready, or gone for good: then waiting is of no use.
broker_ready() { listening 127.0.0.1 "$2" || ! broker_alive "$1"; }

broker_alive() { kill -0 "$(cat "$1/pid")" 2> /dev/null; }

broker_log() { [ -s "$1/log" ] || return 0; printf '%s\n' "--- end of the broker's log, $1/log" >&2; tail -n "$2" "$1/log" >&2; }

# broker_crash DIR: kill -9, and start it again on the same data. May be called by another process than the one that started it.
broker_crash() {
  local pid; pid=$(cat "$1/pid")
  say "kill -9 $pid"
  kill -KILL "$pid"
  wait_for 10 "its end" gone "$pid"
  broker_launch "$1" "${BROKER##*:}"
  say "it is back, process $broker_pid"
}

# A killed process whose parent is busy stays in the table as a zombie: that is gone, too.
gone() { ! kill -0 "$1" 2> /dev/null || grep -q '^State:.Z' "/proc/$1/status" 2> /dev/null; }

# broker_stop DIR: a clean stop. Fails if it was gone already or, where this shell can know it, ends with another status than 0. (Kafka's is 143.)
broker_stop() {
  local pid status=0; pid=$(cat "$1/pid")
  broker_alive "$1" || { say "the broker had died"; return 1; }
  stop_process "$pid" 30
  [ "$pid" = "$broker_pid" ] && { wait "$pid" || status=$?; }
  [ $status = 0 ] || [ $status = 143 ] && grep -q kafka.Kafka "$1/command" && return 0
  [ $status = 0 ] || { say "the broker ended with status $status when it was told to stop"; return 1; }
}
