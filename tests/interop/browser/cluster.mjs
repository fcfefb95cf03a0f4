// A real browser against two programs of the `cluster` example, a Redis between them, and its page: one program is killed.
//
//   node cluster.mjs --modules DIR --out DIR --chromium FILE --cluster FILE --redis FILE

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

import { args, check, checkLayout, openBrowser, same, scenario, screenshot, SOON, start } from './browser.mjs';

const until = (page, what, argument) => page.waitForFunction(what, argument, { timeout: SOON, polling: 50 });
const shows = (page, text) => until(page, (text) => document.querySelector('#log').textContent.includes(text), text);
const connected = (page, place) => until(page, (place) => document.querySelector('#status').textContent === `connected to ${place}`, place);
const said = (page) => page.evaluate(() => [...document.querySelectorAll('#log .said .text')].map((e) => e.textContent));

// A Redis of its own, in memory and at a socket of Unix, for which no port has to be free: its address, and a function that ends it.
// The servers connect once it is there.
function startRedis() {
  const log = fs.openSync(path.join(args.out, 'redis.log'), 'w');
  const socket = path.resolve(args.out, 'redis.sock');
  fs.rmSync(socket, { force: true });
  const child = spawn(args.redis, ['--port', '0', '--unixsocket', socket, '--save', '', '--dir', args.out], { stdio: ['ignore', log, log] });
  process.on('exit', () => child.kill('SIGKILL'));
  return { url: `unix://${socket}`, stop: () => child.kill('SIGKILL') };
}

async function say(page, words) {
  await page.fill('#message', words);
  await page.press('#message', 'Enter');
}

async function main() {
  const browser = await openBrowser();
  const redis = startRedis();
  const one = await start('cluster-one', {}, args.cluster, '127.0.0.1:0', redis.url);
  const two = await start('cluster-two', {}, args.cluster, '127.0.0.1:0', redis.url);
  // As the servers name themselves.
  const [first, second] = [one, two].map(({ address }) => `localhost:${address.split(':')[1]}`);
  const ada = await browser.open('Ada', `http://${one.address}/`);
  const bob = await browser.open('Bob', `http://${two.address}/`);
  await connected(ada, first);
  await connected(bob, second);
  await until(ada, () => document.querySelectorAll('#servers span').length === 2);
  same(await ada.evaluate(() => document.querySelector('#servers .own').textContent.split(': ')[0]), first, 'the page shows which server it is on, of two');

  await say(ada, 'from the first server');
  await shows(bob, 'from the first server');
  await say(bob, 'from the second server');
  await shows(ada, 'from the second server');
  check(true, 'what the page of one server sends, the pages of both get');
  same(await ada.evaluate(() => [...document.querySelectorAll('#log .own .text')].map((e) => e.textContent)), ['from the first server'], 'own messages stand apart');
  await checkLayout(ada, 'cluster', 'h1, #status, #servers, #log, #message, #send, .said');

  console.log('--- a server is killed');
  browser.serverIsDown = true;
  await one.stop('SIGKILL');
  await say(bob, 'while Ada is away');
  await connected(ada, second);
  await shows(ada, 'while Ada is away');
  same(await said(ada), ['from the first server', 'from the second server', 'while Ada is away'], 'its page goes to the other, and gets what it missed, once');
  await until(bob, () => document.querySelectorAll('#servers span').length === 1);
  check(true, 'and the list shows one server');
  await say(ada, 'back again');
  await shows(bob, 'back again');
  await screenshot(ada, 'cluster-moved');

  same(await two.stop(), 0, 'SIGTERM: exit status 0');
  redis.stop();
  same(browser.errors.filter((error) => !/WebSocket connection/.test(error)), [], 'no errors in the console');
}

await scenario('cluster', ['cluster', 'redis'], main);
