// npm ws against the example echo: node echo.mjs URL

import { once } from 'node:events';
import WebSocket from 'ws';
import { checks, exit, same, url } from './checks.mjs';

const check = checks('ws', async (open) => {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  open.push(socket);
  await once(socket, 'open');
  return socket;
});

await check('text', async (connect) => {
  const socket = await connect();
  socket.send('naïve – 漢字 – 😀');
  const [text, isBinary] = await once(socket, 'message');
  same([text.toString(), isBinary], ['naïve – 漢字 – 😀', false]);
});

// A length has one byte, two or eight; the mask begins anew in each frame.
await check('lengths', async (connect) => {
  const socket = await connect();
  for (const length of [0, 1, 125, 126, 65_535, 65_536, 1_000_003]) {
    const sent = Buffer.from(Array.from({ length }, (_, i) => i * 7 % 251));
    socket.send(sent);
    const [heard, isBinary] = await once(socket, 'message');
    same([heard.length, heard.equals(sent), isBinary], [length, true, true]);
  }
});

await check('fragments', async (connect) => {
  const socket = await connect();
  socket.send('one, ', { fin: false });
  socket.send('two, ', { fin: false });
  socket.send('three');
  const [text] = await once(socket, 'message');
  same(text.toString(), 'one, two, three');
});

await check('ping', async (connect) => {
  const socket = await connect();
  socket.ping('still there?');
  const [payload] = await once(socket, 'pong');
  same(payload.toString(), 'still there?');
});

await check('closes', async (connect) => {
  const socket = await connect();
  socket.close(3_210, 'enough');
  const [code] = await once(socket, 'close');
  same(code, 3_210);
});

exit();
