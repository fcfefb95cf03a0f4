# shellcheck shell=bash disable=SC2154  # here, dir, server: of tests/interop/run
# Autobahn|Testsuite: its fuzzing client against the server, its fuzzing server against the client's role.

autobahn_install() {
  local need=()
  command -v gcc >/dev/null || need+=(gcc libc6-dev)
  command -v ip >/dev/null || need+=(iproute2)
  python3 -c 'import venv, ensurepip' 2>/dev/null || need+=(python3-venv)
  [ ${#need[@]} -eq 0 ] || packages "${need[@]}" || return
  fetched limited 900 "$here/autobahn/get-wstest" "$dir/wstest"
}

autobahn_parts() {
  part "autobahn: application thread" autobahn_server app
  part "autobahn: connection threads" autobahn_server own
  part "autobahn: client" autobahn_client whole
  part "autobahn: client, split" autobahn_client split
  part "autobahn: compression, application thread" autobahn_server app deflate
  part "autobahn: compression, connection threads" autobahn_server own takeover
  part "autobahn: compression, client" autobahn_client whole deflate
  part "autobahn: compression, client, split" autobahn_client split takeover
}

# autobahn_server MODE [COMPRESSION]
autobahn_server() {
  local name=$1${2:+-$2} status=0
  local out="$dir/autobahn-$name"
  rm -rf "$out" && mkdir -p "$out" || return
  start_server "$out/server.log" "$server" 127.0.0.1:0 "$@" || return
  autobahn_spec "\"servers\":[{\"agent\":\"wshub-$name\",\"url\":\"ws://$server_addr\"}]" "${2:-}" >"$out/spec.json"
  if ! limited "$(autobahn_patience "${2:-}")" env -C "$out" "$dir/wstest/wstest" -m fuzzingclient -s spec.json >"$out/wstest.log" 2>&1; then
    status=1
    echo "wstest failed:" >&2
    tail -n 20 "$out/wstest.log" >&2
  fi
  stop_server "$out/server.log" || status=1
  autobahn_verdict "$name" "${2:-}" || status=1
  return "$status"
}

# autobahn_client MODE [COMPRESSION]
# The fuzzing server always listens on all addresses, whatever its spec says: so it runs where there is only loopback.
autobahn_client() {
  local name=$1${2:+-$2} status=0 namespace=(unshare -n)
  local out="$dir/autobahn-$name"
  rm -rf "$out" && mkdir -p "$out" || return
  [ "$(id -u)" -eq 0 ] || namespace=(unshare -rn)
  autobahn_spec '"url":"ws://127.0.0.1:9031"' "${2:-}" >"$out/spec.json"
  if ! limited "$(autobahn_patience "${2:-}")" "${namespace[@]}" env -C "$out" ${2:+"COMPRESSION=$2"} \
    "$here/autobahn/with-fuzzingserver" "$dir/wstest/wstest" \
    "$dir/wshub/release/client" autobahn "$1" ws://127.0.0.1:9031/ "wshub-$name" >"$out/wstest.log" 2>&1; then
    status=1
    echo "wstest or the client failed:" >&2
    tail -n 20 "$out/wstest.log" >&2
  fi
  autobahn_verdict "$name" "${2:-}" || status=1
  return "$status"
}

# Sections 12 and 13 are permessage-deflate: 216 cases of a thousand messages each. AUTOBAHN_COMPRESSION=all runs them all, which takes
# an hour; else a dozen stand for them, each section with messages of 16 bytes.
autobahn_sample=(12.1.1 12.2.1 12.3.1 12.4.1 12.5.1 13.1.1 13.2.1 13.3.1 13.4.1 13.5.1 13.6.1 13.7.1)

# autobahn_spec WHO COMPRESSION
autobahn_spec() {
  local cases='["*"]' without='["12.*","13.*"]'
  if [ -n "$2" ]; then
    without='[]'
    cases=$(printf '"%s",' "${autobahn_sample[@]}")
    cases="[${cases%,}]"
    [ "${AUTOBAHN_COMPRESSION:-}" != all ] || cases='["12.*","13.*"]'
  fi
  printf '{"outdir":".",%s,"cases":%s,"exclude-cases":%s,"exclude-agent-cases":{}}\n' "$1" "$cases" "$without"
}

autobahn_patience() {
  if [ -n "$1" ] && [ "${AUTOBAHN_COMPRESSION:-}" = all ]; then echo 7200; else echo 1200; fi
}

# 7.1.6, 7.13.1 and 7.13.2 are INFORMATIONAL by design: the RFC leaves them open.
autobahn_verdict() {
  local out="$dir/autobahn-$1" wanted=(301 7.1.6=INFORMATIONAL 7.13.1=INFORMATIONAL 7.13.2=INFORMATIONAL)
  if [ -n "$2" ]; then
    wanted=("${#autobahn_sample[@]}")
    [ "${AUTOBAHN_COMPRESSION:-}" != all ] || wanted=(216)
  fi
  if [ ! -f "$out/index.json" ]; then
    echo "wstest wrote no report" >&2
    return 1
  fi
  "$here/autobahn/verdict" "$out/index.json" "wshub-$1" "${wanted[@]}" && return
  echo "the reports are in $out"
  return 1
}
