// npm's clients, as many as are asked for, that do what standard input says and tell when it is done:
//   node load.mjs URL polling|websocket|raw CLIENTS   raw: TCP connections that read
//   broadcast TICKS SIZE   one asks for so many at once, all count
//   ticks TICKS SIZE       the same, each when all have had the one before
//   echo TIMES             each asks so often, one after the other
// Clients that poll keep their connections, as browsers do.

import { Agent } from 'node:http';
import { connect as connectTcp } from 'node:net';
import { createInterface } from 'node:readline';
import { io } from 'socket.io-client';

const [url, transport, count] = process.argv.slice(2);
const sockets = [];
let seen = 0;
let wanted = Infinity;
let all = () => {};

function connect() {
  return new Promise((resolve, reject) => {
    if (transport === 'raw') {
      const { hostname, port } = new URL(url);
      connectTcp(port, hostname, resolve).on('error', reject).resume();
      return;
    }
    const agent = transport === 'polling' && new Agent({ keepAlive: true });
    const options = { transports: [transport], agent, forceNew: true, reconnection: false, timeout: 60_000 };
    const socket = io(url, options);
    sockets.push(socket);
    let next = 0;
    socket.on('tick', (number) => {
      if (number !== 0 && number !== next) throw new Error(`tick ${number} in place of ${next}`);
      next = number + 1;
      seen += 1;
      if (seen === wanted) all();
    });
    socket.on('connect', resolve);
    socket.on('connect_error', reject);
    socket.on('disconnect', (reason, details) => {
      console.log(`lost: ${reason}, ${details?.description} ${details?.context?.responseText}`);
      process.exit(1);
    });
  });
}

function broadcast(ticks, size) {
  seen = 0;
  wanted = sockets.length * ticks;
  const done = new Promise((resolve) => { all = resolve; });
  sockets[0].emit('broadcast', ticks, size);
  return done;
}

for (let begun = 0; begun < Number(count); begun += 25) {
  await Promise.all(Array.from({ length: Math.min(25, Number(count) - begun) }, connect));
}
console.log('connected');

for await (const line of createInterface({ input: process.stdin })) {
  const [what, times, size] = line.split(' ');
  const start = process.hrtime.bigint();
  if (what === 'broadcast') {
    await broadcast(Number(times), Number(size));
  } else if (what === 'ticks') {
    for (let time = 0; time < Number(times); time += 1) await broadcast(1, Number(size));
  } else {
    await Promise.all(sockets.map(async (socket) => {
      for (let time = 0; time < Number(times); time += 1) {
        if (await socket.emitWithAck('echo', time) !== time) throw new Error('a wrong answer');
      }
    }));
  }
  console.log(`done ${Number(process.hrtime.bigint() - start) / 1e6}`);
}
