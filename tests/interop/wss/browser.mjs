// A real browser over wss:// and https://, told to trust the key of the server's certificate.
//
//   node browser.mjs --modules DIR --out DIR --chromium FILE --server FILE --certificate FILE --key FILE

import { createHash, X509Certificate } from 'node:crypto';
import fs from 'node:fs';

import { args, openBrowser, same, scenario, SOON, start, within } from '../browser/browser.mjs';

// Sends each message, waits for it to come back, and closes.
async function echo({ url, lengths }) {
  const ws = new WebSocket(url);
  ws.binaryType = 'arraybuffer';
  const closed = new Promise((resolve) => { ws.onclose = ({ code, wasClean }) => resolve([code, wasClean]); });
  await Promise.race([new Promise((resolve) => { ws.onopen = resolve; }), closed]);
  const seen = [];
  for (const length of lengths) {
    const sent = Uint8Array.from({ length }, (_, i) => (i * 31) % 251);
    const back = new Promise((resolve) => { ws.onmessage = ({ data }) => resolve(new Uint8Array(data)); });
    ws.send(sent);
    const got = await Promise.race([back, closed]);
    seen.push(got.length === length && sent.every((byte, i) => byte === got[i]));
  }
  ws.close(1000, 'bye');
  return { seen, closed: await closed };
}

async function main() {
  const key = new X509Certificate(fs.readFileSync(args.certificate)).publicKey.export({ type: 'spki', format: 'der' });
  const trusted = createHash('sha256').update(key).digest('base64');
  const server = await start('wss', { TLS_CERTIFICATE: args.certificate, TLS_KEY: args.key }, args.server, '127.0.0.1:0', 'app');
  const address = server.address.replace('127.0.0.1', 'localhost');
  const browser = await openBrowser(`--ignore-certificate-errors-spki-list=${trusted}`);
  const page = await browser.open('https', `https://${address}/`);

  const lengths = [0, 1, 125, 126, 16384, 16385, 70000, 1 << 20];
  const first = await within(SOON, 'an echo', page.evaluate(echo, { url: `wss://${address}/`, lengths }));
  same(first, { seen: lengths.map(() => true), closed: [1000, true] }, 'messages of every size come back, and the close is clean');

  const many = await within(3 * SOON, 'many at once', page.evaluate(async ({ url, code }) => {
    const one = new Function(`return ${code}`)();
    const all = await Promise.all(Array.from({ length: 20 }, () => one({ url, lengths: [10, 5000, 100000] })));
    return all.every(({ seen, closed }) => seen.every(Boolean) && closed[0] === 1000);
  }, { url: `wss://${address}/`, code: echo.toString() }));
  same(many, true, 'twenty at once');

  const away = page.evaluate((url) => new Promise((resolve) => {
    const ws = new WebSocket(url);
    ws.onopen = () => document.title = 'open';
    ws.onclose = ({ code, wasClean }) => resolve([code, wasClean]);
  }), `wss://${address}/`);
  await page.waitForFunction(() => document.title === 'open', null, { timeout: SOON, polling: 50 });
  same(await server.stop(), 0, 'SIGTERM: exit status 0');
  same(await within(SOON, 'the close', away), [1001, true], '1001 at the end');
  same(browser.errors, [], 'the page complains of nothing');
}

await scenario('wss', ['server', 'certificate', 'key'], main);
