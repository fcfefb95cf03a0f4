// npm ws as a server: node ws.mjs; its paths are those of tests/interop/servers/part.sh

import { createRequire } from 'node:module';
import { WebSocketServer } from 'ws';

const { version } = createRequire(import.meta.url)('ws/package.json');
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: { threshold: 0 } });

server.on('listening', () => console.log(`npm ws ${version}\nlistening on ws://127.0.0.1:${server.address().port}/`));
server.on('connection', (socket, { url }) => {
  const code = /^\/close\/(\d+)$/.exec(url)?.[1];
  socket.on('message', (data, isBinary) => {
    if (code) {
      socket.close(Number(code), data);
    } else if (url === '/fragments') {
      const parts = [data.subarray(0, 3), '', data.subarray(3)];
      parts.forEach((part, i) => socket.send(part, { binary: isBinary, fin: i === parts.length - 1 }));
    } else if (url === '/ping') {
      socket.ping(data);
    } else {
      socket.send(data, { binary: isBinary });
    }
  });
  socket.on('pong', (payload) => url === '/ping' && socket.send(payload.toString()));
  socket.on('error', (error) => console.log(`error: ${error.message}`));
  socket.on('close', (code) => console.log(`close ${code}`));
});
process.on('SIGTERM', () => process.exit(0));
