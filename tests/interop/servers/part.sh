# shellcheck shell=bash disable=SC2154  # here, dir, server_addr, server_pid: of tests/interop/run and support.sh
# The client's role against foreign servers. Each echoes; a connection to /fragments gets its message back in several frames, one to
# /ping what the pong to a ping with its message brought, one to /close/CODE that code, its message the reason.
# They tell how each connection ended; tests/interop/wshub's client tells the checks.

server_checks=(text 'binary 64 KiB' 'binary 1 MiB' fragments 'ping from the server' 'ping to the server' 'client closes'
  'server closes 1000' 'server closes 3000' 'server closes 4999')

servers_install() {
  node_packages && python_packages && programs servers &&
    limited 1800 cargo build --release --locked --manifest-path "$here/tungstenite/Cargo.toml" --target-dir "$dir/tungstenite"
}

servers_parts() {
  part "servers: npm ws" foreign_server 0 node "$dir/servers/ws.mjs"
  part "servers: PyPI websockets" foreign_server 0 "$dir/python/bin/python" "$dir/servers/python_websockets.py"
  local kind
  for kind in deflate takeover; do
    COMPRESSION=$kind part "servers: $kind, npm ws" foreign_server 0 node "$dir/servers/ws.mjs"
    COMPRESSION=$kind part "servers: $kind, PyPI websockets" foreign_server 0 "$dir/python/bin/python" "$dir/servers/python_websockets.py"
  done
  part "servers: tungstenite" foreign_server 143 "$dir/tungstenite/release/server"
}

# foreign_server STATUS COMMAND...: STATUS after SIGTERM
foreign_server() {
  local log="$dir/servers/server.log" status=0
  start_server "$log" "${@:2}" || return
  head -n 1 "$log"
  checked "$dir/servers/client.log" "${server_checks[@]}" -- "$dir/wshub/release/client" checks "ws://$server_addr/" || status=1
  if ! until_up "$server_pid" all_closed "$log" || grep -E '1006|error' "$log"; then
    echo "the server saw another end than a clean one for each check:" >&2
    cat "$log" >&2
    status=1
  fi
  stop_server "$log" "$1" || status=1
  return "$status"
}

all_closed() { [ "$(grep -c '^close' "$1")" -eq "${#server_checks[@]}" ]; }
