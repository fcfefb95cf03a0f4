// A real browser against the `broadcast` example and its page, and against tests/interop/server for the subprotocol.
//
//   node chat.mjs --modules DIR --out DIR --chromium FILE --broadcast FILE --server FILE
//
// --modules: where playwright-core is installed (in DIR/node_modules); --out: gets logs and screenshots.
// Exit status 0 when everything held; every wait has a bound.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

const string = { type: 'string' };
const { values: args } = parseArgs({ options: { modules: string, out: string, chromium: string, broadcast: string, server: string } });
for (const name of ['modules', 'out', 'chromium', 'broadcast', 'server']) {
  if (!args[name]) throw new Error(`--${name} is missing`);
}
const { chromium } = createRequire(path.resolve(args.modules, 'package.json'))('playwright-core');

const SOON = 10_000; // ms, for anything that should happen at once
const RECONNECT = 20_000; // the page's delays are capped at 5 s

const cleanups = [];

// ---- checks

let failures = 0;
function check(holds, what) {
  console.log(`${holds ? 'ok  ' : 'FAIL'} ${what}`);
  if (!holds) failures++;
}
function same(seen, expected, what) {
  const holds = JSON.stringify(seen) === JSON.stringify(expected);
  check(holds, holds ? what : `${what}: ${JSON.stringify(seen)} instead of ${JSON.stringify(expected)}`);
}

async function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`${what}: nothing within ${ms} ms`)), ms); });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

// ---- the executables under test

async function start(name, file, ...argv) {
  const log = fs.createWriteStream(path.join(args.out, `${name}.log`), { flags: 'a' });
  const child = spawn(file, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
  cleanups.push(() => child.exitCode ?? child.signalCode ?? child.kill('SIGKILL'));
  child.stderr.pipe(log, { end: false });
  const exit = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));
  const address = new Promise((resolve, reject) => {
    let output = '';
    child.once('error', reject);
    child.stdout.on('data', (chunk) => {
      log.write(chunk);
      output += chunk;
      const line = /^listening on ws:\/\/(.*)\/$/m.exec(output);
      if (line) resolve(line[1]);
    });
    exit.then((status) => reject(new Error(`${name} ended with ${status} before it was listening`)));
  });
  const stop = () => {
    child.kill('SIGTERM');
    return within(SOON, `${name} ends on SIGTERM`, exit);
  };
  return { address: await within(SOON, `${name} listens`, address), stop };
}

// ---- raw WebSockets inside a page: what the browser itself reports

const inPage = {
  // Sends text, binary and something large, and waits for each to come back; then closes.
  async echo({ url, bytes, code, reason }) {
    const ws = new WebSocket(url);
    ws.binaryType = 'arraybuffer';
    const waiting = [];
    ws.onmessage = ({ data }) => { for (const look of [...waiting]) look(data); };
    const closed = new Promise((resolve) => { ws.onclose = (e) => resolve({ code: e.code, reason: e.reason, wasClean: e.wasClean }); });
    // Others may talk on the same hub: only the same message counts.
    const comesBack = (message, same) => new Promise((resolve) => {
      const look = (data) => {
        if (!same(data)) return;
        waiting.splice(waiting.indexOf(look), 1);
        resolve(true);
      };
      waiting.push(look);
      const timer = setTimeout(() => resolve(false), 10_000);
      closed.then(() => { clearTimeout(timer); resolve(false); });
      ws.send(message);
    });
    const sameText = (text) => (data) => data === text;
    const sameBytes = (sent) => (data) => {
      if (typeof data === 'string' || data.byteLength !== sent.length) return false;
      const seen = new Uint8Array(data);
      return sent.every((byte, i) => byte === seen[i]);
    };
    await new Promise((resolve) => { ws.onopen = resolve; closed.then(resolve); });
    if (ws.readyState !== WebSocket.OPEN) return { failed: await closed };

    const text = 'naïve – 漢字 – 😀 <b>';
    const small = Uint8Array.from([0, 1, 127, 128, 254, 255]);
    const large = new Uint8Array(bytes);
    for (let i = 0, x = 1; i < bytes; i++) {
      x = (Math.imul(x, 1103515245) + 12345) >>> 0;
      large[i] = x >>> 24;
    }
    const letters = 'abcdefghij'.repeat(bytes / 10);
    const seen = {
      text: await comesBack(text, sameText(text)),
      binary: await comesBack(small, sameBytes(small)),
      largeBinary: await comesBack(large, sameBytes(large)),
      largeText: await comesBack(letters, sameText(letters)),
    };
    ws.close(code, reason);
    return { ...seen, close: await closed };
  },

  // Opens, optionally with a subprotocol, says which one was chosen; sends `bytes` bytes if any; closes, or waits for the server to.
  async visit({ url, protocols, bytes, code, reason }) {
    const ws = new WebSocket(url, protocols ?? []);
    const closed = new Promise((resolve) => { ws.onclose = (e) => resolve({ code: e.code, reason: e.reason, wasClean: e.wasClean }); });
    await new Promise((resolve) => { ws.onopen = resolve; closed.then(resolve); });
    const { protocol } = ws;
    if (bytes) ws.send(new Uint8Array(bytes));
    if (code) ws.close(code, reason);
    return { protocol, close: await closed };
  },

  async many({ url, count }) {
    const ws = new WebSocket(url);
    await new Promise((resolve) => { ws.onopen = ws.onclose = resolve; });
    for (let i = 1; i <= count; i++) ws.send(`line ${i}`);
    await new Promise((resolve) => { ws.onclose = resolve; ws.close(); });
  },
};

