// What the checks of Node's clients share: node CLIENT.mjs URL polling|websocket|upgrade, and a line `ok CHECK` or `FAIL CHECK: why` for each.

import { createRequire } from 'node:module';
import { setTimeout } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';

const PATIENCE = 60_000;
let failed = false;

export const [url, mode] = process.argv.slice(2);
export const transports = { polling: ['polling'], websocket: ['websocket'], upgrade: ['polling', 'websocket'] }[mode];

// Says which client it is. `connect` puts its socket into the list that it gets first, and gives it back when it is open: a step calls it with
// what comes behind that, and its sockets are closed at its end.
export function checks(client, connect) {
  const { version } = createRequire(import.meta.url)(`${client}/package.json`);
  console.log([`npm ${client} ${version}`, mode].filter(Boolean).join(', '));
  return async function check(name, step) {
    const open = [];
    const done = new AbortController();
    const late = setTimeout(PATIENCE, undefined, { signal: done.signal }).then(() => { throw new Error('no end in time'); });
    late.catch(() => {});
    try {
      await Promise.race([step((...args) => connect(open, ...args)), late]);
      console.log(`ok   ${name}`);
    } catch (error) {
      failed = true;
      console.log(`FAIL ${name}: ${error.message}`);
    }
    done.abort();
    open.forEach((socket) => socket.close());
  };
}

export function same(seen, wanted) {
  if (!isDeepStrictEqual(seen, wanted)) throw new Error(`${JSON.stringify(seen)} in place of ${JSON.stringify(wanted)}`);
}

export function exit() {
  process.exit(failed ? 1 : 0);
}
