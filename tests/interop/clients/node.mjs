// Node's own WebSocket against the server: node --experimental-websocket node.mjs URL (from Node 22 on the option changes nothing)

import { run } from './checks.mjs';

await run(`Node ${process.version} (undici ${process.versions.undici})`, WebSocket);