// ---- the run

async function main() {
  fs.mkdirSync(args.out, { recursive: true });
  let example = await start('broadcast', args.broadcast, '127.0.0.1:0');
  const server = await start('server', args.server, '127.0.0.1:0', 'app');
  const pageUrl = `http://${example.address}/`;
  const hubUrl = `ws://${example.address}/`;

  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'wshub-browser-'));
  cleanups.push(() => fs.rmSync(profile, { recursive: true, force: true, maxRetries: 3 }));
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: args.chromium,
    headless: true,
    timeout: 60_000,
    viewport: { width: 1000, height: 700 },
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
      '--disable-sync', '--disable-dev-shm-usage', '--no-proxy-server',
      '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost',
    ],
  });
  cleanups.unshift(() => browser.close());
  browser.setDefaultTimeout(SOON);
  console.log(`Chromium ${browser.browser()?.version() ?? ''}`.trimEnd());

  const errors = []; // whatever a page complains about
  let serverIsDown = false; // while it is, a refused connection is no fault
  const watch = (page, name) => {
    page.on('pageerror', (error) => errors.push(`${name}: ${error}`));
    page.on('console', (message) => {
      if (message.type() !== 'error') return;
      if (serverIsDown && /WebSocket connection to .* failed/.test(message.text())) return;
      errors.push(`${name}: ${message.text()}`);
    });
  };
  const open = async (name) => {
    const page = await browser.newPage();
    watch(page, name);
    const response = await page.goto(pageUrl);
    check(response.status() === 200 && /^text\/html/.test(response.headers()['content-type'] ?? ''), `${name}: the page comes as 200 text/html`);
    await isOpen(page);
    return page;
  };
  const isOpen = (page, timeout = SOON) =>
    page.waitForFunction(() => document.querySelector('#status').textContent === 'open' && !document.querySelector('#send').disabled, null, { timeout, polling: 50 });
  const logs = (page, text, timeout = SOON) =>
    page.waitForFunction((text) => document.querySelector('#log').textContent.includes(text), text, { timeout, polling: 50 });
  const run = (what, page, step, argument) => within(60_000, what, page.evaluate(inPage[step], argument));

  console.log('--- two pages chat');
  const ada = await open('page 1');
  const bob = await open('page 2');
  const everybodySees = async (text, what) => {
    await Promise.all([logs(ada, text), logs(bob, text)]);
    check(true, what);
  };
  check(await ada.evaluate(() => document.activeElement.id === 'message'), 'the input has the focus');
  await ada.fill('#message', 'Hello from the first page');
  await ada.click('#send');
  await everybodySees('Hello from the first page', 'a message sent with the button reaches both pages');
  same(await ada.evaluate(() => [document.activeElement.id, document.querySelector('#message').value]), ['message', ''],
    'then the input is empty and has the focus');
  await bob.fill('#message', 'And hello back from the second one: Ünïcödé, Ελληνικά 😀');
  await bob.press('#message', 'Enter');
  await everybodySees('And hello back from the second one: Ünïcödé, Ελληνικά 😀', 'a message sent with Enter reaches both pages');
  const markup = '<img src=x onerror="document.title=1"> stays text, & so do entities: &lt;';
  await ada.fill('#message', markup);
  await ada.press('#message', 'Enter');
  await everybodySees(markup, 'markup stays text');
  same(await bob.evaluate(() => [document.title, document.querySelectorAll('#log img').length]), ['wshub broadcast', 0], 'and makes no element');
  await bob.fill('#message', `One long word: ${'wshub'.repeat(30)}`);
  await bob.press('#message', 'Enter');
  await everybodySees('wshubwshub'.repeat(15), 'a long word arrives');

  console.log('--- layout');
  for (const width of [1000, 360]) {
    for (const colorScheme of ['light', 'dark']) {
      await ada.emulateMedia({ colorScheme });
      await ada.setViewportSize({ width, height: 700 });
      await ada.screenshot({ path: path.join(args.out, `broadcast-${width}-${colorScheme}.png`) });
    }
    const [scrollWidth, innerWidth] = await ada.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
    check(innerWidth === width && scrollWidth <= innerWidth, `no horizontal scrolling at ${width} px (${scrollWidth} of ${innerWidth})`);
    check(await ada.evaluate(() => {
      const edges = [...document.querySelectorAll('#status, #log, #message, #send, .text')].map((e) => e.getBoundingClientRect());
      return edges.every((box) => box.left >= 0 && box.right <= innerWidth) && document.querySelector('#log').scrollWidth <= document.querySelector('#log').clientWidth;
    }), `nothing sticks out at ${width} px`);
  }

  console.log('--- raw WebSockets in the browser');
  const echo = await run('echo', ada, 'echo', { url: hubUrl, bytes: 900_000, code: 1000, reason: 'done' });
  for (const what of ['text', 'binary', 'largeBinary', 'largeText']) check(echo[what] === true, `broadcast example, ${what}: identical`);
  same([echo.close?.code, echo.close?.wasClean], [1000, true], 'client closes with 1000: clean');
  const served = await run('echo', ada, 'echo', { url: `ws://${server.address}/`, bytes: 900_000, code: 4000, reason: 'own code' });
  for (const what of ['text', 'binary', 'largeBinary', 'largeText']) check(served[what] === true, `echo server, ${what}: identical`);
  same([served.close?.code, served.close?.wasClean], [4000, true], 'client closes with 4000 and a reason: clean');
  const hub4000 = await run('close 4000', ada, 'visit', { url: hubUrl, code: 4000, reason: 'own code' });
  same([hub4000.close.code, hub4000.close.wasClean], [4000, true], 'the same at the broadcast example');
  const chat = await run('subprotocol', ada, 'visit', { url: `ws://${server.address}/`, protocols: ['other', 'chat'], code: 1000 });
  same([chat.protocol, chat.close.code], ['chat', 1000], 'subprotocol: chat is chosen of other, chat');
  const tooBig = await run('too big', ada, 'visit', { url: hubUrl, bytes: (1 << 20) + 1 });
  same([tooBig.close.code, tooBig.close.wasClean], [1009, true], 'a message over 1 MiB: the server closes with 1009');
  await everybodySees('900,000', 'both pages got the large messages too');
  await run('many', bob, 'many', { url: hubUrl, count: 600 });
  await Promise.all([logs(ada, 'line 600'), logs(bob, 'line 600')]);
  const lines = await ada.evaluate(() => document.querySelector('#log').childElementCount);
  check(lines <= 500, `600 messages at once: the log keeps the last ${lines} lines`);
  await Promise.all([isOpen(ada), isOpen(bob)]);

  console.log('--- the server goes and comes back');
  const goingAway = run('1001', ada, 'visit', { url: hubUrl });
  const opened = await run('a connection of its own', bob, 'visit', { url: hubUrl, code: 1000 });
  same(opened.close.code, 1000, 'connections work before the shutdown');
  serverIsDown = true;
  const [status, close] = await Promise.all([example.stop(), goingAway]);
  same(status, 0, 'SIGTERM: exit status 0');
  same([close.close.code, close.close.wasClean], [1001, true], 'onclose sees 1001');
  await Promise.all([logs(ada, 'close: 1001'), logs(bob, 'close: 1001')]);
  check(true, 'both pages log the close');
  const waiting = await ada.waitForFunction(() => /^closed .*reconnecting in \d+ s$/.exec(document.querySelector('#status').textContent)?.[0], null, { polling: 50 });
  check(true, `the page says: ${await waiting.jsonValue()}`);
  await logs(ada, 'error: could not connect');
  await ada.waitForFunction(() => document.querySelector('#send').disabled, null, { polling: 50 });
  check(true, 'a failed attempt is logged, Send is disabled');
  await ada.fill('#message', 'Typed while the server was away');
  await ada.screenshot({ path: path.join(args.out, 'broadcast-closed.png') });

  const before = example.address;
  example = await start('broadcast', args.broadcast, before);
  same(example.address, before, 'the example starts again on the same port');
  await Promise.all([isOpen(ada, RECONNECT), isOpen(bob, RECONNECT)]);
  check(true, 'both pages reconnect by themselves');
  serverIsDown = false;
  await ada.press('#message', 'Enter');
  await everybodySees('Typed while the server was away', 'and chat again');
  await ada.screenshot({ path: path.join(args.out, 'broadcast-reconnected.png') });

  serverIsDown = true;
  same(await example.stop(), 0, 'SIGTERM again: exit status 0');
  same(await server.stop(), 0, 'SIGTERM to the echo server: exit status 0');
  same(errors, [], 'no errors in the console');
}

let bad = false;
try {
  await within(150_000, 'the whole run', main());
} catch (error) {
  console.log(`FAIL ${error.stack ?? error}`);
  bad = true;
}
for (const cleanup of cleanups) {
  try {
    await within(SOON, 'cleaning up', Promise.resolve(cleanup()));
  } catch (error) {
    console.log(`cleaning up: ${error.message}`);
  }
}
console.log(bad || failures ? `browser: FAILED (${failures} checks); logs and screenshots are in ${args.out}` : 'browser: all checks hold');
process.exit(bad || failures ? 1 : 0);
