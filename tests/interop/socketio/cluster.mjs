// npm socket.io-client at two servers of one cluster: node cluster.mjs URL URL polling|websocket|upgrade

import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { io } from 'socket.io-client';

const [one, two, mode] = process.argv.slice(2);
const transports = { polling: ['polling'], websocket: ['websocket'], upgrade: ['polling', 'websocket'] }[mode];
const PATIENCE = 60_000;
const [ann, bob, carl] = [one, two, two].map((url) => io(url, { transports, forceNew: true, reconnection: false }));
let failed = false;

async function check(name, step) {
  try {
    await step();
    console.log(`ok   ${name}`);
  } catch (error) {
    failed = true;
    console.log(`FAIL ${name}: ${error.message}`);
  }
}

function same(seen, wanted) {
  if (!isDeepStrictEqual(seen, wanted)) throw new Error(`${JSON.stringify(seen)} in place of ${JSON.stringify(wanted)}`);
}

// The arguments of so many events of this name, in order.
function heard(socket, event, count = 1) {
  return new Promise((resolve, reject) => {
    const seen = [];
    const listen = (...args) => {
      seen.push(args);
      if (seen.length === count) { socket.off(event, listen); resolve(seen); }
    };
    socket.on(event, listen);
    setTimeout(PATIENCE, undefined, { ref: false }).then(() => reject(new Error(`${seen.length} of ${count} ${event}`)));
  });
}

// What is told from here reaches the other server once they know each other.
async function knowEachOther() {
  for (const begun = Date.now(); Date.now() - begun < PATIENCE;) {
    const { answers, error } = await ann.timeout(PATIENCE).emitWithAck('ask all');
    if (answers.length === 3 && error === null) return;
    await setTimeout(50);
  }
  throw new Error('not all answer');
}

console.log(`npm socket.io-client at two servers, ${mode}`);
for (const socket of [ann, bob, carl]) socket.on('question', (number, answer) => answer(2 * number));
await Promise.all([ann, bob, carl].map((socket) => once(socket, 'connect')));
await check('answers of both', knowEachOther);
await check('2,000 in order', async () => {
  const numbers = [ann, bob, carl].map((socket) => heard(socket, 'number', 2_000));
  ann.emit('count', 2_000);
  const wanted = Array.from({ length: 2_000 }, (_, number) => [number]);
  for (const seen of await Promise.all(numbers)) same(seen, wanted);
});
await check('rooms', async () => {
  await Promise.all([ann.emitWithAck('join', 'kitchen'), bob.emitWithAck('join', 'kitchen')]);
  const outside = [];
  carl.on('said', (...args) => outside.push(args));
  const said = [heard(ann, 'said'), heard(bob, 'said')];
  carl.emit('say', 'kitchen', 'dinner');
  for (const seen of await Promise.all(said)) same(seen, [[carl.id, 'dinner']]);
  // To the others: not to the one that says it.
  const others = heard(bob, 'said');
  ann.emit('say', 'kitchen', 'washing up');
  same(await others, [[ann.id, 'washing up']]);
  same(outside, []);
});
await check('one by its id', async () => {
  const said = heard(bob, 'said');
  ann.emit('say', bob.id, 'just you');
  same(await said, [[ann.id, 'just you']]);
});
await check('disconnected', async () => {
  const gone = [bob, carl].map((socket) => once(socket, 'disconnect'));
  ann.emit('kick the others');
  for (const [reason] of await Promise.all(gone)) same(reason, 'io server disconnect');
  same(ann.connected, true);
});
ann.disconnect();
process.exit(failed ? 1 : 0);
