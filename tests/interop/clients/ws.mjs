// npm ws against the server: node ws.mjs URL

import { once } from 'node:events';
import { createRequire } from 'node:module';
import WebSocket from 'ws';
import { run } from './checks.mjs';

const { version } = createRequire(import.meta.url)('ws/package.json');

await run(`npm ws ${version}`, WebSocket, {
  fragments(socket, parts) {
    parts.forEach((part, i) => socket.send(part, { fin: i === parts.length - 1 }));
  },
  async ping(socket, payload) {
    socket.ping(payload);
    const [pong] = await once(socket, 'pong');
    return pong.toString();
  },
});
