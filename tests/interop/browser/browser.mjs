// What the scenarios of this folder share: arguments, checks, the executables under test, Chromium, and an end in bounded time.
//
//   node SCENARIO.mjs --modules DIR --out DIR --chromium FILE, and a FILE for each executable that it names
//
// --modules: where playwright-core is installed (in DIR/node_modules); --out: gets logs and screenshots.
// Exit status 0 when everything held; every wait has a bound.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { freePorts } from '../proxies/places.mjs';

export const SOON = 60_000; // ms, for anything that should happen at once

export let args;
const cleanups = [];
let axe; // the text of axe-core, which is run in pages

// ---- checks

let failures = 0;
export function check(holds, what) {
  console.log(`${holds ? 'ok  ' : 'FAIL'} ${what}`);
  if (!holds) failures++;
}
export function same(seen, expected, what) {
  const holds = JSON.stringify(seen) === JSON.stringify(expected);
  check(holds, holds ? what : `${what}: ${JSON.stringify(seen)} instead of ${JSON.stringify(expected)}`);
}

export async function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`${what}: nothing within ${ms} ms`)), ms); });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

// ---- the executables under test

// start(NAME, ENV, FILE, ARGUMENT...): waits for its "listening on" line; `stop` ends it with a signal and gives its exit status
export async function start(name, env, file, ...argv) {
  const log = fs.createWriteStream(path.join(args.out, `${name}.log`), { flags: 'a' });
  const child = spawn(file, argv, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  cleanups.push(() => child.exitCode ?? child.signalCode ?? child.kill('SIGKILL'));
  child.stderr.pipe(log, { end: false });
  const exit = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));
  const address = new Promise((resolve, reject) => {
    let output = '';
    child.once('error', reject);
    child.stdout.on('data', (chunk) => {
      log.write(chunk);
      output += chunk;
      const line = /^listening on wss?:\/\/(.*)\/$/m.exec(output);
      if (line) resolve(line[1]);
    });
    exit.then((status) => reject(new Error(`${name} ended with ${status} before it was listening`)));
  });
  const stop = (signal = 'SIGTERM') => {
    child.kill(signal);
    return within(SOON, `${name} ends on ${signal}`, exit);
  };
  return { address: await within(SOON, `${name} listens`, address), stop, signal: (signal) => child.kill(signal) };
}

// Where one can listen, leave and listen again: nobody else gets the port meanwhile.
export async function freeAddress() {
  const [port] = await freePorts(1);
  return `127.0.0.1:${port}`;
}

// ---- Chromium

// flags: further ones of the command line. errors: whatever a page complains about; a refused connection is no fault while `serverIsDown` is set.
export async function openBrowser(...flags) {
  const { chromium } = createRequire(path.resolve(args.modules, 'package.json'))('playwright-core');
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'wshub-browser-'));
  cleanups.push(() => fs.rmSync(profile, { recursive: true, force: true, maxRetries: 3 }));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: args.chromium,
    headless: true,
    timeout: 2 * SOON,
    viewport: { width: 1000, height: 700 },
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
      '--disable-sync', '--disable-dev-shm-usage', '--no-proxy-server',
      '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost', ...flags,
    ],
  });
  cleanups.unshift(() => context.close());
  context.setDefaultTimeout(SOON);
  console.log(`Chromium ${context.browser()?.version() ?? ''}`.trimEnd());

  const browser = { errors: [], serverIsDown: false };
  browser.open = async (name, url) => {
    const page = await context.newPage();
    page.on('pageerror', (error) => browser.errors.push(`${name}: ${error}`));
    page.on('console', (message) => {
      if (message.type() !== 'error') return;
      if (browser.serverIsDown && /WebSocket connection to .* failed|Failed to load resource: .*(401|503|ERR_CONNECTION)/.test(message.text())) return;
      browser.errors.push(`${name}: ${message.text()}`);
    });
    const response = await page.goto(url);
    check(response.status() === 200 && /^text\/html/.test(response.headers()['content-type'] ?? ''), `${name}: the page comes as 200 text/html`);
    return page;
  };
  return browser;
}

// Pictures of a page, on a phone upright and on its side and on a desk, light and dark: it fits the window, nothing of it
// sticks out, its log shows the latest entry, and axe finds nothing.
export async function checkLayout(page, name, elements) {
  await page.evaluate(axe);
  for (const [width, height] of [[1280, 800], [640, 360], [360, 640]]) {
    const size = `${width}x${height}`;
    await page.setViewportSize({ width, height });
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      await screenshot(page, `${name}-${size}-${colorScheme}`);
      const found = await page.evaluate(async () => {
        const { violations } = await window.axe.run({ resultTypes: ['violations'] });
        return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 80)).join(' | ')}`);
      });
      same(found, [], `axe finds nothing at ${size}, ${colorScheme}`);
    }
    const { scrollWidth, scrollHeight } = await page.evaluate(() => {
      const { scrollWidth, scrollHeight } = document.documentElement;
      return { scrollWidth, scrollHeight };
    });
    check(scrollWidth <= width && scrollHeight <= height, `the page fits ${size}: it takes ${scrollWidth}x${scrollHeight}`);
    check(await page.evaluate(() => {
      const log = document.querySelector('#log');
      return log === null || log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    }), `the log shows its end at ${size}`);
    check(await page.evaluate((elements) => {
      return [...document.querySelectorAll(elements)].filter((e) => e.offsetParent !== null).every((e) => {
        const { left, right, top, bottom } = e.getBoundingClientRect();
        const inLog = e.closest('#log') !== null && e.id !== 'log'; // it scrolls
        return left >= 0 && right <= innerWidth && (inLog || (top >= 0 && bottom <= innerHeight))
          && (getComputedStyle(e).overflowX !== 'auto' || e.scrollWidth <= e.clientWidth);
      });
    }, elements), `nothing sticks out at ${size}`);
  }
}

// Goes from one to the next by the Tab key: the ids in the order that it has.
export async function tabOrder(page, count) {
  const ids = [];
  for (let i = 0; i < count; i++) {
    await page.keyboard.press('Tab');
    ids.push(await page.evaluate(() => document.activeElement.id || document.activeElement.tagName));
  }
  return ids;
}

export function screenshot(page, name) {
  return page.screenshot({ path: path.join(args.out, `${name}.png`) });
}

// ---- the run

// scenario(NAME, EXECUTABLES, MAIN): parses the arguments, runs MAIN, cleans up, ends the process
export async function scenario(name, executables, main) {
  const names = ['modules', 'out', 'chromium', ...executables];
  args = parseArgs({ options: Object.fromEntries(names.map((name) => [name, { type: 'string' }])) }).values;
  for (const name of names) {
    if (!args[name]) throw new Error(`--${name} is missing`);
  }
  fs.mkdirSync(args.out, { recursive: true });
  axe = fs.readFileSync(path.join(args.modules, 'node_modules/axe-core/axe.min.js'), 'utf8');
  let bad = false;
  try {
    await within(540_000, 'the whole run', main());
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
  console.log(bad || failures ? `${name}: FAILED (${failures} checks); logs and screenshots are in ${args.out}` : `${name}: all checks hold`);
  process.exit(bad || failures ? 1 : 0);
}
