// npm socket.io-client, by polling and upgraded, with two servers behind a proxy that keeps each visitor at one of them by a cookie:
// node sticky.mjs PROXY --dir DIR --examples DIR --server FILE --certificate FILE

import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { io } from 'socket.io-client';

import { checks, freePorts, listens, logSays, soon } from './places.mjs';
import { configure, proxies, run } from './proxies.mjs';
import { same, within } from './visitor.mjs';

const options = Object.fromEntries(['dir', 'examples', 'server', 'certificate'].map((name) => [name, { type: 'string' }]));
const { values: args, positionals: [name] } = parseArgs({ options, allowPositionals: true });
const proxy = proxies[name];
const VISITORS = 6;
const { check, end } = checks();

const [port, one, two] = await freePorts(3);
const place = { dir: args.dir, plain: port, certificate: args.certificate, backends: [one, two].map((port) => `127.0.0.1:${port}`) };
const logs = ['one', 'two'].map((name) => path.join(args.dir, `${name}.log`));

// Pings that come well before the proxy gives up a request that is not answered.
const servers = place.backends.map((address, index) => run([args.server, address, '500'], logs[index]));

function visit(transports, reconnection = false, withCredentials = true) {
  const socket = io(`http://127.0.0.1:${port}/`, { transports, forceNew: true, reconnection, reconnectionDelay: 100, withCredentials });
  const opened = new Promise((resolve, reject) => { socket.once('connect', resolve); if (!reconnection) socket.once('connect_error', reject); });
  return { socket, opened };
}

async function answered({ socket }, sent) {
  same(await within(new Promise((resolve) => { socket.emit('echo', sent, resolve); }), 'answer'), sent);
}

async function visitorsStay(transports, transport) {
  const visitors = Array.from({ length: VISITORS }, () => visit(transports));
  for (const visitor of visitors) {
    await within(visitor.opened, 'open connection');
    await soon(async () => same(visitor.socket.io.engine.transport.name, transport));
  }
  // By polling each of these is a request of its own, and pings come meanwhile.
  for (let round = 0; round < 4; round++) {
    await Promise.all(visitors.map((visitor, index) => answered(visitor, `${index} ${round}`)));
    await new Promise((resolve) => { setTimeout(resolve, 200); });
  }
  visitors.forEach(({ socket }) => socket.disconnect());
}

// Without the cookie a visitor's requests go to both servers, one of which does not know the session; over a WebSocket there is one request.
async function cookiesAreNeeded() {
  await Promise.all(Array.from({ length: VISITORS }, async () => {
    const { socket, opened } = visit(['polling'], false, false);
    opened.catch(() => {});
    // The client forgets the answer right behind its event.
    const refused = new Promise((resolve) => {
      const tell = ({ context: { status, responseText } }) => resolve([status, responseText]);
      socket.once('connect_error', tell);
      socket.once('disconnect', (_reason, error) => tell(error));
    });
    const [status, body] = await within(refused, 'refusal');
    same([status, JSON.parse(body).message], [400, 'Session ID unknown']);
  }));
  const visitor = visit(['websocket'], false, false);
  await within(visitor.opened, 'open connection');
  await answered(visitor, 'no cookie');
  visitor.socket.disconnect();
}

async function otherServerTakesThem() {
  const visitors = Array.from({ length: VISITORS }, () => visit(['polling', 'websocket'], true));
  for (const visitor of visitors) await within(visitor.opened, 'open connection');
  servers[0].kill('SIGTERM');
  same(await within(servers[0].ended, 'end of the server'), 0);
  for (const { socket } of visitors) {
    // It may be a moment before a visitor learns that its server is gone; what it sends until then is lost.
    await soon(async () => same(await socket.timeout(1_000).emitWithAck('echo', 'here I am'), 'here I am'));
    socket.disconnect();
  }
}

configure(proxy, args.examples, place);
for (const port of [one, two]) await listens(port);
const front = run(proxy.command(place), path.join(args.dir, 'proxy.log'));
await listens(port);
console.log(`behind ${name}`);
await check('polling', () => visitorsStay(['polling'], 'polling'));
await check('upgrade', () => visitorsStay(['polling', 'websocket'], 'websocket'));
await check('websocket', () => visitorsStay(['websocket'], 'websocket'));
await check('both servers', async () => { for (const log of logs) await logSays(log, /left: /); });
await check('no cookie', cookiesAreNeeded);
await check('one server leaves', otherServerTakesThem);
front.kill('SIGTERM');
servers[1].kill('SIGTERM');
await within(Promise.all([front.ended, servers[1].ended]), 'end');
end();
