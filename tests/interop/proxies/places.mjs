// Where the servers and the proxy are, and waiting for them.

import fs from 'node:fs';
import net from 'node:net';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';

const PATIENCE = 10_000;

export async function freePorts(count) {
  const servers = Array.from({ length: count }, () => net.createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => server.address().port);
  servers.forEach((server) => server.close());
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
