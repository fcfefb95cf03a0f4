# shellcheck shell=bash disable=SC2154  # here, dir, server, server_addr: of tests/interop/run and support.sh
# Foreign clients against the server: each program here takes the server's URL, and tells its own name in the first line, then one
# line for each check: `ok`, `FAIL NAME: why`, or `n/a NAME: why` where the client's API has no such thing. Exit status 1 after a FAIL.

client_checks=(text 'binary 64 KiB' 'binary 1 MiB' fragments ping 'client closes' 'server closes 1000' 'server closes 3000' 'server closes 4999')

clients_install() {
  local need=()
  command -v java >/dev/null || need+=(openjdk-17-jdk-headless)
  command -v go >/dev/null || need+=(golang-go)
  [ -d /usr/share/gocode/src/github.com/gorilla/websocket ] || need+=(golang-github-gorilla-websocket-dev)
  [ ${#need[@]} -eq 0 ] || packages "${need[@]}" || return
  node_packages && python_packages && programs clients &&
    limited 1800 cargo build --release --locked --manifest-path "$here/tungstenite/Cargo.toml" --target-dir "$dir/tungstenite" &&
    GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE="$dir/clients/gocache" limited 900 go build -o "$dir/clients/gorilla" "$here/clients/gorilla.go" &&
    limited 600 javac -d "$dir/clients" "$here/clients/JavaNetHttp.java"
}

clients_parts() {
  part "clients: application thread" clients app
  part "clients: connection threads" clients own
  part "clients: compression, application thread" clients app deflate
  part "clients: compression, connection threads" clients own takeover
}

# clients MODE [COMPRESSION]
clients() {
  local log="$dir/clients/server-$1${2:+-$2}.log" status=0 program
  start_server "$log" "$server" 127.0.0.1:0 "$@" || return
  for program in ws undici; do client "$program" node "$program.mjs" || status=1; done
  client node node --experimental-websocket node.mjs || status=1
  for program in python_websockets python_websocket_client python_aiohttp python_pycurl; do
    client "$program" "$dir/python/bin/python" "$program.py" || status=1
  done
  client java java JavaNetHttp || status=1
  client gorilla ./gorilla || status=1
  client tungstenite "$dir/tungstenite/release/client" || status=1
  stop_server "$log" || status=1
  if grep -vxE 'listening on .*|close [0-9]* clean( compressed)?' "$log"; then
    echo "the server saw another end than a clean one" >&2
    status=1
  fi
  # npm ws, undici (and Node with it) and PyPI websockets offer compression by themselves.
  if [ -n "${2:-}" ] && [ "$(grep -c compressed "$log")" -lt $((4 * 7)) ]; then
    echo "only $(grep -c compressed "$log") connections with compression" >&2
    status=1
  fi
  return "$status"
}

# client NAME COMMAND...: one client; its full output only when something is wrong
client() {
  local log="$dir/clients/$1.log"
  shift
  checked "$log" "${client_checks[@]}" -- env -C "$dir/clients" "$@" "ws://$server_addr/"
}
