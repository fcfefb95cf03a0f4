// npm socket.io-client, which comes back to another server as who it was: node moving.mjs URL URL polling|websocket|upgrade

import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { io } from 'socket.io-client';

const [one, two, mode] = process.argv.slice(2);
const transports = { polling: ['polling'], websocket: ['websocket'], upgrade: ['polling', 'websocket'] }[mode];
const options = { transports, forceNew: true, reconnectionDelay: 1_000, randomizationFactor: 0 };
const [ann, bob, carl] = [io(one, options), io(one, options), io(two, options)];
const heard = [];
const room = `moving by ${mode}`;
const COUNT = 500;
let failed = false;

function same(name, seen, wanted) {
  const [a, b] = [seen, wanted].map((it) => JSON.stringify(it));
  failed ||= a !== b;
  console.log(a === b ? `ok   ${name}` : `FAIL ${name}: ${a} in place of ${b}`);
}

const numbers = (name) => heard.filter(([from]) => from === name).map(([, number]) => Number(number));

async function until(isSo) {
  for (const begun = Date.now(); !isSo() && Date.now() - begun < 60_000;) await setTimeout(10);
}

console.log(`npm socket.io-client, from one server to another, ${mode}`);
await Promise.all([ann, bob, carl].map((socket) => once(socket, 'connect')));
ann.on('said', (_, text) => heard.push(text.split(' ')));
await ann.emitWithAck('join', room);
const { id } = ann;
// Both servers send all the time, and it goes there and back.
const speak = async (name, socket) => {
  for (let number = 0; number < COUNT; number++) {
    socket.emit('say', room, `${name} ${number}`);
    if (number % 5 === 0) await setTimeout(50);
  }
};
const spoken = Promise.all([speak('bob', bob), speak('carl', carl)]);
const recovered = [];
for (const url of [two, one]) {
  await until(() => heard.length > 0);
  await setTimeout(300);
  const back = once(ann, 'connect');
  ann.io.uri = url;
  ann.io.engine.close();
  await back;
  recovered.push(ann.recovered);
}
await spoken;
await until(() => heard.length >= 2 * COUNT);
const wanted = Array.from({ length: COUNT }, (_, number) => number);
same('recovered', recovered, [true, true]);
same('its id', ann.id, id);
same('all of the one server', numbers('bob'), wanted);
same('all of the other', numbers('carl'), wanted);
process.exit(failed ? 1 : 0);
