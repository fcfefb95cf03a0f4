// A real browser against the `socketio` example and its page: by polling alone, by WebSocket alone, and from one to the other.
//
//   node socketio.mjs --modules DIR --out DIR --chromium FILE --socketio FILE

import path from 'node:path';

import { args, check, checkLayout, freeAddress, openBrowser, same, scenario, screenshot, SOON, start } from './browser.mjs';

// A picture of one pixel.
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const until = (page, what, argument) => page.waitForFunction(what, argument, { timeout: SOON, polling: 50 });
const shows = (page, text) => until(page, (text) => document.querySelector('#log').textContent.includes(text), text);
const connected = (page, how) => until(page, (how) => document.querySelector('#status').textContent === `connected by ${how}`, how);

async function enter(page, name, room = 'lobby') {
  await page.fill('#name', name);
  await page.fill('#room', room);
  await page.click('#enter button');
}

async function say(page, words) {
  await page.fill('#text', words);
  await page.press('#text', 'Enter');
  await shows(page, words);
}

async function main() {
  const browser = await openBrowser();
  await withoutClient(browser);

  const client = path.join(args.modules, 'node_modules/socket.io-client/dist/socket.io.min.js');
  let example = await start('socketio', {}, args.socketio, await freeAddress(), client);
  const url = `http://${example.address}/`;

  const [ada, bob, eve] = [
    await browser.open('Ada, upgraded', url),
    await browser.open('Bob, polling', `${url}?transports=polling`),
    await browser.open('Eve, WebSocket', `${url}?transports=websocket`),
  ];
  await checkLayout(ada, 'socketio-enter', 'h1, #status, #name, #room, #enter button');
  await enter(ada, 'Ada');
  await connected(ada, 'websocket');
  check(true, 'Ada begins by polling and goes over to WebSocket');
  await enter(bob, 'Bob');
  await connected(bob, 'polling');
  check(true, 'Bob stays with polling');
  await enter(eve, 'Eve', 'attic');
  await connected(eve, 'websocket');
  check(true, 'Eve has a WebSocket from the start');

  await say(ada, 'Hello from Ada: Ünïcödé 😀 <b>stays text</b>');
  await shows(bob, '<b>stays text</b>');
  await say(bob, 'And from Bob');
  await shows(ada, 'And from Bob');
  same(await eve.evaluate(() => document.querySelectorAll('#log .said').length), 0, 'who is in another room gets nothing of it');
  same(await ada.evaluate(() => document.querySelector('#here').textContent), 'lobby: Ada, Bob', 'the page says who is here');

  await bob.setInputFiles('#file', { name: 'dot.png', mimeType: 'image/png', buffer: Buffer.from(PNG, 'base64') });
  await until(ada, () => [...document.querySelectorAll('#log img')].some((image) => image.complete && image.naturalWidth === 1));
  check(true, 'a picture goes from polling to WebSocket');
  // The page tells it at most every 1.5 s, and it is shown for 3 s.
  const note = until(ada, () => document.querySelector('#typing').textContent === 'Bob is typing');
  await bob.locator('#text').pressSequentially('I am typing', { delay: 300 });
  await note;
  await bob.fill('#text', '');
  check(true, 'and so does a note that somebody is typing');

  await checkLayout(ada, 'socketio-chat', 'h1, #status, #here, #log, #text, #send, label.button, .said');

  console.log('--- the server goes and comes back');
  browser.serverIsDown = true;
  same(await example.stop(), 0, 'SIGTERM: exit status 0');
  await Promise.all([ada, bob].map((page) => until(page, () => /trying again/.test(document.querySelector('#status').textContent))));
  await ada.fill('#text', 'kept while nobody hears');
  await ada.press('#text', 'Enter');
  await shows(ada, 'not sent');
  same(await ada.inputValue('#text'), 'kept while nobody hears', 'what is not sent stays in the input');
  const before = example.address;
  example = await start('socketio', {}, args.socketio, before, client);
  await Promise.all([connected(ada, 'websocket'), connected(bob, 'polling')]);
  browser.serverIsDown = false;
  await ada.press('#text', 'Enter');
  await shows(bob, 'kept while nobody hears');
  check(true, 'both pages come back by themselves, and chat again');
  await screenshot(ada, 'socketio-reconnected');

  browser.serverIsDown = true;
  same(await example.stop(), 0, 'SIGTERM again: exit status 0');
  same(browser.errors.filter((error) => !/ERR_CONNECTION|WebSocket connection/.test(error)), [], 'no errors in the console');
}

// The page says how to get the client that it was not given.
async function withoutClient(browser) {
  const { address, stop } = await start('socketio-bare', {}, args.socketio, '127.0.0.1:0');
  const page = await browser.open('without the client', `http://${address}/`);
  await shows(page, 'npm pack socket.io-client');
  same(await page.evaluate(() => document.querySelector('#enter button').disabled), true, 'without the client the page says how to get it');
  await page.close();
  same(await stop(), 0, 'SIGTERM: exit status 0');
  browser.errors = browser.errors.filter((error) => !/404|socket.io.js/.test(error));
}

await scenario('socketio', ['socketio'], main);
