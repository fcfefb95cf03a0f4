// Where the servers and the proxy are, and waiting for them.

import fs from 'node:fs';
import net from 'node:net';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';

const PATIENCE = 60_000;

// Free until somebody listens there: below those that systems give away themselves, to other sockets and to connections.
// Browsers refuse 10080.
export async function freePorts(count) {
  const ports = [];
  for (let port = 10_100 + process.pid % 8_900; ports.length < count; port++) {
    const server = net.createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch {
      continue; // taken
    }
    await once(server.close(), 'close');
    ports.push(port);
  }
  return ports;
}

// Tries until it succeeds.
export async function soon(attempt, pause = 100) {
  const started = Date.now();
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() - started > PATIENCE) throw error;
      await setTimeout(pause);
    }
  }
}

export async function listens(port) {
  await soon(async () => {
    const socket = net.connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
    } catch {
      throw new Error(`nothing listens on ${port}`);
    } finally {
      socket.destroy();
    }
  });
}

export async function logSays(log, line) {
  await soon(async () => {
    if (!line.test(fs.readFileSync(log, 'utf8'))) throw new Error(`the server does not say ${line}`);
  });
}

// One line for each check, as tests/interop/support.sh reads it.
export function checks() {
  let failed = false;
  async function check(what, step) {
    try {
      await step();
      console.log(`ok   ${what}`);
    } catch (error) {
      failed = true;
      console.log(`FAIL ${what}: ${error.message}`);
    }
  }
  return { check, end: () => process.exit(failed ? 1 : 0) };
}
