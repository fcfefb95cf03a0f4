# shellcheck shell=bash disable=SC2154  # here, dir, server_addr: of tests/interop/run and support.sh
# The clients of Socket.IO and Engine.IO against the server, by polling, over a WebSocket and from the one to the other; the cases of the
# protocols' own test suites, ten times over, or three times where they wait for pings; and the same raw requests to the server and to
# npm's, whose answers have to be alike.

socketio_checks=('event and answer' proof binary rooms '2,000 in order' 'asked back' namespaces refusal 'wrong arguments' kicked 'too large' heartbeat
  'heartbeat lost' reconnect)
socketio_python_checks=('event and answer' proof binary rooms 'all of 2,000' 'asked back' namespaces refusal kicked heartbeat)
socketio_rust_checks=('event and answer' proof binary rooms '2,000 in order' 'no answer in time' namespaces refusal kicked heartbeat disconnect)
socketio_raw_checks=('refused requests' 'refused WebSockets' 'handshake, event and answer by polling' 'binary by polling' namespaces 'two GETs at once'
  'malformed packets' 'a body of bytes, and one too large' 'the client closes' 'broken rules of Socket.IO' 'over a WebSocket' upgrade
  'an upgrade that begins wrongly')

socketio_recovery_checks=(recovered 'its id' 'what it missed' 'its rooms')

socketio_cluster_checks=('answers of both' '2,000 in order' rooms 'one by its id' disconnected)

socketio_moving_checks=(recovered 'its id' 'all of the one server' 'all of the other')

engineio_checks=(text bytes '2,000 in order' 'while it upgrades' 'closed by the server' 'too large' heartbeat 'heartbeat lost')

socketio_install() {
  command -v redis-server >/dev/null || packages redis-server || return
  node_packages && python_packages && programs socketio
}

socketio_parts() {
  part "socketio: clients" socketio_clients
  part "socketio: rust_socketio" socketio_rust
  part "socketio: recovery" socketio_recovery
  part "socketio: two servers over Redis" socketio_cluster
  part "socketio: from one server to another" socketio_moving
  part "socketio: engine.io-client" engineio_clients
  part "socketio: the protocols' own cases" socketio_suites
  part "socketio: beside npm's server" socketio_raw
}

# in_each_mode NAME CHECK... -- COMMAND...: a client by polling, over a WebSocket and from the one to the other, as its last argument says
in_each_mode() {
  local name=$1 mode
  shift
  for mode in polling websocket upgrade; do
    socketio_client "$name-$mode" "$@" "$mode" || return
  done
}

socketio_clients() {
  local log="$dir/socketio/server.log" status=0
  start_server "$log" "$dir/wshub/release/socketio" 127.0.0.1:0 1000 || return
  in_each_mode node "${socketio_checks[@]}" -- node socketio.mjs "http://$server_addr/" || status=1
  in_each_mode python "${socketio_python_checks[@]}" -- "$dir/python/bin/python" python.py "http://$server_addr/" || status=1
  stop_server "$log" || status=1
  return "$status"
}

# Its TLS is OpenSSL's, though nothing here uses it.
socketio_rust() {
  local log="$dir/socketio/rust-server.log" status=0
  pkg-config --exists openssl 2>/dev/null || packages libssl-dev pkg-config || return
  limited 1800 cargo build --locked --manifest-path "$here/rust_socketio/Cargo.toml" --target-dir "$dir/rust_socketio" || return
  start_server "$log" "$dir/wshub/release/socketio" 127.0.0.1:0 1000 || return
  in_each_mode rust "${socketio_rust_checks[@]}" -- "$dir/rust_socketio/debug/wshub-interop-rust-socketio" "http://$server_addr/" || status=1
  stop_server "$log" || status=1
  return "$status"
}

socketio_recovery() {
  local log="$dir/socketio/recovery-server.log" status=0
  start_server "$log" "$dir/wshub/release/socketio" 127.0.0.1:0 1000 recovery || return
  in_each_mode recovery "${socketio_recovery_checks[@]}" -- node recovery.mjs "http://$server_addr/" || status=1
  stop_server "$log" || status=1
  return "$status"
}

