# shellcheck shell=bash disable=SC2154  # dir: of tests/interop/run
# Processes of Flask-SocketIO and python-socketio on one message queue with the server: a server of theirs with a client, and a process that
# only emits; with a redis-server of its own, which is killed and started again.

bridge_checks=('a process emits' 'without data' binary 'rooms by a process' '2,000 in order' 'a server emits' 'a callback' 'a call'
  'orders of a server' 'a server disconnects' 'wshub emits' 'binary from wshub' '2,000 from wshub' 'wshub asks' 'orders of wshub'
  'nothing refused' 'Redis killed')

bridge_install() {
  command -v redis-server >/dev/null || packages redis-server || return
  python_packages && programs bridge
}

bridge_parts() {
  part "bridge: python-socketio" bridge_judge plain
  part "bridge: Flask-SocketIO" bridge_judge flask
}

# bridge_judge plain|flask
bridge_judge() {
  local out="$dir/bridge/$1"
  rm -rf "$out" && mkdir -p "$out" || return
  checked "$out/checks.log" "${bridge_checks[@]}" -- "$dir/python/bin/python" "$dir/bridge/judge.py" "$1" "$dir/wshub/release/bridge" "$out"
}
