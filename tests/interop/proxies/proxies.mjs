// The proxies: which file of examples/proxies each one runs, what is other in a test than in that file, and how it is started and
// told to take its configuration anew.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const APACHE_MODULES = ['mpm_event', 'authz_core', 'socache_shmcb', 'headers', 'macro', 'proxy', 'proxy_http', 'ssl'];

// Seconds after which a proxy cuts a silent connection, and gives up a request that is not answered.
export const CUT = 5;

// Each: `file`; `changes`, among them CUT; `surround`, what stands
// around the file; `command`; `reload`, a signal or a command; `atReload`, what a connection sees of it; `cuts`, whether it cuts what is silent;
// `servesAnyName`, whether it passes on what is asked for under another name.
export const proxies = {
  nginx: nginx('nginx.conf'),
  'nginx sticky': nginx('nginx-sticky.conf', { tls: false }),
  'haproxy http': haproxy('haproxy.cfg'),
  'haproxy PROXY v1': haproxy('haproxy-tcp.cfg', { more: [[' send-proxy-v2', ' send-proxy']] }),
  'haproxy PROXY v2': haproxy('haproxy-tcp.cfg'),
  'haproxy sticky': haproxy('haproxy-sticky.cfg', { tls: false }),
  caddy: {
    file: 'Caddyfile',
    changes: (place) => [
      ['http://device.example.com {', `http://localhost:${place.plain}, http://device.example.com:${place.plain} {`],
      ['https://device.example.com {', `https://localhost:${place.tls}, https://device.example.com:${place.tls} {`],
      ['/etc/caddy/device', place.certificate.replace(/\.example\.com\.crt$/, '')],
    ],
    surround: (place, conf) => `{\n\tadmin unix/${place.dir}/admin\n}\n${conf}`,
    command: (place) => ['caddy', 'run', '--adapter', 'caddyfile', '--config', place.conf],
    reload: (place) => ['caddy', 'reload', '--force', '--adapter', 'caddyfile', '--config', place.conf, '--address', `unix/${place.dir}/admin`],
    atReload: 'closed',
    cuts: false,
    servesAnyName: false,
  },
  'apache upgrade': apache('apache.conf', []),
  'apache wstunnel': apache('apache-wstunnel.conf', ['proxy_wstunnel', 'rewrite']),
};

function nginx(file, { tls = true } = {}) {
  return {
    file,
    changes: (place) => [
      ['listen 80;', `listen 127.0.0.1:${place.plain};`],
      ...(tls ? [
        ['listen 443 ssl;', `listen 127.0.0.1:${place.tls} ssl;`],
        ['/etc/nginx/device.example.com', place.certificate.replace(/\.crt$/, '')],
      ] : []),
      ['proxy_read_timeout 60s;', `proxy_read_timeout ${CUT}s;`],
    ],
    surround: (_place, conf) => `daemon off; pid nginx.pid; error_log stderr; events {}\nhttp {\naccess_log off;\n${
      ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${name};\n`).join('')}${conf}\n}\n`,
    command: (place) => ['nginx', '-p', place.dir, '-c', place.conf],
    reload: () => 'SIGHUP',
    atReload: 'kept',
    cuts: true,
    servesAnyName: true,
  };
}

function haproxy(file, { tls = true, more = [] } = {}) {
  return {
    file,
    changes: (place) => [
      ['bind :80', `bind 127.0.0.1:${place.plain}`],
      ...(tls ? [
        ['bind :443 ssl crt /etc/haproxy/device.example.com.pem', `bind 127.0.0.1:${place.tls} ssl crt ${place.certificate.replace(/\.crt$/, '.pem')}`],
        ['hard-stop-after 1h', 'hard-stop-after 8s'],
      ] : []),
      [/timeout (client|server|tunnel) 60s/g, `timeout $1 ${CUT}s`],
      ...more,
    ],
    surround: (_place, conf) => `${conf}\n`,
    command: (place) => ['haproxy', '-W', '-f', place.conf],
    reload: () => 'SIGUSR2',
    atReload: 'cut later',
    cuts: true,
    servesAnyName: true,
  };
}

function apache(file, modules) {
  return {
    file,
    changes: (place) => [
      ['<VirtualHost *:80>', `<VirtualHost 127.0.0.1:${place.plain}>`],
      ['<VirtualHost *:443>', `<VirtualHost 127.0.0.1:${place.tls}>`],
      ['/etc/apache2/device.example.com', place.certificate.replace(/\.crt$/, '')],
      ['Timeout 60', `Timeout ${CUT}`],
    ],
    surround: (place, conf) => [
      `ServerRoot ${place.dir}`, 'ServerName localhost', 'PidFile httpd.pid', 'ErrorLog /dev/stderr', 'Mutex sem', 'User nobody', 'Group nogroup',
      ...[...APACHE_MODULES, ...modules].map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`),
      `Listen 127.0.0.1:${place.plain}`, `Listen 127.0.0.1:${place.tls}`, conf, ''].join('\n'),
    command: (place) => ['apache2', '-D', 'FOREGROUND', '-f', place.conf],
    reload: () => 'SIGUSR1',
    atReload: 'kept',
    cuts: true,
    servesAnyName: true,
  };
}

// Writes the configuration for this place: { dir, plain, tls, certificate, backends }, and notes where it is.
export function configure(proxy, examples, place) {
  let conf = fs.readFileSync(path.join(examples, proxy.file), 'utf8');
  const backends = place.backends.map((address, index) => [`127.0.0.1:900${index + 1}`, address]);
  for (const [from, to] of [...proxy.changes(place), ...backends]) {
    const changed = conf.replaceAll(from, to);
    if (changed === conf) throw new Error(`${proxy.file} does not say ${from}`);
    conf = changed;
  }
  place.conf = path.join(place.dir, proxy.file);
  fs.writeFileSync(place.conf, proxy.surround(place, conf));
}

// A process whose output goes to a file.
export function run([command, ...args], log, options = {}) {
  const out = fs.openSync(log, 'a');
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin`, HOME: path.dirname(log), ...options.env };
  const child = spawn(command, args, { stdio: ['ignore', out, out], env });
  fs.closeSync(out);
  const ended = new Promise((resolve) => { child.once('exit', (code, signal) => resolve(code ?? signal)); child.once('error', resolve); });
  children.add(child);
  ended.then(() => children.delete(child));
  return { child, ended, kill: (signal) => child.kill(signal) };
}

const children = new Set();
process.on('exit', () => children.forEach((child) => child.kill('SIGTERM')));
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => process.exit(1));
