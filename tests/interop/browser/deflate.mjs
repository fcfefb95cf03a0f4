// A real browser and compression: Chromium offers it by itself; what it sends and gets is the same, in fewer bytes.
//
//   node deflate.mjs --modules DIR --out DIR --chromium FILE --broadcast FILE --server FILE

import net from 'node:net';
import { args, check, openBrowser, same, scenario, start, within } from './browser.mjs';

// A listener that hands bytes on to `address`, both ways, and counts them.
async function counting(address) {
  const [host, port] = address.split(':');
  const seen = { sent: 0, got: 0 };
  const listener = net.createServer((near) => {
    const far = net.connect(Number(port), host);
    near.on('data', (bytes) => { seen.sent += bytes.length; });
    far.on('data', (bytes) => { seen.got += bytes.length; });
    near.pipe(far).pipe(near);
    for (const end of [near, far]) end.on('error', () => [near, far].forEach((both) => both.destroy()));
  });
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return { seen, url: `ws://127.0.0.1:${listener.address().port}/`, close: () => listener.close() };
}

// In the page: sends each text, waits until it comes back; then closes.
async function echo({ url, texts }) {
  const ws = new WebSocket(url);
  const closed = new Promise((resolve) => { ws.onclose = (e) => resolve([e.code, e.wasClean]); });
  await new Promise((resolve) => { ws.onopen = resolve; closed.then(resolve); });
  let identical = ws.readyState === WebSocket.OPEN;
  for (const text of texts) {
    const message = new Promise((resolve) => { ws.onmessage = ({ data }) => resolve(data); });
    if (identical) ws.send(text);
    identical &&= (await Promise.race([message, closed])) === text;
  }
  ws.close(1000, 'done');
  return { extensions: ws.extensions, identical, closed: await closed };
}

const reading = (n) => ({ sensor: n % 7, value: (n * 31) % 97, unit: '°C', at: `2026-11-21T12:${10 + (n % 50)}:00Z` });
const texts = [1, 10, 100, 1000, 100, 10, 1].map((count) => JSON.stringify(Array.from({ length: count }, (_, n) => reading(n))));
const plain = texts.reduce((sum, text) => sum + new TextEncoder().encode(text).length, 0);

async function main() {
  const example = await start('broadcast', {}, args.broadcast, '127.0.0.1:0');
  const browser = await openBrowser();
  const page = await browser.open('page', `http://${example.address}/`);
  const kinds = {
    deflate: 'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
    takeover: 'permessage-deflate',
  };
  for (const [kind, agreed] of Object.entries(kinds)) {
    console.log(`--- ${kind}`);
    const server = await start('server', {}, args.server, '127.0.0.1:0', 'app', kind);
    const wire = await counting(server.address);
    const seen = await within(30_000, 'echo', page.evaluate(echo, { url: wire.url, texts }));
    same(seen, { extensions: agreed, identical: true, closed: [1000, true] }, 'negotiated, identical, closed with 1000');
    check(wire.seen.sent < plain / 3, `${plain} bytes sent as ${wire.seen.sent}`);
    check(wire.seen.got < plain / 3, `and got as ${wire.seen.got}`);
    wire.close();
    same(await server.stop(), 0, 'SIGTERM: exit status 0');
  }
  browser.serverIsDown = true;
  await example.stop();
  same(browser.errors, [], 'no errors in the console');
}

await scenario('deflate', ['broadcast', 'server'], main);
