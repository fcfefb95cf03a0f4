# shellcheck shell=bash disable=SC2154  # here, dir, target: of tests/interop/run and support.sh
# The example `service` with its units: systemd checks them and hands over sockets; ten restarts behind HAProxy lose no
# client; and it lives in a container.

service_install() {
  local need=()
  command -v haproxy >/dev/null || [ -x /usr/sbin/haproxy ] || need+=(haproxy)
  command -v systemd-socket-activate >/dev/null || need+=(systemd)
  command -v unshare >/dev/null || need+=(util-linux)
  [ ${#need[@]} -eq 0 ] || packages "${need[@]}" || return
  programs service
}

service_parts() {
  part "service: its units" service_units
  part "service: sockets from systemd" limited 600 python3 "$dir/service/activated.py" "$service" "$dir/service"
  part "service: ten restarts behind HAProxy" limited 900 python3 "$dir/service/handover.py" "$service" \
    "$dir/wshub/release/herd" "$dir/service" 10
  part "service: in a container" limited 600 python3 "$dir/service/container.py" "$service" "$dir/service"
}

# The units as they are, but for where the program is.
service_units() {
  local out="$dir/service/units"
  rm -rf "$out" && mkdir -p "$out" && cp examples/service/hub.socket "$out/" &&
    sed "s#^ExecStart=/usr/local/bin/hub\$#ExecStart=$service#" 'examples/service/hub@.service' >"$out/hub@a.service" &&
    grep -qF "ExecStart=$service" "$out/hub@a.service" || return
  # It warns of what is of no account here, on standard error, with exit status 0.
  limited 60 systemd-analyze verify "$out/hub@a.service" "$out/hub.socket"
}
