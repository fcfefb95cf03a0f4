# shellcheck shell=bash disable=SC2154  # here, dir, server, server_addr, server_pid: of tests/interop/run and support.sh
# The server speaking TLS, with a certificate of an authority made here: the same judges over wss://, and openssl itself.

# shellcheck source=tests/interop/autobahn/part.sh
. "$here/autobahn/part.sh"
# shellcheck source=tests/interop/browser/part.sh
. "$here/browser/part.sh"
# shellcheck source=tests/interop/clients/part.sh
. "$here/clients/part.sh"

wss_checks=('TLS 1.2' 'TLS 1.3' 'TLS 1.1 is refused' 'key updates' 'renegotiation is refused' 'another authority' 'plain HTTP')

wss_install() {
  command -v openssl >/dev/null || packages openssl || return
  autobahn_install && browser_install && node_packages && python_packages && programs clients && programs wss && wss_certificates
}

# An authority, and a certificate for localhost that it signs.
wss_certificates() {
  local out="$dir/wss"
  limited 60 openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj '/CN=authority of wshub tests' \
    -keyout "$out/authority.key" -out "$out/authority.pem" 2>/dev/null &&
    limited 60 openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost \
      -keyout "$out/server.key" -out "$out/server.csr" 2>/dev/null &&
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' >"$out/server.ext" &&
    limited 60 openssl x509 -req -in "$out/server.csr" -days 30 -CA "$out/authority.pem" -CAkey "$out/authority.key" -CAcreateserial \
      -extfile "$out/server.ext" -out "$out/server.pem" 2>/dev/null
}

wss_parts() {
  part "wss: openssl s_client" wss_over app wss_openssl
  part "wss: the example with a certificate that openssl makes" wss_example
  part "wss: clients, application thread" wss_over app wss_clients
  part "wss: clients, connection threads" wss_over own wss_clients
  part "wss: Chromium" wss_browser
  part "wss: autobahn 1 to 7, application thread" wss_over app wss_autobahn
  part "wss: autobahn 1 to 7, connection threads" wss_over own wss_autobahn
}

# wss_over MODE COMMAND...: with the server running
wss_over() {
  local mode=$1 log="$dir/wss/server-$1.log" status=0
  shift
  start_server "$log" env TLS_CERTIFICATE="$dir/wss/server.pem" TLS_KEY="$dir/wss/server.key" "$server" 127.0.0.1:0 "$mode" || return
  wss_url="wss://localhost:${server_addr##*:}/"
  "$@" "$mode" || status=1
  stop_server "$log" || status=1
  return "$status"
}

wss_openssl() {
  checked "$dir/wss/openssl.log" "${wss_checks[@]}" -- python3 "$dir/wss/openssl.py" "$wss_url" "$dir/wss/authority.pem"
}

# Run without files: a client that trusts what it prints, and nothing else, gets in.
wss_example() {
  local out="$dir/wss/example" status=0
  # shellcheck disable=SC2016  # expanded by the script
  start_server "$out.log" sh -c 'exec "$0" 127.0.0.1:0 2>"$1"' "$target/release/examples/wss" "$out.pem" || return
  limited 60 openssl s_client -connect "localhost:${server_addr##*:}" -verify_return_error -verify_hostname localhost \
    -CAfile "$out.pem" <<<'' >"$out.said" 2>&1 || status=1
  stop_server "$out.log" || status=1
  [ "$status" -eq 0 ] || cat "$out".*
  return "$status"
}

# The programs of the part `clients`, told whom to trust.
wss_clients() {
  local status=0 program
  for program in ws undici; do wss_client "$program" node "$program.mjs" || status=1; done
  for program in python_websockets python_websocket_client python_aiohttp; do
    wss_client "$program" "$dir/python/bin/python" "$program.py" || status=1
  done
  return "$status"
}

wss_client() {
  local log="$dir/wss/$1.log"
  shift
  checked "$log" "${client_checks[@]}" -- env -C "$dir/clients" NODE_EXTRA_CA_CERTS="$dir/wss/authority.pem" SSL_CERT_FILE="$dir/wss/authority.pem" \
    WEBSOCKET_CLIENT_CA_BUNDLE="$dir/wss/authority.pem" "$@" "$wss_url"
}

wss_browser() {
  limited 600 node "$here/wss/browser.mjs" --modules "$dir/browser" --out "$dir/wss" --chromium "${CHROMIUM:-$(command -v chromium)}" \
    --server "$server" --certificate "$dir/wss/server.pem" --key "$dir/wss/server.key"
}

# Sections 1 to 7; wstest trusts every certificate.
wss_autobahn() {
  local out="$dir/wss/autobahn-$1" status=0
  rm -rf "$out" && mkdir -p "$out" || return
  printf '{"outdir":"%s","servers":[{"agent":"wshub-wss-%s","url":"%s"}],"cases":["1.*","2.*","3.*","4.*","5.*","6.*","7.*"],"exclude-cases":[],"exclude-agent-cases":{}}\n' \
    "$out" "$1" "$wss_url" >"$out/spec.json"
  if ! limited "$(autobahn_patience "")" env -C "$out" "$dir/wstest/wstest" -m fuzzingclient -s spec.json >"$out/wstest.log" 2>&1; then
    status=1
    echo "wstest failed:" >&2
    tail -n 20 "$out/wstest.log" >&2
  fi
  "$here/autobahn/verdict" "$out/index.json" "wshub-wss-$1" 246 7.1.6=INFORMATIONAL 7.13.1=INFORMATIONAL 7.13.2=INFORMATIONAL || status=1
  [ "$status" -eq 0 ] || echo "the reports are in $out"
  return "$status"
}
