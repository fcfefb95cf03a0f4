# shellcheck shell=bash disable=SC2154  # here, dir, server: of tests/interop/run
# Autobahn|Testsuite: its fuzzing client against the server, its fuzzing server against the client's role.

autobahn_install() {
  local need=()
  command -v gcc >/dev/null || need+=(gcc libc6-dev)
  command -v ip >/dev/null || need+=(iproute2)
  python3 -c 'import venv, ensurepip' 2>/dev/null || need+=(python3-venv)
  [ ${#need[@]} -eq 0 ] || packages "${need[@]}" || return
  limited 900 "$here/autobahn/get-wstest" "$dir/wstest"
}

autobahn_parts() {
  part "autobahn: application thread" autobahn_server app
  part "autobahn: connection threads" autobahn_server own
  part "autobahn: client" autobahn_client whole
  part "autobahn: client, split" autobahn_client split
}

autobahn_server() {
  local mode=$1 out="$dir/autobahn-$1" status=0
  rm -rf "$out" && mkdir -p "$out" || return
  start_server "$out/server.log" "$server" 127.0.0.1:0 "$mode" || return
  autobahn_spec "\"servers\":[{\"agent\":\"wshub-$mode\",\"url\":\"ws://$server_addr\"}]" >"$out/spec.json"
  if ! limited 300 env -C "$out" "$dir/wstest/wstest" -m fuzzingclient -s spec.json >"$out/wstest.log" 2>&1; then
    status=1
    echo "wstest failed:" >&2
    tail -n 20 "$out/wstest.log" >&2
  fi
  stop_server "$out/server.log" || status=1
  autobahn_verdict "$mode" || status=1
  return "$status"
}

# The fuzzing server always listens on all addresses, whatever its spec says: so it runs where there is only loopback.
autobahn_client() {
  local mode=$1 out="$dir/autobahn-$1" status=0 namespace=(unshare -n)
  rm -rf "$out" && mkdir -p "$out" || return
  [ "$(id -u)" -eq 0 ] || namespace=(unshare -rn)
  autobahn_spec '"url":"ws://127.0.0.1:9031"' >"$out/spec.json"
  if ! limited 300 "${namespace[@]}" env -C "$out" "$here/autobahn/with-fuzzingserver" "$dir/wstest/wstest" \
    "$dir/wshub/release/client" autobahn "$mode" ws://127.0.0.1:9031/ "wshub-$mode" >"$out/wstest.log" 2>&1; then
    status=1
    echo "wstest or the client failed:" >&2
    tail -n 20 "$out/wstest.log" >&2
  fi
  autobahn_verdict "$mode" || status=1
  return "$status"
}

# Sections 12 and 13 are permessage-deflate.
autobahn_spec() {
  printf '{"outdir":".",%s,"cases":["*"],"exclude-cases":["12.*","13.*"],"exclude-agent-cases":{}}\n' "$1"
}

# 7.1.6, 7.13.1 and 7.13.2 are INFORMATIONAL by design: the RFC leaves them open.
autobahn_verdict() {
  local mode=$1 out="$dir/autobahn-$1"
  if [ ! -f "$out/index.json" ]; then
    echo "wstest wrote no report" >&2
    return 1
  fi
  "$here/autobahn/verdict" "$out/index.json" "wshub-$mode" 301 7.1.6=INFORMATIONAL 7.13.1=INFORMATIONAL 7.13.2=INFORMATIONAL && return
  echo "the reports are in $out"
  return 1
}
