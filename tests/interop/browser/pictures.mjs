// Takes the README's pictures: two windows of the `broadcast` example, and the `dashboard` example after a minute.
//
//   node pictures.mjs --modules DIR --out DIR --chromium FILE --broadcast FILE --dashboard FILE

import { args, openBrowser, same, scenario, screenshot, start } from './browser.mjs';

const SAID = [
  ['left', 'The pump in hall 2 is back.'],
  ['right', 'Seen, 3.2 bar and rising.'],
  ['left', 'I leave this window open.'],
  ['right', 'So do I. An idle page costs nothing.'],
];

await scenario('pictures', ['broadcast', 'dashboard'], async () => {
  const browser = await openBrowser();
  await twoWindows(browser);
  await oneMinute(browser);
  same(browser.errors.filter((error) => !error.includes('404')), [], 'no page complains');
});

// The windows are frames of one page, so that one picture shows both.
async function twoWindows(browser) {
  const { address, stop } = await start('broadcast', {}, args.broadcast, '127.0.0.1:0');
  const page = await browser.open('broadcast', `http://${address}/`);
  await page.setViewportSize({ width: 1200, height: 460 });
  await page.goto(`http://${address}/no-page`);
  await page.setContent(`<body style="margin: 0; display: flex; gap: 12px; background: #8a94a0">
    ${['left', 'right'].map((name) => `<iframe name="${name}" src="http://${address}/" style="border: 0; flex: 1; height: 460px"></iframe>`).join('')}`);
  const names = { left: 'Ada', right: 'Grace' };
  for (const [name, says] of Object.entries(names)) {
    const frame = page.frame({ name });
    await frame.waitForSelector('#send:enabled');
    await frame.fill('#name', says);
  }
  for (const [i, [name, text]] of SAID.entries()) {
    await page.frame({ name }).fill('#message', text);
    await page.frame({ name }).press('#message', 'Enter');
    for (const each of Object.keys(names)) await page.frame({ name: each }).waitForSelector(`.said:nth-of-type(${i + 1})`);
  }
  await screenshot(page, 'broadcast');
  await page.close();
  same(await stop(), 0, 'broadcast ends');
}

async function oneMinute(browser) {
  const { address, stop } = await start('dashboard', {}, args.dashboard, '127.0.0.1:0');
  const page = await browser.open('dashboard', `http://${address}/`);
  await page.setViewportSize({ width: 1200, height: 460 });
  await page.waitForTimeout(60_000);
  await screenshot(page, 'dashboard');
  await page.close();
  same(await stop(), 0, 'dashboard ends');
}
