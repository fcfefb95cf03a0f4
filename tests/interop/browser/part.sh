# shellcheck shell=bash disable=SC2154  # here, dir, target, server, broadcast: of tests/interop/run
# A real browser against the examples and the server.

browser_install() {
  [ -n "${CHROMIUM:-}" ] || command -v chromium >/dev/null || packages chromium || return
  command -v redis-server >/dev/null || packages redis-server || return
  npm_packages "$here/browser" "$dir/browser"
}

browser_parts() {
  part "browser: broadcast example" browser chat --broadcast "$broadcast" --server "$server"
  part "browser: dashboard example" browser dashboard --dashboard "$target/release/examples/dashboard"
  part "browser: compression" browser deflate --broadcast "$broadcast" --server "$server"
  part "browser: auth example" browser auth --auth "$target/release/examples/auth"
  part "browser: socketio example" browser socketio --socketio "$target/release/examples/socketio"
  part "browser: cluster example" browser cluster --cluster "$target/release/examples/cluster" --redis "$(command -v redis-server)"
  # A minute for the README's pictures, taken anew.
  [ -z "${BROWSER_PICTURES:-}" ] || part "browser: pictures" pictures
}

pictures() {
  browser pictures --broadcast "$broadcast" --dashboard "$target/release/examples/dashboard" &&
    cp "$dir/browser/broadcast.png" "$dir/browser/dashboard.png" "$here/../../src/guide/pictures/"
}

# browser SCENARIO ARGUMENT...: the executables that it needs
browser() {
  limited 600 node "$here/browser/$1.mjs" --modules "$dir/browser" --out "$dir/browser" \
    --chromium "${CHROMIUM:-$(command -v chromium)}" "${@:2}"
}
