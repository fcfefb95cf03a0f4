// npm engine.io-client against the server of Engine.IO: node engineio.mjs URL polling|websocket|upgrade

import { setTimeout } from 'node:timers/promises';
import { Socket } from 'engine.io-client';
import { checks, exit, mode, same, transports, url } from './checks.mjs';

const check = checks('engine.io-client', async (open) => {
  const socket = new Socket(url, { transports });
  open.push(socket);
  await event(socket, 'open');
  if (mode === 'upgrade') await event(socket, 'upgrade');
  return socket;
});

function event(emitter, name) {
  return new Promise((resolve) => { emitter.once(name, (...args) => resolve(args)); });
}

await check('text', async (connect) => {
  const socket = await connect();
  const back = event(socket, 'message');
  socket.send('naïve – 漢字 – 😀');
  same(await back, ['naïve – 漢字 – 😀']);
});

await check('bytes', async (connect) => {
  const socket = await connect();
  for (const size of [0, 1, 1000, 200_000]) {
    const data = Buffer.alloc(size, 7);
    const back = event(socket, 'message');
    socket.send(data);
    same(Buffer.compare(Buffer.from((await back)[0]), data), 0);
  }
});

await check('2,000 in order', async (connect) => {
  const socket = await connect();
  const seen = new Promise((resolve) => {
    const numbers = [];
    socket.on('message', (text) => { numbers.push(Number(text)); if (numbers.length === 2000) resolve(numbers); });
  });
  for (let number = 0; number < 2000; number += 1) socket.send(`${number}`);
  same(await seen, Array.from({ length: 2000 }, (_, i) => i));
});

await check('while it upgrades', async () => {
  const socket = new Socket(url, { transports });
  await event(socket, 'open');
  const seen = [];
  socket.on('message', (text) => seen.push(Number(text)));
  for (let number = 0; number < 200; number += 1) { socket.send(`${number}`); if (number % 20 === 0) await setTimeout(5); }
  while (seen.length < 200) await setTimeout(10);
  same(seen, Array.from({ length: 200 }, (_, i) => i));
  socket.close();
});

await check('closed by the server', async (connect) => {
  const socket = await connect();
  const closed = event(socket, 'close');
  socket.send('close');
  same(/transport/.test((await closed)[0]), true);
});

await check('too large', async (connect) => {
  const socket = await connect();
  const closed = event(socket, 'close');
  socket.send('x'.repeat(1_100_000));
  same(/transport/.test((await closed)[0]), true);
});

await check('heartbeat', async (connect) => {
  const socket = await connect();
  await event(socket, 'heartbeat');
  await event(socket, 'heartbeat');
  const back = event(socket, 'message');
  socket.send('there');
  same(await back, ['there']);
});

await check('heartbeat lost', async (connect) => {
  const socket = await connect();
  const closed = event(socket, 'close');
  socket._sendPacket = () => {};
  same(['transport close', 'transport error'].includes((await closed)[0]), true);
});

exit();
