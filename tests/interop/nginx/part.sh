# shellcheck shell=bash disable=SC2154  # here, dir, target, server, broadcast, server_addr, server_pid and more: of tests/interop/run and support.sh
# nginx with the configuration of src/guide/deployment.md, in front of the broadcast example and of the server.

# shellcheck source=tests/interop/servers/part.sh
. "$here/servers/part.sh"

nginx_install() {
  local need=()
  command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || need+=(nginx-light)
  command -v openssl >/dev/null || need+=(openssl)
  [ ${#need[@]} -eq 0 ] || packages "${need[@]}" || return
  node_packages && programs nginx &&
    limited 60 openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=device.example.com \
      -addext basicConstraints=CA:FALSE -addext 'subjectAltName=DNS:device.example.com,DNS:localhost,IP:127.0.0.1' \
      -keyout "$dir/nginx/device.example.com.key" -out "$dir/nginx/device.example.com.crt" 2>/dev/null
}

nginx_parts() {
  part "nginx: in front of the broadcast example" behind_nginx example 60s "$broadcast" 127.0.0.1:0
  part "nginx: in front of the server, pings each second" behind_nginx server 3s "$server" 127.0.0.1:0 own 1000
  part "nginx: between the client and the server" behind_nginx client 60s "$server" 127.0.0.1:0 app
  part "nginx: in front of the server, no pings" behind_nginx cut 3s "$server" 127.0.0.1:0 app 0
}

# behind_nginx SCENARIO READ_TIMEOUT SERVER...: visitor.mjs is the browser, or wshub's client comes
behind_nginx() {
  local scenario=$1 timeout=$2 out="$dir/nginx/$1" status=0 checks
  shift 2
  rm -rf "$out" && mkdir -p "$out" || return
  start_server "$out/server.log" "$@" || return
  case $scenario in
    example) checks=('page' 'page over TLS' 'chat' 'chat over TLS' 'another origin' 'another origin over TLS' 'another name' '1001 at SIGTERM' '1001 at SIGTERM over TLS') ;;
    server) checks=('public name' 'another origin' 'X-Forwarded-For' 'silence' 'silence over TLS') ;;
    cut) checks=('silence') ;;
    client) checks=("${server_checks[@]}") ;;
  esac
  if start_nginx "$out" "$timeout"; then
    if [ "$scenario" = client ]; then
      through_nginx "ws://localhost:$nginx_plain/" || status=1
      through_nginx "wss://localhost:$nginx_tls/" || status=1
    else
      checked "$out/visitor.log" "${checks[@]}" -- \
        node "$dir/nginx/visitor.mjs" "$scenario" "$nginx_plain" "$nginx_tls" "$dir/nginx/device.example.com.crt" "$server_pid" || status=1
    fi
    stop_nginx "$out" || status=1
  else
    status=1
  fi
  # Given up by nginx, the server saw no Close frame: once, and it is no fault.
  if [ "$scenario" = cut ] && ! diff <(sed 1d "$out/server.log") <(echo 'close 1006 unclean'); then
    echo "the server saw something else than one abnormal end" >&2
    status=1
  fi
  stop_server "$out/server.log" || status=1
  return "$status"
}

through_nginx() {
  checked "$out/client.log" "${checks[@]}" -- env TLS_CA="$dir/nginx/device.example.com.crt" "$dir/wshub/release/client" checks "$1"
}

# start_nginx OUT READ_TIMEOUT: waits until it listens; sets nginx_pid, nginx_plain, nginx_tls
start_nginx() {
  local out=$1 block temp
  read -r nginx_plain nginx_tls < <(python3 -c 'import socket; s = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]; print(*(x.getsockname()[1] for x in s))')
  # shellcheck disable=SC2016  # the backticks are Markdown's
  block=$(sed -n '/^```nginx$/,/^```$/{//!p}' src/guide/deployment.md | sed -e "s#listen 80;#listen 127.0.0.1:$nginx_plain;#" \
    -e "s#listen 443 ssl;#listen 127.0.0.1:$nginx_tls ssl;#" -e "s#/etc/nginx/device#$dir/nginx/device#" \
    -e "s#http://127.0.0.1:9001;#http://$server_addr;#" -e "s#proxy_read_timeout 60s;#proxy_read_timeout $2;#")
  {
    printf 'daemon off; pid nginx.pid; error_log stderr; events {}\nhttp {\naccess_log off;\n'
    for temp in client_body proxy fastcgi uwsgi scgi; do echo "${temp}_temp_path $temp;"; done
    printf '%s\n}\n' "$block"
  } >"$out/nginx.conf"
  if [ "$(grep -cF -e "127.0.0.1:$nginx_plain;" -e "127.0.0.1:$nginx_tls ssl;" -e " $dir/nginx/device" -e "http://$server_addr;" -e "proxy_read_timeout $2;" "$out/nginx.conf")" -ne 6 ]; then
    echo "the guide's configuration has changed: its ports, paths and timeout are not where they were" >&2
    cat "$out/nginx.conf" >&2
    return 1
  fi
  background "$out/nginx.log" env PATH="$PATH:/usr/sbin" nginx -p "$out" -c nginx.conf
  nginx_pid=$background_pid
  until_up "$nginx_pid" nginx_listens && return
  echo "nginx does not listen" >&2
  stop_nginx "$out"
  return 1
}

nginx_listens() { (: <"/dev/tcp/127.0.0.1/$nginx_tls"); }

# stop_nginx OUT: what it complains of is a failure, but for the connections that it cut
stop_nginx() {
  kill -TERM "$nginx_pid" 2>/dev/null
  wait "$nginx_pid"
  unset "running[$nginx_pid]"
  ! grep -v 'upstream timed out' "$1/nginx.log" >&2
}
