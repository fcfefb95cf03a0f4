// What a browser sees of wshub through nginx: node visitor.mjs example|server|cut PLAIN_PORT TLS_PORT CERTIFICATE SERVER_PID
//
// npm ws stands for the browser: it sends the Origin and the Host that a page would. One line for each check, as tests/interop/support.sh reads it.

import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { setTimeout } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import WebSocket from 'ws';

const [scenario, plainPort, tlsPort, certificate, pid] = process.argv.slice(2);
const ca = fs.readFileSync(certificate);
const plain = { ws: 'ws', http: 'http', port: plainPort };
const tls = { ws: 'wss', http: 'https', port: tlsPort };
let failed = false;

async function check(name, step) {
  try {
    await Promise.race([step(), late()]);
    console.log(`ok   ${name}`);
  } catch (error) {
    failed = true;
    console.log(`FAIL ${name}: ${error.message}`);
  }
}

async function late() {
  await setTimeout(20_000, null, { ref: false });
  throw new Error('no end within 20 s');
}

function same(seen, wanted) {
  if (!isDeepStrictEqual(seen, wanted)) throw new Error(`${JSON.stringify(seen)} instead of ${JSON.stringify(wanted)}`);
}

// A page of `front` under `name` opens a WebSocket to where it came from; `origin`: a page of somebody else does.
function open(front, { name = 'localhost', path = '/', origin = `${front.http}://${name}:${front.port}`, headers = {} } = {}) {
  const socket = new WebSocket(`${front.ws}://127.0.0.1:${front.port}${path}`, {
    ca, origin, servername: name, headers: { Host: `${name}:${front.port}`, ...headers },
  });
  const refused = once(socket, 'unexpected-response').then(async ([, response]) => {
    let body = '';
    for await (const chunk of response) body += chunk;
    return { status: response.statusCode, body };
  });
  const closed = once(socket, 'close').then(([code, reason]) => [code, reason.toString()]);
  const opened = Promise.race([once(socket, 'open'), refused.then(({ status, body }) => { throw new Error(`${status}: ${body}`); })]);
  // Only who waits for one of them looks at its error.
  for (const promise of [opened, refused, closed]) promise.catch(() => {});
  return { socket, opened, refused, closed };
}

async function comesBack({ socket, opened }, text, wanted = text) {
  await opened;
  const message = once(socket, 'message');
  socket.send(text);
  same((await message)[0].toString(), wanted);
}

async function closes({ socket, closed }) {
  socket.close(1000, 'bye');
  same(await closed, [1000, '']); // wshub answers with the code alone
}

async function isRefused(connection, remedy) {
  const { status, body } = await connection.refused;
  same(status, 403);
  if (!body.includes(remedy)) throw new Error(`the refusal does not name ${remedy}: ${body}`);
}

async function page({ http: scheme, port }) {
  const [response] = await once((scheme === 'https' ? https : http).get(`${scheme}://localhost:${port}/`, { ca }), 'response');
  let body = '';
  for await (const chunk of response) body += chunk;
  same([response.statusCode, response.headers['content-type']], [200, 'text/html; charset=utf-8']);
  if (!body.includes('new WebSocket')) throw new Error(`not the page: ${body.slice(0, 80)}`);
}

async function chat(front) {
  const visitor = open(front);
  await comesBack(visitor, 'Hallo, Wörld');
  await closes(visitor);
}

// Longer than two times nginx's proxy_read_timeout of 3 s.
async function silence(front) {
  const visitor = open(front);
  await visitor.opened;
  await Promise.race([setTimeout(7_000), visitor.closed]);
  await comesBack(visitor, 'still here');
  await closes(visitor);
}

const scenarios = {
  async example() {
    await check('page', () => page(plain));
    await check('page over TLS', () => page(tls));
    await check('chat', () => chat(plain));
    await check('chat over TLS', () => chat(tls));
    await check('another origin', () => isRefused(open(plain, { origin: 'http://evil.example.com' }), '.origins(["http://evil.example.com"])'));
    await check('another origin over TLS', () => isRefused(open(tls, { origin: 'https://localhost' }), '.origins(["https://localhost"])'));
    await check('another name', () => isRefused(open(tls, { name: 'device.example.com' }), '.hosts(["device.example.com"])'));
    const visitors = [open(plain), open(tls)];
    for (const visitor of visitors) await visitor.opened;
    process.kill(Number(pid), 'SIGTERM');
    await check('1001 at SIGTERM', async () => same((await visitors[0].closed)[0], 1001));
    await check('1001 at SIGTERM over TLS', async () => same((await visitors[1].closed)[0], 1001));
  },

  async server() {
    const name = 'device.example.com';
    await check('public name', async () => {
      const visitor = open(tls, { name });
      await comesBack(visitor, 'Hallo, Wörld');
      await closes(visitor);
    });
    await check('another origin', () => isRefused(open(tls, { name, origin: 'https://example.com' }), '.origins(["https://example.com"])'));
    await check('X-Forwarded-For', async () => {
      const visitor = open(tls, { name, path: '/header/x-forwarded-for', headers: { 'X-Forwarded-For': '192.0.2.1' } });
      await comesBack(visitor, 'who am I', '127.0.0.1');
      await closes(visitor);
    });
    const both = [silence(plain), silence(tls)];
    await check('silence', () => both[0]);
    await check('silence over TLS', () => both[1]);
  },

  async cut() {
    await check('silence', async () => same(await open(plain).closed, [1006, '']));
  },
};

console.log(`${scenario} behind nginx`);
await scenarios[scenario]();
process.exit(failed ? 1 : 0);
