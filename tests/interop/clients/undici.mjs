// undici's WebSocket against the server: node undici.mjs URL

import { createRequire } from 'node:module';
import { WebSocket } from 'undici';
import { run } from './checks.mjs';

const { version } = createRequire(import.meta.url)('undici/package.json');

await run(`undici ${version}`, WebSocket);
