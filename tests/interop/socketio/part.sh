# shellcheck shell=bash disable=SC2154  # here, dir, server_addr: of tests/interop/run and support.sh
# The clients of Socket.IO and Engine.IO against the server, by polling, over a WebSocket and from the one to the other; the cases of the
# protocols' own test suites, ten times over; and the same raw requests to the server and to npm's, whose answers have to be alike.

socketio_checks=('event and answer' proof binary rooms '2,000 in order' 'asked back' namespaces refusal 'wrong arguments' kicked 'too large' heartbeat
  'heartbeat lost' reconnect)
socketio_python_checks=('event and answer' proof binary rooms '2,000 in order' 'asked back' namespaces refusal kicked heartbeat)
socketio_rust_checks=('event and answer' proof binary rooms '2,000 in order' 'no answer in time' namespaces refusal kicked heartbeat disconnect)
socketio_raw_checks=('refused requests' 'refused WebSockets' 'handshake, event and answer by polling' 'binary by polling' namespaces 'two GETs at once'
  'malformed packets' 'a body of bytes, and one too large' 'the client closes' 'broken rules of Socket.IO' 'over a WebSocket' upgrade
  'an upgrade that begins wrongly')

socketio_recovery_checks=(recovered 'its id' 'what it missed' 'its rooms')

engineio_checks=(text bytes '2,000 in order' 'while it upgrades' 'closed by the server' 'too large' heartbeat 'heartbeat lost')

socketio_install() { node_packages && python_packages && programs socketio; }

socketio_parts() {
  part "socketio: clients" socketio_clients
  part "socketio: rust_socketio" socketio_rust
  part "socketio: recovery" socketio_recovery
  part "socketio: engine.io-client" engineio_clients
  part "socketio: the protocols' own cases" socketio_suites
  part "socketio: beside npm's server" socketio_raw
}

socketio_clients() {
  local log="$dir/socketio/server.log" status=0 mode
  start_server "$log" "$dir/wshub/release/socketio" 127.0.0.1:0 1000 || return
  for mode in polling websocket upgrade; do
    socketio_client "node-$mode" "${socketio_checks[@]}" -- node socketio.mjs "http://$server_addr/" "$mode" || status=1
    socketio_client "python-$mode" "${socketio_python_checks[@]}" -- "$dir/python/bin/python" python.py "http://$server_addr/" "$mode" || status=1
  done
  stop_server "$log" || status=1
  return "$status"
}

# Its TLS is OpenSSL's, though nothing here uses it.
socketio_rust() {
  local log="$dir/socketio/rust-server.log" status=0 mode
  pkg-config --exists openssl 2>/dev/null || packages libssl-dev pkg-config || return
  limited 900 cargo build --locked --manifest-path "$here/rust_socketio/Cargo.toml" --target-dir "$dir/rust_socketio" || return
  start_server "$log" "$dir/wshub/release/socketio" 127.0.0.1:0 1000 || return
  for mode in polling websocket upgrade; do
    socketio_client "rust-$mode" "${socketio_rust_checks[@]}" -- "$dir/rust_socketio/debug/wshub-interop-rust-socketio" "http://$server_addr/" "$mode" || status=1
  done
  stop_server "$log" || status=1
  return "$status"
}

socketio_recovery() {
  local log="$dir/socketio/recovery-server.log" status=0 mode
  start_server "$log" "$dir/wshub/release/socketio" 127.0.0.1:0 1000 recovery || return
  for mode in polling websocket upgrade; do
    socketio_client "recovery-$mode" "${socketio_recovery_checks[@]}" -- node recovery.mjs "http://$server_addr/" "$mode" || status=1
  done
  stop_server "$log" || status=1
  return "$status"
}

engineio_clients() {
  local log="$dir/socketio/engineio-server.log" status=0 mode
  start_server "$log" "$dir/wshub/release/engineio" 127.0.0.1:0 1000 5000 || return
  for mode in polling websocket upgrade; do
    socketio_client "engineio-$mode" "${engineio_checks[@]}" -- node engineio.mjs "http://$server_addr/" "$mode" || status=1
  done
  stop_server "$log" || status=1
  return "$status"
}

socketio_suites() {
  local log="$dir/socketio/suite-server.log" status=0 round
  start_server "$log" "$dir/wshub/release/engineio" 127.0.0.1:0 300 200 || return
  for ((round = 0; round < 10; round++)); do
    limited 60 env -C "$dir/socketio" node suite.mjs engine "http://$server_addr/" || status=1
  done
  stop_server "$log" || status=1
  start_server "$log" "$dir/wshub/release/socketio" 127.0.0.1:0 300 suite || return
  for ((round = 0; round < 10; round++)); do
    limited 60 env -C "$dir/socketio" node suite.mjs socket "http://$server_addr/" || status=1
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
  local log="$dir/socketio/$1.log" wanted=()
  shift
  while [ "$1" != -- ]; do
    wanted+=("$1")
    shift
  done
  shift
  checked "$log" "${wanted[@]}" -- env -C "$dir/socketio" "$@"
}
