// A real browser against the `broadcast` example and its page, and against tests/interop/wshub for the subprotocol.
//
//   node chat.mjs --modules DIR --out DIR --chromium FILE --broadcast FILE --server FILE

import { args, check, checkLayout, freeAddress, openBrowser, same, scenario, screenshot, SOON, start, tabOrder, within } from './browser.mjs';

const RECONNECT = 90_000; // the page's delays are capped at 5 s

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
      const timer = setTimeout(() => resolve(false), 30_000);
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

  // Opens and stays; `left` tells how it ended.
  async stay({ url }) {
    const ws = new WebSocket(url);
    window.left = new Promise((resolve) => { ws.onclose = (e) => resolve({ code: e.code, reason: e.reason, wasClean: e.wasClean }); });
    await new Promise((resolve) => { ws.onopen = resolve; window.left.then(resolve); });
    return ws.readyState === WebSocket.OPEN;
  },

  async left() {
    return window.left;
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
  let example = await start('broadcast', {}, args.broadcast, await freeAddress());
  const server = await start('server', {}, args.server, '127.0.0.1:0', 'app');
  const hubUrl = `ws://${example.address}/`;
  const browser = await openBrowser();

  const open = async (name) => {
    const page = await browser.open(name, `http://${example.address}/`);
    await isOpen(page);
    return page;
  };
  const isOpen = (page, timeout = SOON) =>
    page.waitForFunction(() => document.querySelector('#status').textContent === 'connected' && !document.querySelector('#send').disabled, null, { timeout, polling: 50 });
  const logs = (page, text, timeout = SOON) =>
    page.waitForFunction((text) => document.querySelector('#log').textContent.includes(text), text, { timeout, polling: 50 });
  const run = (what, page, step, argument) => within(150_000, what, page.evaluate(inPage[step], argument));

  const here = (page, count) =>
    page.waitForFunction((text) => document.querySelector('#here').textContent === text, `${count} here`, { timeout: SOON, polling: 50 });

  console.log('--- two pages chat');
  const ada = await open('page 1');
  await here(ada, 1);
  check((await ada.textContent('#empty')).includes('Open this page in a second window'), 'an empty page says what to do');
  await screenshot(ada, 'broadcast-empty');
  const bob = await open('page 2');
  await Promise.all([here(ada, 2), here(bob, 2)]);
  check(true, 'both say that two are here');
  await ada.fill('#name', 'Ada');
  await bob.fill('#name', 'Bob');
  await ada.focus('#message');
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
  const who = (page) => page.evaluate(() => [...document.querySelectorAll('.said')].map((e) => [e.className, e.querySelector('.by').textContent.split(',')[0]]));
  same([await who(ada), await who(bob)], [[['said own', 'you']], [['said', 'Ada']]], 'own messages and those of others are apart');
  same(await ada.locator('#empty').count(), 0, 'and the empty page says no more what to do');
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
  await ada.focus('#log');
  same(await tabOrder(ada, 3), ['message', 'send', 'name'], 'by the Tab key: log, message, send, name');
  await checkLayout(ada, 'broadcast', '#status, #log, #message, #send, .text');

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
  await here(ada, 2);
  check(true, 'and still two are here');
  await run('many', bob, 'many', { url: hubUrl, count: 600 });
  await Promise.all([logs(ada, 'line 600'), logs(bob, 'line 600')]);
  const lines = await ada.evaluate(() => document.querySelector('#log').childElementCount);
  check(lines <= 500, `600 messages at once: the log keeps the last ${lines} lines`);
  await Promise.all([isOpen(ada), isOpen(bob)]);

  console.log('--- a message that is refused');
  const long = 'x'.repeat((1 << 20) + 1);
  await ada.evaluate((long) => { document.querySelector('#message').value = long; }, long);
  await ada.click('#send');
  await ada.waitForFunction(() => document.querySelector('#status').textContent.startsWith('that message was too long'), null, { timeout: SOON, polling: 50 });
  same(await ada.evaluate(() => document.querySelector('#message').value.length), long.length, 'stays in the input, and the page says why');
  await ada.fill('#message', '');
  await isOpen(ada, RECONNECT);

  console.log('--- the server goes and comes back');
  check(await run('a connection of its own', ada, 'stay', { url: hubUrl }), 'connections work before the shutdown');
  const goingAway = run('1001', ada, 'left');
  browser.serverIsDown = true;
  const [status, close] = await Promise.all([example.stop(), goingAway]);
  same(status, 0, 'SIGTERM: exit status 0');
  same([close.code, close.wasClean], [1001, true], 'onclose sees 1001');
  const waiting = await ada.waitForFunction(() => /^(connection lost|no connection), trying again in \d+ s$/.exec(document.querySelector('#status').textContent)?.[0], null, { polling: 50 });
  check(true, `the page says: ${await waiting.jsonValue()}`);
  await ada.waitForFunction(() => document.querySelector('#send').disabled, null, { polling: 50 });
  same(await ada.evaluate(() => document.querySelector('#log').textContent.includes('trying again')), false, 'in the status line alone, and Send is disabled');
  await ada.fill('#message', 'Typed while the server was away');
  await screenshot(ada, 'broadcast-closed');

  const before = example.address;
  example = await start('broadcast', {}, args.broadcast, before);
  same(example.address, before, 'the example starts again on the same port');
  await Promise.all([isOpen(ada, RECONNECT), isOpen(bob, RECONNECT)]);
  check(true, 'both pages reconnect by themselves');
  browser.serverIsDown = false;
  await ada.press('#message', 'Enter');
  await everybodySees('Typed while the server was away', 'and chat again');
  await screenshot(ada, 'broadcast-reconnected');

  browser.serverIsDown = true;
  same(await example.stop(), 0, 'SIGTERM again: exit status 0');
  same(await server.stop(), 0, 'SIGTERM to the echo server: exit status 0');
  same(browser.errors, [], 'no errors in the console');
}

await scenario('chat', ['broadcast', 'server'], main);
