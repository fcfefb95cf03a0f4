// A real browser against the `dashboard` example and its page: readings, plot, a server that hangs, dies and comes back.
//
//   node dashboard.mjs --modules DIR --out DIR --chromium FILE --dashboard FILE

import { args, check, checkLayout, freeAddress, openBrowser, same, scenario, screenshot, SOON, start } from './browser.mjs';

const RECOVERY = 120_000; // the page's delays are capped at 10 s, and silence shows after 3 s

async function main() {
  let example = await start('dashboard', {}, args.dashboard, await freeAddress());
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
  const rate = await until(() => /^(?:[6-9]|1[0-4])\.\d \/s$/.exec(byId('rate').textContent)?.[0]);
  check(true, `the page says ${await rate.jsonValue()}`);
  check(/^\d+\.\d (%|°C)$/.test(await text('value')), `the current value: ${await text('name')} ${await text('value')}`);
  // On a busy machine the device may miss a turn: then the numbers say so.
  const now = await page.evaluate(() => ({ readings, seen, missed, text: byId('missed').textContent }));
  const steps = now.readings.slice(1).map(({ seq, time }, i) => ({ seq: seq - now.readings[i].seq, time: time - now.readings[i].time }));
  check(steps.every((step) => step.seq >= 1 && step.time === 100 * step.seq), 'the numbers grow, and the times with them');
  same([now.missed, now.text], [steps.reduce((sum, step) => sum + step.seq - 1, 0), `${now.missed} of ${now.seen + now.missed}`], 'it counts what was missed, and of how many');
  const before = await page.evaluate(() => readings.at(-1).seq);
  const late = await browser.open('a page that comes later', `http://${address}/`);
  await late.waitForFunction((before) => readings.length >= 30 && readings[0].seq < before, before, { timeout: SOON, polling: 50 });
  check(true, 'a page that comes later has the plot of the time before');
  await late.close();
  const line = await pixels('accent');
  check(line > 20, `the plot is not blank: ${line} pixels of its line`);
  const gap = await pixels('gap');
  if (await page.evaluate(() => missed) === 0) same(gap, 0, 'and shows no gap');

  console.log('--- the server hangs: no close event tells the page');
  await example.signal('SIGSTOP');
  await status('^connection lost since \\d\\d:\\d\\d:\\d\\d, ');
  check(true, `the page says: ${await text('status')}`);
  await example.signal('SIGCONT');
  await status('^connected$', RECOVERY);
  await until(() => parseInt(byId('missed').textContent) > 10);
  check(true, `live again, and it says how many readings it missed: ${await text('missed')}`);
  // With one of its next frames.
  const deadline = Date.now() + SOON;
  while (await pixels('gap') <= 100 && Date.now() < deadline) await page.waitForTimeout(50);
  check(await pixels('gap') > 100, 'the plot shows a gap');

  console.log('--- the server is killed');
  browser.serverIsDown = true;
  same(await example.stop('SIGKILL'), 'SIGKILL', 'killed');
  await status('^connection lost since \\d\\d:\\d\\d:\\d\\d, trying again in \\d+ s$');
  const lost = await text('status');
  check(true, `the page says: ${lost}`);
  await until(() => failures >= 3, null, RECOVERY);
  same((await text('status')).slice(0, 30), lost.slice(0, 30), 'after failed attempts it still says since when');
  await screenshot(page, 'dashboard-lost');
  example = await start('dashboard', {}, args.dashboard, address);
  same(example.address, address, 'the example starts again on the same port');
  await status('^connected$', RECOVERY);
  browser.serverIsDown = false;
  await until(() => readings.at(-1).seq >= 20, null, RECOVERY);
  check(true, 'the page recovers by itself');
  await until(() => parseFloat(byId('rate').textContent) > 5);
  check(true, 'at the full rate');
  check(await page.evaluate(() => readings.some(({ afterGap, seq }, i) => afterGap && seq < readings[i - 1]?.seq)), 'and a gap for the restart');

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
