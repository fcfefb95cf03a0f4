// npm's clients at two servers, as many at each as are asked for, that do what standard input says and tell when it is done:
//   node load.mjs URL URL CLIENTS
//   broadcast TICKS SIZE   one asks the first server; all count, or what the last one missed is told: done MS MISSED
//   pace COUNT RATE        one speaks so often a second; a client of the other server hears it: done MEDIAN P99, in ms

import { createInterface } from 'node:readline';
import { setTimeout as rest } from 'node:timers/promises';
import { io } from 'socket.io-client';

const [near, far, count] = process.argv.slice(2);
// What does not come for so long is lost.
const PATIENCE = 30_000;
// Until the servers know each other, and the near one's words come to the far one.
const ACQUAINTANCE = 60_000;
const FIRST_WORDS = 0;
const sockets = [];
let known = false;
let seen = 0;
let latencies = [];

function connect(url, hears) {
  return new Promise((resolve, reject) => {
    const socket = io(url, { transports: ['websocket'], forceNew: true, reconnection: false, timeout: 60_000 });
    sockets.push(socket);
    socket.on('tick', () => { seen += 1; });
    if (hears) {
      socket.on('relayed', (stamp) => {
        if (stamp === FIRST_WORDS) known = true; else latencies.push(performance.now() - stamp);
      });
    }
    socket.on('connect', resolve);
    socket.on('connect_error', reject);
    socket.on('disconnect', (reason) => { console.log(`lost: ${reason}`); process.exit(1); });
  });
}

/** Until so many have come, or nothing comes any more. */
async function arrive(arrived, wanted) {
  let [last, since] = [arrived(), performance.now()];
  while (arrived() < wanted && performance.now() - since < PATIENCE) {
    await rest(1);
    if (arrived() !== last) [last, since] = [arrived(), performance.now()];
  }
}

for (const url of [near, far]) {
  for (let begun = 0; begun < Number(count); begun += 25) {
    await Promise.all(Array.from({ length: Math.min(25, Number(count) - begun) }, (_, at) => connect(url, url === far && begun + at === 0)));
  }
}
for (const begun = performance.now(); !known; await rest(50)) {
  if (performance.now() - begun > ACQUAINTANCE) throw new Error('the servers do not get to know each other');
  sockets[0].emit('relay', FIRST_WORDS);
}
console.log('connected');

for await (const line of createInterface({ input: process.stdin })) {
  const [what, first, second] = line.split(' ');
  const begun = performance.now();
  if (what === 'broadcast') {
    seen = 0;
    const wanted = sockets.length * Number(first);
    sockets[0].emit('broadcast', Number(first), Number(second));
    await arrive(() => seen, wanted);
    const lost = wanted - seen;
    console.log(`done ${performance.now() - begun - (lost > 0 ? PATIENCE : 0)} ${lost}`);
  } else {
    latencies = [];
    for (let number = 0; number < Number(first); number += 1) {
      const due = begun + (number * 1000) / Number(second);
      while (performance.now() < due) await rest(0);
      sockets[0].emit('relay', performance.now());
    }
    await arrive(() => latencies.length, Number(first));
    latencies.sort((one, other) => one - other);
    const share = (part) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * part))];
    console.log(`done ${share(0.5)} ${share(0.99)} ${Number(first) - latencies.length}`);
  }
}
