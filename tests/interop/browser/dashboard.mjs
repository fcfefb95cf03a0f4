// A real browser against the `dashboard` example and its page: readings, plot, a server that hangs, dies and comes back.
//
//   node dashboard.mjs --modules DIR --out DIR --chromium FILE --dashboard FILE

import { args, check, checkLayout, openBrowser, same, scenario, screenshot, SOON, start } from './browser.mjs';

const RECOVERY = 30_000; // the page's delays are capped at 10 s, and silence shows after 3 s

async function main() {
  let example = await start('dashboard', {}, args.dashboard, '127.0.0.1:0');
  const { address } = example;
  const browser = await openBrowser();
  const page = await browser.open('dashboard', `http://${address}/`);

  const text = (id) => page.locator(`#${id}`).textContent();
  // until(CONDITION on the page's own variables, ARGUMENT): waits for it
  const until = (condition, argument = null, timeout = SOON) => page.waitForFunction(condition, argument, { timeout, polling: 50 });
  const status = (pattern, timeout) => until((pattern) => new RegExp(pattern).exec(byId('status').textContent)?.[0], pattern, timeout);
  // how many pixels of the plot have nearly this colour
  const pixels = (name) => page.evaluate((name) => {
    const probe = document.createElement('canvas').getContext('2d');
    probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);
    probe.fillRect(0, 0, 1, 1);
    const wanted = probe.getImageData(0, 0, 1, 1).data;
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let i = 0; i < data.length; i += 4) {
      if (wanted.every((part, at) => Math.abs(part - data[i + at]) <= 3)) count++;
    }
    return count;
  }, name);

  console.log('--- readings');
  await status('^connected$');
  await until(() => readings.length >= 30, null, RECOVERY);
  await until(() => parseFloat(byId('rate').textContent) > 0);
  const rate = parseFloat(await text('rate'));
  check(rate > 5 && rate < 15, `the page says ${await text('rate')}`);
  check(/^\d+\.\d (%|°C)$/.test(await text('value')), `the current value: ${await text('name')} ${await text('value')}`);
  // On a busy machine the device may miss a turn: then the numbers say so.
  const now = await page.evaluate(() => ({ readings, seen, missed, text: byId('missed').textContent }));
  const steps = now.readings.slice(1).map(({ seq, time }, i) => ({ seq: seq - now.readings[i].seq, time: time - now.readings[i].time }));
  check(steps.every((step) => step.seq >= 1 && step.time === 100 * step.seq), 'the numbers grow, and the times with them');
  same([now.missed, now.text], [steps.reduce((sum, step) => sum + step.seq - 1, 0), `${now.missed} of ${now.seen + now.missed}`], 'it counts what was missed, and of how many');
  const late = await browser.open('a page that comes later', `http://${address}/`);
  // So many come in 3 s.
  await late.waitForFunction(() => readings.length >= 30, null, { timeout: 2000, polling: 50 });
  check(true, 'a page that comes later has the plot at once');
  await late.close();
  const line = await pixels('accent');
  check(line > 20, `the plot is not blank: ${line} pixels of its line`);
  if (now.missed === 0) same(await pixels('gap'), 0, 'and shows no gap');

  console.log('--- the server hangs: no close event tells the page');
  await example.signal('SIGSTOP');
  await status('^connection lost since \\d\\d:\\d\\d:\\d\\d, ');
  check(true, `the page says: ${await text('status')}`);
  await example.signal('SIGCONT');
  await status('^connected$', RECOVERY);
  check(parseInt(await text('missed')) > 10, `live again, and it says how many readings it missed: ${await text('missed')}`);
  check(await pixels('gap') > 100, 'the plot shows a gap');

  console.log('--- the server is killed');
  browser.serverIsDown = true;
  same(await example.stop('SIGKILL'), 'SIGKILL', 'killed');
  await status('^connection lost since \\d\\d:\\d\\d:\\d\\d, trying again in \\d+ s$');
  const lost = await text('status');
  check(true, `the page says: ${lost}`);
  await until(() => failures >= 3);
  same((await text('status')).slice(0, 30), lost.slice(0, 30), 'after failed attempts it still says since when');
  await screenshot(page, 'dashboard-lost');
  example = await start('dashboard', {}, args.dashboard, address);
  same(example.address, address, 'the example starts again on the same port');
  await status('^connected$', RECOVERY);
  browser.serverIsDown = false;
  await until(() => readings.at(-1).seq >= 20);
  check(true, 'the page recovers by itself');
  await until(() => parseFloat(byId('rate').textContent) > 5);
  check(true, 'at the full rate');
  check(await page.evaluate(() => readings.filter(({ afterGap }) => afterGap).length) >= 2, 'gaps for the halt and for the restart');

  console.log('--- layout');
  await checkLayout(page, 'dashboard', 'h1, #value, dl, #status, #plot, #legend');

  console.log('--- the server ends');
  browser.serverIsDown = true;
  same(await example.stop(), 0, 'SIGTERM: exit status 0');
  await status('^connection lost');
  check(true, 'the page says so');
  same(browser.errors, [], 'no errors in the console');
}

await scenario('dashboard', ['dashboard'], main);
