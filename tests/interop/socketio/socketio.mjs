// npm socket.io-client against the server: node socketio.mjs URL polling|websocket|upgrade

import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { io } from 'socket.io-client';
import { checks, exit, mode, same, transports, url } from './checks.mjs';

const check = checks('socket.io-client', async (open, path = '/', options = {}) => {
  const socket = io(new URL(path, url).href, { transports, forceNew: true, reconnection: false, ...options });
  open.push(socket);
  await event(socket, 'connect');
  if (mode === 'upgrade' && socket.io.engine.transport.name !== 'websocket') await event(socket.io.engine, 'upgrade');
  return socket;
});

async function event(emitter, name) {
  const args = await Promise.race([
    new Promise((resolve) => { emitter.once(name, (...args) => resolve(args)); }),
    ...(name === 'connect' ? [once(emitter, 'connect_error').then(([error]) => { throw error; })] : []),
  ]);
  return args;
}

await check('event and answer', async (connect) => {
  const socket = await connect();
  const back = event(socket, 'echo');
  const args = [1, 'naïve – 漢字 – 😀', { a: [null, true] }];
  same(await new Promise((resolve) => { socket.emit('echo', ...args, (...answer) => resolve(answer)); }), args);
  same(await back, args);
  same(socket.id.length, 20);
});

await check('proof', async (connect) => {
  const socket = io(url, { transports, forceNew: true, auth: { token: 'abc' } });
  same(await event(socket, 'auth'), [{ token: 'abc' }]);
  socket.close();
});

await check('binary', async (connect) => {
  const socket = await connect();
  for (const size of [0, 1, 1000, 200_000]) {
    const data = Buffer.alloc(size, 7);
    const back = event(socket, 'binary');
    const answer = await new Promise((resolve) => { socket.emit('binary', data, 'text', (...args) => resolve(args)); });
    same(answer.map((it) => Buffer.isBuffer(it) ? it.length : it), [size, 'text']);
    const [one, text, two] = await back;
    same([one.equals(data), text, two[0].equals(data)], [true, 'text', true]);
  }
});

// Of its own: python-socketio may leave without a word, and is a member then until its heartbeat is missed.
const room = `npm by ${mode}`;

await check('rooms', async (connect) => {
  const [ann, bob, eve] = [await connect(), await connect(), await connect()];
  const heard = [];
  eve.on('said', (...args) => heard.push(args));
  ann.on('said', (...args) => heard.push(args));
  await ann.emitWithAck('join', room);
  await bob.emitWithAck('join', room);
  const said = event(bob, 'said');
  same(await ann.emitWithAck('say', room, 'hello'), 1);
  same(await said, [ann.id, 'hello']);
  await bob.emitWithAck('leave', room);
  same(await ann.emitWithAck('say', room, 'anybody'), 0);
  same(heard, []);
});

await check('2,000 in order', async (connect) => {
  const [ann, bob] = [await connect(), await connect()];
  const seen = new Promise((resolve) => {
    const numbers = [];
    bob.on('number', (number) => { numbers.push(number); if (numbers.length === 2000) resolve(numbers); });
  });
  ann.emit('count', 2000);
  same(await seen, Array.from({ length: 2000 }, (_, i) => i));
});

await check('asked back', async (connect) => {
  const socket = await connect();
  socket.once('question', (number, answer) => answer(2 * number));
  socket.emit('ask me', 5000);
  same(await event(socket, 'answered'), [42]);
  socket.emit('ask me', 50);
  same(await event(socket, 'unanswered'), ['no acknowledgement came in time']);
});

await check('namespaces', async (connect) => {
  const main = await connect();
  const custom = main.io.socket('/custom');
  await event(custom, 'connect');
  same(await custom.emitWithAck('echo', 1), 1);
  custom.disconnect();
  same(await main.emitWithAck('echo', 2), 2);
  const none = main.io.socket('/none');
  none.connect();
  const [error] = await event(none, 'connect_error');
  same(error.message, 'Invalid namespace');
});

await check('refusal', async (connect) => {
  const refused = io(new URL('/admin', url).href, { transports, forceNew: true });
  const [error] = await event(refused, 'connect_error');
  same([error.message, error.data], ['who are you?', { hint: 'sesame' }]);
  refused.close();
  const admin = io(new URL('/admin', url).href, { transports, forceNew: true, auth: { token: 'sesame' } });
  same(await event(admin, 'early'), ['sent before the welcome']);
  same(admin.connected, true);
  admin.close();
});

await check('wrong arguments', async (connect) => {
  const socket = await connect();
  const answer = await socket.emitWithAck('number', 'seven');
  same(/invalid type: string/.test(answer.error), true);
  same(await socket.emitWithAck('number', 7), 7);
});

await check('kicked', async (connect) => {
  const socket = await connect();
  socket.emit('kick me');
  same((await event(socket, 'disconnect'))[0], 'io server disconnect');
  const other = await connect();
  other.emit('close me');
  same((await event(other, 'disconnect'))[0], 'io server disconnect');
});

await check('too large', async (connect) => {
  const socket = await connect();
  socket.emit('echo', 'x'.repeat(1_100_000));
  same(/transport/.test((await event(socket, 'disconnect'))[0]), true);
});

await check('heartbeat', async (connect) => {
  const socket = await connect();
  await event(socket.io, 'ping');
  await event(socket.io, 'ping');
  same(await socket.emitWithAck('echo', 1), 1);
});

await check('heartbeat lost', async (connect) => {
  const socket = await connect();
  socket.io.engine._sendPacket = () => {};
  const [reason] = await event(socket, 'disconnect');
  same(['transport close', 'transport error'].includes(reason), true);
});

await check('reconnect', async (connect) => {
  const socket = await connect('/', { reconnection: true, reconnectionDelay: 20 });
  const first = socket.id;
  socket.io.engine.close();
  await event(socket, 'connect');
  same(first !== socket.id, true);
  same(await socket.emitWithAck('echo', 1), 1);
});

exit();
