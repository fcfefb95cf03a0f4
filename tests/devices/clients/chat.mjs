// npm socket.io-client against the example socketio, a chat: node chat.mjs URL polling|websocket|upgrade

import { io } from 'socket.io-client';
import { checks, exit, mode, same, transports, url } from './checks.mjs';

const check = checks('socket.io-client', async (open, name, room) => {
  const socket = io(url, { transports, forceNew: true, reconnection: false, auth: { name, room } });
  open.push(socket);
  await event(socket, 'connect');
  if (mode === 'upgrade' && socket.io.engine.transport.name !== 'websocket') await event(socket.io.engine, 'upgrade');
  return socket;
});

function event(emitter, name) {
  return new Promise((resolve) => { emitter.once(name, (...args) => resolve(args)); });
}

// So many people in a room of this name, which no other check has.
async function together(connect, room, names) {
  const people = [];
  for (const name of names) {
    const joined = people.map((person) => event(person, 'joined'));
    people.push(await connect(name, `${room}, ${mode}`));
    for (const heard of joined) same(await heard, [name]);
  }
  return people;
}

await check('said', async (connect) => {
  const [ann, bob, eve] = await together(connect, 'said', ['Ann', 'Bob', 'Eve']);
  const heard = [event(bob, 'said'), event(eve, 'said')];
  same(await ann.emitWithAck('say', 'naïve – 漢字 – 😀'), 2);
  for (const said of heard) same(await said, ['Ann', 'naïve – 漢字 – 😀']);
});

await check('picture', async (connect) => {
  const [ann, bob] = await together(connect, 'picture', ['Ann', 'Bob']);
  const picture = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i % 253));
  const heard = event(bob, 'picture');
  same(await ann.emitWithAck('picture', picture), 1);
  const [name, seen] = await heard;
  same([name, picture.equals(seen)], ['Ann', true]);
});

await check('move', async (connect) => {
  const [ann, bob] = await together(connect, 'move', ['Ann', 'Bob']);
  const left = event(bob, 'left');
  same(await ann.emitWithAck('move', `elsewhere, ${mode}`), true);
  same(await left, ['Ann']);
  same(await bob.emitWithAck('say', 'anybody?'), 0);
});

await check('leaves', async (connect) => {
  const [ann, bob] = await together(connect, 'leaves', ['Ann', 'Bob']);
  const left = event(bob, 'left');
  ann.close();
  same(await left, ['Ann']);
});

await check('refused', async (connect) => {
  const [ann] = await together(connect, 'refused', ['Ann']);
  same((await ann.emitWithAck('say', '')).error !== undefined, true);
  const nobody = io(url, { transports, forceNew: true, reconnection: false });
  const [error] = await event(nobody, 'connect_error');
  nobody.close();
  same(error.message, 'say who you are');
});

exit();
