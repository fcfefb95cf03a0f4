# shellcheck shell=bash disable=SC2154  # dir, server_addr: of tests/interop/run and support.sh
# The counters as Prometheus reads them: promtool judges names, types and help of the page behind some traffic.

metrics_install() {
  local need=()
  command -v promtool >/dev/null || need+=(prometheus)
  command -v curl >/dev/null || need+=(curl)
  [ ${#need[@]} -eq 0 ] || packages "${need[@]}"
}

metrics_parts() {
  part "metrics: promtool" metrics_checked
}

metrics_checked() {
  local out="$dir/metrics" status=0
  mkdir -p "$out" || return
  start_server "$out/server.log" "$dir/wshub/release/proxied" 127.0.0.1:0 1000 || return
  limited 60 "$dir/wshub/release/client" checks "ws://$server_addr/" >"$out/client.log" || status=1
  # One that is refused, so that there is a reason.
  limited 60 curl -sS -o "$out/refused" -H 'Host: evil.example.com' "http://$server_addr/" || status=1
  limited 60 curl -sSf -o "$out/page" "http://$server_addr/metrics" || status=1
  limited 60 sh -c "promtool check metrics <'$out/page'" || status=1
  grep -qx 'wshub_connections_refused_total{reason="host"} 1' "$out/page" || status=1
  grep -qx 'wshub_handshake_seconds_count [1-9][0-9]*' "$out/page" || status=1
  [ "$status" -eq 0 ] || cat "$out/page"
  stop_server "$out/server.log" || status=1
  return "$status"
}
