// npm socket.io-client, which comes back as who it was: node recovery.mjs URL polling|websocket|upgrade

import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { io } from 'socket.io-client';

const [url, mode] = process.argv.slice(2);
const transports = { polling: ['polling'], websocket: ['websocket'], upgrade: ['polling', 'websocket'] }[mode];
const options = { transports, forceNew: true, reconnection: false };
const [ann, bob] = [io(url, options), io(url, options)];
// Of its own: clients of another mode may be remembered in theirs until their heartbeat is missed.
const room = `recovery by ${mode}`;
const heard = [];
const PATIENCE = 60_000;
let failed = false;

function same(name, seen, wanted) {
  failed ||= seen !== wanted;
  console.log(seen === wanted ? `ok   ${name}` : `FAIL ${name}: ${seen} in place of ${wanted}`);
}

console.log(`npm socket.io-client, recovery, ${mode}`);
await Promise.all([once(ann, 'connect'), once(bob, 'connect')]);
ann.on('said', (_, text) => heard.push(text));
await ann.emitWithAck('join', room);
await bob.emitWithAck('say', room, 'before');
while (heard.length === 0) await setTimeout(10);
const { id } = ann;
const back = once(ann, 'connect');
ann.io.engine.close();
while (await bob.emitWithAck('say', room, 'meanwhile') !== 0) await setTimeout(10);
ann.connect();
await back;
for (const begun = Date.now(); heard.at(-1) !== 'meanwhile' && Date.now() - begun < PATIENCE;) await setTimeout(10);
same('recovered', ann.recovered, true);
same('its id', ann.id, id);
same('what it missed', heard.at(-1), 'meanwhile');
same('its rooms', await bob.emitWithAck('say', room, 'after'), 1);
process.exit(failed ? 1 : 0);
