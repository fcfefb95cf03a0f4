// wshub behind one proxy: node judge.mjs PROXY whole|brief|phone --dir DIR --examples DIR --server FILE --client FILE --certificate FILE
//
// `whole` starts the server and the proxy, and both again and again; `brief` looks who is seen through the proxy; `phone` takes a large
// page slowly. One line for each check, as tests/interop/support.sh reads it.

import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { checks, freePorts, listens, logSays, soon } from './places.mjs';
import { configure, CUT, proxies, run } from './proxies.mjs';
import { chat, closes, comesBack, get, open, request, same, within } from './visitor.mjs';

const options = Object.fromEntries(['dir', 'examples', 'server', 'client', 'certificate'].map((name) => [name, { type: 'string' }]));
const { values: args, positionals: [name, scenario] } = parseArgs({ options, allowPositionals: true });
const proxy = proxies[name];
const NAME = 'device.example.com';
const PING = 500;
const LARGE = 50_000_000;
const FLOOD = 32 << 20;
const { check, end } = checks();

// What a visitor may claim, and nobody may believe, in several orders.
const CLAIMS = [
  {},
  { 'X-Forwarded-For': '192.0.2.1', 'X-Forwarded-Proto': 'http', 'X-Forwarded-Host': 'evil.example.com' },
  { Forwarded: 'for=192.0.2.1;proto=https;host=evil.example.com', 'X-Forwarded-Host': 'evil.example.com', 'X-Forwarded-For': '192.0.2.1, 127.0.0.1' },
  { 'X-Real-IP': '192.0.2.1', 'x-forwarded-for': 'not an address', forwarded: '"' },
];

// ---- the server and the proxy

const certificate = fs.readFileSync(args.certificate);
const [plainPort, tlsPort, backendPort] = await freePorts(3);
const backend = `127.0.0.1:${backendPort}`;
const place = { dir: args.dir, plain: plainPort, tls: tlsPort, certificate: args.certificate, backends: [backend] };
const plain = { ws: 'ws', http: 'http', port: plainPort };
const tls = { ws: 'wss', http: 'https', port: tlsPort, ca: certificate };

const serverLog = path.join(args.dir, 'server.log');
const proxyLog = path.join(args.dir, 'proxy.log');
let server, front;

async function startServer(ping = PING) {
  server = run([args.server, backend, String(ping)], serverLog);
  await listens(backendPort);
}

async function stopServer() {
  server.kill('SIGTERM');
  same(await within(server.ended, 'end of the server'), 0);
}

async function startProxy() {
  front = run(proxy.command(place), proxyLog);
  await listens(tlsPort);
}

async function stopProxy() {
  front.kill('SIGTERM');
  await within(front.ended, 'end of the proxy');
}

async function reloadProxy() {
  const how = proxy.reload(place);
  if (typeof how === 'string') front.kill(how);
  else same(await within(run(how, proxyLog).ended, 'end of the reload'), 0);
}

// Until the proxy takes the server, or itself, for there again.
const comesBackSoon = (front) => soon(() => chat(front));

// ---- the checks

async function page(front) {
  for (const name of ['localhost', NAME]) {
    const { status, type, body } = await get(front, '/', { name });
    same([status, type], [200, 'text/html; charset=utf-8']);
    if (!body.includes('new WebSocket')) throw new Error(`not the page: ${body.slice(0, 80)}`);
  }
}

async function isRefused(front, origin) {
  const { status, body } = await within(open(front, { origin }).refused, 'refusal');
  same(status, 403);
  if (!body.includes(`.origins(["${origin}"])`)) throw new Error(`the refusal does not name the remedy: ${body}`);
}

async function anotherName() {
  const { status, body } = await within(open(plain, { name: 'another.example.com' }).refused, 'refusal');
  same(status, 403);
  if (!body.includes('.hosts(["another.example.com"])')) throw new Error(`the refusal does not name the remedy: ${body}`);
}

// wshub's own, which says itself what it sees.
async function ownClient({ ws, port }) {
  const log = path.join(args.dir, 'client.log');
  const client = run([args.client, 'checks', `${ws}://localhost:${port}/`], log, { env: { TLS_CA: args.certificate } });
  if (await within(client.ended, 'end of the client') !== 0) throw new Error(fs.readFileSync(log, 'utf8'));
}

async function addressIsSeen() {
  for (const front of [plain, tls]) {
    for (const headers of CLAIMS) {
      same((await get(front, '/whoami', { headers })).body, '127.0.0.2');
      const visitor = open(front, { path: '/whoami', headers });
      await comesBack(visitor, 'who am I', '127.0.0.2');
      await closes(visitor);
    }
  }
}

