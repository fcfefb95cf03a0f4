// A real browser against the `auth` example: its page, and the two ways that a page has to send a token.
//
//   node auth.mjs --modules DIR --out DIR --chromium FILE --auth FILE

import { args, check, checkLayout, freeAddress, openBrowser, same, scenario, SOON, start, within } from './browser.mjs';

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
  const env = { HUB_TOKENS: `ada:${ADA}`, RUST_LOG: 'info' };
  let example = await start('auth', env, args.auth, await freeAddress());
  const browser = await openBrowser();
  browser.serverIsDown = true; // a 401 is an error of the console, too
  const page = await browser.open('auth', `http://${example.address}/`);
  const status = (text) => page.waitForFunction((text) => document.querySelector('#status').textContent.startsWith(text), text, { timeout: 2 * SOON, polling: 50 });
  const connection = (protocols) => within(SOON, 'a WebSocket', page.evaluate(visit, { url: `ws://${example.address}/`, protocols }));
  const logIn = async (token) => {
    await page.fill('#token', token);
    await page.press('#token', 'Enter');
  };
  const refused = { greeting: null, protocol: '', code: 1006 };

  console.log('--- without a token');
  await status('log in, please');
  check(true, 'the page asks for one');
  await checkLayout(page, 'auth-login', 'h1, #status, #login, #token, #login button');
  same(await connection([]), refused, 'no cookie: refused');

  console.log('--- as a subprotocol');
  same(await connection(['hub.auth', `token.${WRONG}`]), refused, 'a wrong token: refused');
  same(await connection(['hub.auth', `token.${ADA}`]), { greeting: 'hello ada', protocol: 'hub.auth', code: 1000 }, 'a right token: the subprotocol is hub.auth');

  console.log('--- the page logs in');
  await logIn(WRONG);
  await status('that token is wrong');
  check(true, 'a wrong token: the page says so');
  same(await connection([]), refused, 'and there is no cookie');
  await logIn(ADA);
  await status('connected');
  same(await page.textContent('#me'), 'ada', 'it says who one is');
  await page.fill('#message', 'from the page <b>');
  await page.press('#message', 'Enter');
  const said = (text) => page.waitForFunction((text) => document.querySelector('#log').textContent.includes(text), text, { timeout: SOON, polling: 50 });
  await said('youfrom the page <b>');
  check(true, 'and talks');
  for (let i = 0; i < 60; i++) {
    await page.fill('#message', `line ${i}`);
    await page.press('#message', 'Enter');
  }
  await said('line 59');
  check(await page.evaluate(() => document.querySelector('#log').lastElementChild.getBoundingClientRect().bottom <= innerHeight), 'the latest message is in view');
  await checkLayout(page, 'auth-chat', 'h1, #status, #who, #log, #message, #send, .said');

  console.log('--- as a cookie');
  same(await connection([]), { greeting: 'hello ada', protocol: '', code: 1000 }, 'the browser sends it by itself');
  same(await page.evaluate(() => document.cookie), '', 'and no script can read it');
  await page.reload();
  await status('connected');
  check(true, 'the page is logged in after a reload');
  same(await connection(['hub.auth', `token.${WRONG}`]), refused, 'a wrong token beside the cookie: refused');

  console.log('--- the server goes and comes back');
  same(await example.stop(), 0, 'SIGTERM: exit status 0');
  await status('connection lost, trying again in ');
  check(true, 'the page says so');
  example = await start('auth', env, args.auth, example.address);
  await status('connected');
  check(true, 'and connects by itself');

  console.log('--- log out');
  await page.click('#logout');
  await status('logged out');
  same(await connection([]), refused, 'no cookie is left');
  same(await example.stop(), 0, 'SIGTERM again: exit status 0');
  await logIn(ADA);
  await status('no answer from the server');
  check(true, 'no server is told apart from a wrong token');
  same(browser.errors, [], 'no errors in the console');
}

await scenario('auth', ['auth'], main);
