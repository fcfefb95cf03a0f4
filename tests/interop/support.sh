# shellcheck shell=bash disable=SC2034,SC2154  # tests/interop/run reads what is set here, and sets here and dir
# What the parts of tests/interop/run share: processes with an end, parts with a time, packages, a server to judge.

# ---- processes: everything that runs, runs under a timeout of its own and is ended when this script ends

declare -A running=()

# end of the script, however it comes; timeout(1) hands the signal on to what it runs
end_all() {
  local pid
  for pid in "${!running[@]}"; do kill -TERM "$pid" 2>/dev/null; done
  for pid in "${!running[@]}"; do wait "$pid" 2>/dev/null; done
}
trap end_all EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# limited SECONDS COMMAND...: its exit status, 124 when the time ran out
limited() {
  local pid status
  timeout -k 10 "$@" </dev/null &
  pid=$!
  running[$pid]=1
  wait "$pid"
  status=$?
  unset "running[$pid]"
  [ "$status" -ne 124 ] || echo "no end within $1 s: ${*:2}" >&2
  return "$status"
}

# background LOG COMMAND...: sets background_pid; its bound is beyond that of whatever judges it
background() {
  local log=$1
  shift
  : >"$log" # here, not in the child: an old line must be gone before the first look
  timeout -k 30 10000 "$@" </dev/null >"$log" 2>&1 &
  background_pid=$!
  running[$background_pid]=1
}

# until_up PID COMMAND...: tries the command until it succeeds, at most 60 s, while the process lives
until_up() {
  local pid=$1 tries
  shift
  for ((tries = 0; tries < 600; tries++)); do
    "$@" 2>/dev/null && return 0
    kill -0 "$pid" 2>/dev/null || return 1
    sleep 0.1
  done
  return 1
}

# start_server LOG COMMAND...: waits for its "listening on" line; sets server_pid and server_addr
start_server() {
  local log=$1
  background "$@"
  server_pid=$background_pid
  if ! until_up "$server_pid" grep -qEx 'listening on wss?://.*/' "$log"; then
    echo "no 'listening on ws://ADDR/' line from: ${*:2}" >&2
    tail -n 20 "$log" >&2
    stop_server "$log"
    return 1
  fi
  server_addr=$(sed -nE 's#^listening on wss?://(.*)/$#\1#p' "$log")
}

# stop_server LOG [STATUS]: SIGTERM has to end it with that exit status, 0 if none is given; after 30 s it is killed
stop_server() {
  local status wanted=${2:-0}
  kill -TERM "$server_pid" 2>/dev/null
  wait "$server_pid"
  status=$?
  unset "running[$server_pid]"
  [ "$status" -eq "$wanted" ] && return 0
  echo "the server ended with exit status $status instead of $wanted" >&2
  tail -n 20 "$1" >&2
  return 1
}

# ---- parts

summary=()
failed=0
now() { echo "${EPOCHREALTIME/./}"; }

# part NAME COMMAND...: runs it, tells its time, remembers a failure
part() {
  local name=$1 start tenths verdict=PASS status=0
  shift
  printf '\n--- %s\n' "$name"
  start=$(now)
  "$@" || status=$?
  [ "$status" -eq 0 ] || { verdict=FAIL; failed=1; }
  tenths=$((($(now) - start) / 100000))
  summary+=("$(printf '%-4s %6d.%d s  %s' "$verdict" $((tenths / 10)) $((tenths % 10)) "$name")")
  printf '%s\n' "${summary[-1]}"
  return "$status"
}

skip() {
  summary+=("$(printf '%-4s %10s  %s' FAIL 'not run' "$1")")
  printf '\n--- %s: cannot run, an earlier step failed\n' "$1"
  failed=1
}

# checked LOG CHECK... -- COMMAND...: the command tells each of the checks in a line `ok CHECK`, `n/a CHECK: why` or
# `FAIL CHECK: why`, after a line with its own name; prints a summary, and everything when something is wrong
checked() {
  local log=$1 status=0 wanted=() seen
  shift
  while [ "$1" != -- ]; do
    wanted+=("$1")
    shift
  done
  shift
  limited 600 "$@" >"$log" 2>&1 || status=$?
  seen=$(sed -nE 's#^(ok  |n/a ) ([^:]*).*#\2#p' "$log")
  if [ "$status" -eq 0 ] && [ "$seen" = "$(printf '%s\n' "${wanted[@]}")" ]; then
    printf 'ok   %s: %s of %s checks\n' "$(head -n 1 "$log")" "$(grep -c '^ok  ' "$log")" "${#wanted[@]}"
    sed -n 's#^n/a #     n/a #p' "$log"
    return
  fi
  echo "FAIL $*: exit status $status, and it says:"
  cat "$log"
  return 1
}

# ---- building

# target_directory: where cargo builds; fails where cargo does not say
target_directory() {
  limited 300 cargo metadata --no-deps --format-version 1 | sed -nE 's/.*"target_directory":"([^"]*)".*/\1/p' | grep .
}

# ---- installing

# Downloads are tried again.
export CARGO_NET_RETRY=10 RUSTUP_MAX_RETRIES=10 PIP_RETRIES=10 npm_config_fetch_retries=5

# fetched COMMAND...: what takes from the network, which may fail for a while: tried three times
fetched() {
  local pause
  for pause in 5 30 0; do
    "$@" && return
    echo "not fetched: $*" >&2
    limited 60 sleep "$pause"
  done
  return 1
}

# packages NAME...: from the system's package manager
packages() {
  local apt=(apt-get)
  [ "$(id -u)" -eq 0 ] || apt=(sudo -n apt-get)
  command -v apt-get >/dev/null || { echo "please install: $*" >&2; return 1; }
  fetched limited 300 "${apt[@]}" -qq -o Acquire::Retries=10 update &&
    fetched limited 900 "${apt[@]}" -qq -y --no-install-recommends -o Acquire::Retries=10 -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 install "$@" >/dev/null
}

needs_node() {
  local tool
  for tool in node npm; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: Node 20.18 or later with npm is needed" >&2; return 1; }
  done
}

# npm_packages FROM TO: those of FROM's package.json, in the versions of its package-lock.json, for the programs below TO
npm_packages() {
  needs_node || return
  cmp -s "$1/package-lock.json" "$2/node_modules/installed" && return
  mkdir -p "$2" && cp "$1/package.json" "$1/package-lock.json" "$2/" &&
    fetched limited 600 npm ci --prefix "$2" --silent --no-audit --no-fund --ignore-scripts &&
    cp "$1/package-lock.json" "$2/node_modules/installed"
}

# node_packages: for all programs below $dir
node_packages() { npm_packages "$here" "$dir"; }

# python_packages: those of requirements.txt, for $dir/python/bin/python
python_packages() {
  python3 -c 'import venv, ensurepip' 2>/dev/null || packages python3-venv || return
  cmp -s "$here/requirements.txt" "$dir/python/installed" && return
  rm -rf "$dir/python" && limited 300 python3 -m venv "$dir/python" &&
    fetched limited 600 "$dir/python/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt" &&
    cp "$here/requirements.txt" "$dir/python/installed"
}

# programs NAME: copies those of tests/interop/NAME, and what Python's share, to where they find their packages
programs() {
  mkdir -p "$dir/$1" && cp -r "$here"/*.py "$here/$1"/* "$dir/$1/"
}