// A visitor that connects to the server itself is no proxy, whatever it says.
async function claimsAreNotBelieved() {
  const direct = { ws: 'ws', http: 'http', port: backendPort };
  for (const headers of CLAIMS) same((await get(direct, '/whoami', { headers })).body, '127.0.0.2');
  const socket = net.connect({ port: backendPort, host: '127.0.0.1', localAddress: '127.0.0.2' });
  socket.end('PROXY TCP4 192.0.2.1 127.0.0.1 4711 80\r\nGET /whoami HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const [answer] = await within(once(socket, 'data'), 'answer');
  if (!answer.toString().startsWith('HTTP/1.1 400 ')) throw new Error(`answered: ${answer}`);
  socket.destroy();
}

async function largePage(front) {
  const response = await request(front, '/large');
  let length = 0;
  for await (const chunk of response) {
    length += chunk.length;
    if (chunk.includes('x')) throw new Error('not the page');
  }
  same([response.statusCode, length], [200, LARGE]);
}

// Less than 2 MB each second, in pauses and bursts.
async function phone(front) {
  const response = await request(front, '/large');
  let [length, due] = [0, 0];
  for await (const chunk of response) {
    length += chunk.length;
    if (length >= due) {
      due += 1_000_000;
      response.pause();
      await setTimeout(600);
    }
  }
  same([response.statusCode, length], [200, LARGE]);
}

async function body() {
  for (const length of [0, 1, 100_000, 1_000_000]) {
    const headers = { Origin: `http://localhost:${plain.port}` };
    const sent = { method: 'POST', body: Buffer.alloc(length, 'b') };
    same((await get(plain, '/body', { ...sent, headers: { ...headers, 'Content-Length': length } })).body, String(length));
    same((await get(plain, '/body', { ...sent, headers: { ...headers, 'Transfer-Encoding': 'chunked' } })).body, String(length));
  }
}

// More than two times as long as a proxy bears silence.
async function silence(front) {
  const visitor = open(front);
  await within(visitor.opened, 'open connection');
  await Promise.race([setTimeout(2_200 * CUT), visitor.closed]);
  await comesBack(visitor, 'still here');
  await closes(visitor);
}

// One that reads gets everything; one that does not costs itself, however much the proxy keeps.
async function slowClient() {
  const [quick, slow] = [open(plain, { path: '/flood' }), open(plain, { path: '/flood' })];
  await within(Promise.all([quick.opened, slow.opened]), 'open connections');
  let length = 0;
  quick.socket.on('message', (data) => { length += data.length; });
  const all = new Promise((resolve) => { quick.socket.on('message', () => { if (length >= FLOOD) resolve(); }); });
  slow.socket.pause();
  for (const visitor of [quick, slow]) visitor.socket.send('go');
  await within(Promise.race([all, quick.closed]), 'end of the flood');
  same(length, FLOOD);
  await chat(plain);
  await closes(quick);
  // Nor does the proxy wait for it for ever.
  await logSays(serverLog, /flood ended: (Full|Closed)/);
  slow.socket.resume();
  same(await within(slow.closed, 'close'), 1006);
}

async function serverRestarts() {
  const visitors = [open(plain), open(tls)];
  for (const visitor of visitors) await comesBack(visitor, 'there');
  await stopServer();
  await check('1001', async () => same(await within(visitors[0].closed, 'close'), 1001));
  await check('1001 over TLS', async () => same(await within(visitors[1].closed, 'close'), 1001));
  await check('server restarted', async () => {
    await startServer();
    await comesBackSoon(plain);
    await comesBackSoon(tls);
  });
}

async function proxyReloads() {
  const visitor = open(tls);
  await comesBack(visitor, 'there');
  await reloadProxy();
  await comesBackSoon(tls);
  switch (proxy.atReload) {
    case 'kept':
      await comesBack(visitor, 'still there');
      return closes(visitor);
    case 'cut later':
      await comesBack(visitor, 'still there');
      same(await within(visitor.closed, 'close'), 1006);
      return undefined;
    default:
      return same(await within(visitor.closed, 'close'), 1001);
  }
}

async function proxyRestarts() {
  const visitor = open(plain, { path: '/restarted' });
  await comesBack(visitor, 'there');
  await stopProxy();
  same([1001, 1006].includes(await within(visitor.closed, 'close')), true);
  // The server learns of it, and is no worse for it.
  await logSays(serverLog, /^close \/restarted /m);
  await startProxy();
  await comesBackSoon(plain);
  await comesBackSoon(tls);
}

// Without pings the proxy cuts it, and the server sees one abnormal end.
async function cut() {
  await stopServer();
  await startServer(0);
  await comesBackSoon(plain);
  const visitor = open(plain, { path: '/silent' });
  await within(visitor.opened, 'open connection');
  same(await within(visitor.closed, 'close'), 1006);
  await logSays(serverLog, /^close \/silent 1006 clean=false/m);
}

async function whole() {
  await check('page', () => page(plain));
  await check('page over TLS', () => page(tls));
  await check('chat', () => chat(plain));
  await check('chat over TLS', () => chat(tls, { name: NAME }));
  await check('another origin', () => isRefused(plain, 'http://evil.example.com'));
  await check('another origin over TLS', () => isRefused(tls, 'https://evil.example.com'));
  if (proxy.servesAnyName) await check('another name', anotherName);
  else console.log('n/a  another name: it serves its own names only');
  await check('client address', addressIsSeen);
  await check('claims without a proxy', claimsAreNotBelieved);
  await check('body', body);
  const waiting = [silence(plain), silence(tls), slowClient()];
  for (const step of waiting) step.catch(() => {});
  await check('wshub client', () => ownClient(plain));
  await check('wshub client over TLS', () => ownClient(tls));
  await check('50 MB', () => largePage(plain));
  await check('50 MB over TLS', () => largePage(tls));
  await check('silence', () => waiting[0]);
  await check('silence over TLS', () => waiting[1]);
  await check('slow client', () => waiting[2]);
  await serverRestarts();
  await check('proxy reloaded', proxyReloads);
  await check('proxy restarted', proxyRestarts);
  if (proxy.cuts) await check('silence without pings', cut);
  else console.log('n/a  silence without pings: it cuts nothing that is silent');
}

async function brief() {
  await check('page', () => page(plain));
  await check('chat over TLS', () => chat(tls, { name: NAME }));
  await check('client address', addressIsSeen);
}

async function phones() {
  const both = [phone(plain), phone(tls)];
  for (const step of both) step.catch(() => {});
  await check('50 MB to a phone', () => both[0]);
  await check('50 MB to a phone over TLS', () => both[1]);
}

configure(proxy, args.examples, place);
await startServer();
await startProxy();
console.log(`behind ${name}`);
await { whole, brief, phone: phones }[scenario]();
await stopServer();
await stopProxy();
end();