socketio_cluster() {
  on_two_servers cluster cluster "${socketio_cluster_checks[@]}"
}

socketio_moving() {
  on_two_servers moving recovery "${socketio_moving_checks[@]}"
}

# on_two_servers SCRIPT MODE CHECK...: of servers in this mode, over a Redis at a socket of Unix, for which no port has to be free. They ping so
# seldom that a client on a busy machine is not given up.
on_two_servers() {
  local script=$1 servers=$2 socket="$dir/socketio/redis.sock" log="$dir/socketio/$1" status=0 one one_pid
  shift 2
  # Where another one has left it, it would be asked in place of this one.
  rm -f "$socket"
  background "$log-redis.log" redis-server --port 0 --unixsocket "$socket" --save '' --dir "$dir/socketio"
  local redis_pid=$background_pid
  until_up "$redis_pid" redis-cli -s "$socket" ping >/dev/null || { echo "no redis-server" >&2; return 1; }
  start_server "$log-one.log" "$dir/wshub/release/socketio" 127.0.0.1:0 10000 "$servers" "unix://$socket" || return
  one=$server_addr one_pid=$server_pid
  if start_server "$log-two.log" "$dir/wshub/release/socketio" 127.0.0.1:0 10000 "$servers" "unix://$socket"; then
    in_each_mode "$script" "$@" -- node "$script.mjs" "http://$one/" "http://$server_addr/" || status=1
    stop_server "$log-two.log" || status=1
  else
    status=1
  fi
  server_pid=$one_pid
  stop_server "$log-one.log" || status=1
  server_pid=$redis_pid
  stop_server "$log-redis.log" || status=1
  return "$status"
}

engineio_clients() {
  local log="$dir/socketio/engineio-server.log" status=0
  start_server "$log" "$dir/wshub/release/engineio" 127.0.0.1:0 1000 5000 || return
  in_each_mode engineio "${engineio_checks[@]}" -- node engineio.mjs "http://$server_addr/" || status=1
  stop_server "$log" || status=1
  return "$status"
}

socketio_suites() {
  local status=0
  suite engine engineio 100000 100000 || status=1
  suite engine engineio 1000 5000 slow || status=1
  suite socket socketio 100000 suite || status=1
  suite socket socketio 1000 suite slow || status=1
  return "$status"
}

# suite engine|socket SERVER PING PONG|suite [slow]
suite() {
  local log="$dir/socketio/suite-server.log" status=0 round rounds=10 pong=$4
  [ "$pong" != suite ] || pong=$((5 * $3))
  [ $# -eq 4 ] || rounds=3
  start_server "$log" "$dir/wshub/release/$2" 127.0.0.1:0 "$3" "$4" || return
  for ((round = 0; round < rounds; round++)); do
    limited 300 env -C "$dir/socketio" node suite.mjs "$1" "http://$server_addr/" "$3" "$pong" "${@:5}" || { status=1; break; }
  done
  stop_server "$log" || status=1
  return "$status"
}

socketio_raw() {
  local reference_log="$dir/socketio/reference.log" log="$dir/socketio/raw.log" status=0 reference reference_pid
  start_server "$reference_log" env -C "$dir/socketio" node reference.mjs || return
  reference=$server_addr reference_pid=$server_pid
  if start_server "$log" "$dir/wshub/release/socketio" 127.0.0.1:0; then
    socketio_client raw-client "${socketio_raw_checks[@]}" -- node raw.mjs "http://$server_addr/" "http://$reference/" || status=1
    stop_server "$log" || status=1
  else
    status=1
  fi
  server_pid=$reference_pid
  stop_server "$reference_log" || status=1
  return "$status"
}

# socketio_client NAME CHECK... -- COMMAND...
socketio_client() {
  local log="$dir/socketio/$1.log"
  shift
  local checks=()
  while [ "$1" != -- ]; do checks+=("$1") && shift; done
  checked "$log" "${checks[@]}" -- env -C "$dir/socketio" "${@:2}"
}
