// A real browser against the `auth` example: its page, and the two ways that a page has to send a token.
//
//   node auth.mjs --modules DIR --out DIR --chromium FILE --auth FILE

import { args, check, checkLayout, openBrowser, same, scenario, SOON, start, within } from './browser.mjs';

const ADA = '0badcafe0badcafe0badcafe0badcafe';
const WRONG = 'feedface00feedface00feedface0000';

// Opens a WebSocket from the page, and says what the page sees of it.
async function visit({ url, protocols }) {
  const ws = new WebSocket(url, protocols);
  const closed = new Promise((resolve) => { ws.onclose = ({ code }) => resolve(code); });
  const greeting = await Promise.race([new Promise((resolve) => { ws.onmessage = ({ data }) => resolve(data); }), closed.then(() => null)]);
  ws.close(1000);
  return { greeting, protocol: ws.protocol, code: await closed };
}

async function main() {
  const example = await start('auth', { HUB_TOKENS: `ada:${ADA}`, RUST_LOG: 'info' }, args.auth, '127.0.0.1:0');
  const browser = await openBrowser();
  browser.serverIsDown = true; // a 401 is an error of the console, too
  const page = await browser.open('auth', `http://${example.address}/`);
  const status = (text) => page.waitForFunction((text) => document.querySelector('#status').textContent.startsWith(text), text, { timeout: SOON, polling: 50 });
  const connection = (protocols) => within(SOON, 'a WebSocket', page.evaluate(visit, { url: `ws://${example.address}/`, protocols }));
  const logIn = async (token) => {
    await page.fill('#token', token);
    await page.press('#token', 'Enter');
  };
  const refused = { greeting: null, protocol: '', code: 1006 };

  console.log('--- without a token');
  await status('log in, please');
  check(true, 'the page asks for one');
  await checkLayout(page, 'auth', 'h1, #status, #login, #token, #login button');
  same(await connection([]), refused, 'no cookie: refused');

  console.log('--- as a subprotocol');
  same(await connection(['hub.auth', `token.${WRONG}`]), refused, 'a wrong token: refused');
  await logIn(WRONG);
  await status('refused');
  check(true, 'the page says so');
  same(await connection([]), refused, 'and there is no cookie');
  await logIn(ADA);
  await status('connected');
  await page.fill('#message', 'from the page <b>');
  await page.press('#message', 'Enter');
  await page.waitForFunction(() => document.querySelector('#log').textContent.includes('ada: from the page <b>'), null, { timeout: SOON, polling: 50 });
  check(true, 'the page logs in and talks under its name');
  same(await connection(['hub.auth', `token.${ADA}`]), { greeting: 'hello ada', protocol: 'hub.auth', code: 1000 }, 'a right token: the subprotocol is hub.auth');

  console.log('--- as a cookie');
  same(await connection([]), { greeting: 'hello ada', protocol: '', code: 1000 }, 'the browser sends it by itself');
  same(await page.evaluate(() => document.cookie), '', 'and no script can read it');
  await page.reload();
  await status('connected');
  check(true, 'the page is logged in after a reload');
  same(await connection(['hub.auth', `token.${WRONG}`]), refused, 'a wrong token beside the cookie: refused');

  same(await example.stop(), 0, 'SIGTERM: exit status 0');
  same(browser.errors, [], 'no errors in the console');
}

await scenario('auth', ['auth'], main);
