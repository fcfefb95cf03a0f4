# shellcheck shell=bash disable=SC2154  # here, dir: of tests/interop/run and support.sh
# Proxies of Debian in front of the server, with the configurations of examples/proxies: nginx, HAProxy, Caddy and Apache httpd; and two
# servers of Socket.IO behind those that keep a visitor at one of them.

proxies_brief_checks=(page 'chat over TLS' 'client address')
proxies_phone_checks=('50 MB to a phone' '50 MB to a phone over TLS')
proxies_sticky_checks=(polling upgrade websocket 'both servers' 'no cookie' 'one server leaves')
proxies_whole_checks=(page 'page over TLS' chat 'chat over TLS' 'another origin' 'another origin over TLS' 'another name' 'client address'
  'claims without a proxy' body 'wshub client' 'wshub client over TLS' '50 MB' '50 MB over TLS' silence 'silence over TLS' 'slow client'
  1001 '1001 over TLS' 'server restarted' 'proxy reloaded' 'proxy restarted' 'silence without pings')

proxies_install() {
  local need=() program
  for program in nginx haproxy caddy apache2 openssl; do
    PATH="$PATH:/usr/sbin" command -v "$program" >/dev/null || need+=("${program/#nginx/nginx-light}")
  done
  [ ${#need[@]} -eq 0 ] || packages "${need[@]}" || return
  node_packages && programs proxies &&
    limited 60 openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=device.example.com \
      -addext basicConstraints=CA:FALSE -addext 'subjectAltName=DNS:device.example.com,DNS:localhost,IP:127.0.0.1' \
      -keyout "$dir/proxies/device.example.com.key" -out "$dir/proxies/device.example.com.crt" 2>/dev/null &&
    cat "$dir/proxies/device.example.com."{crt,key} >"$dir/proxies/device.example.com.pem"
}

# PROXIES_PHONE=1: a large page for a slow client in place of everything else, which takes minutes.
proxies_parts() {
  local name
  if [ -n "${PROXIES_PHONE:-}" ]; then
    for name in nginx 'haproxy http' 'haproxy PROXY v2' caddy 'apache upgrade'; do
      part "proxies: $name, phone" behind "$name" phone "${proxies_phone_checks[@]}"
    done
    return
  fi
  for name in nginx 'haproxy http' 'haproxy PROXY v2' caddy 'apache upgrade' 'apache wstunnel'; do
    part "proxies: $name" behind "$name" whole "${proxies_whole_checks[@]}"
  done
  part "proxies: haproxy PROXY v1" behind 'haproxy PROXY v1' brief "${proxies_brief_checks[@]}"
  for name in nginx haproxy; do
    part "proxies: $name, Socket.IO at two servers" behind "$name sticky" sticky "${proxies_sticky_checks[@]}"
  done
}

# behind PROXY whole|brief|phone|sticky CHECK...
behind() {
  local name=$1 scenario=$2 out="$dir/proxies/${1// /-}" program=(judge.mjs "$1" "$2" --client "$dir/wshub/release/client") server=proxied
  shift 2
  [ "$scenario" != sticky ] || { program=(sticky.mjs "$name"); server=socketio; }
  rm -rf "$out" && mkdir -p "$out" || return
  checked "$out/checks.log" "$@" -- node "$dir/proxies/${program[0]}" "${program[@]:1}" --dir "$out" --examples "$here/../../examples/proxies" \
    --server "$dir/wshub/release/$server" --certificate "$dir/proxies/device.example.com.crt"
}
