// The checks of every client with the browser's API, and how they are told: see tests/interop/clients/part.sh.
//
// `send` holds what the browser's API lacks, where the client has it: `fragments(socket, parts)` sends one text message in
// several frames, `ping(socket, payload)` resolves with the payload of the pong.

import { setTimeout } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';

const TEXT = 'naïve – 漢字 – 😀';

export async function run(title, WebSocket, send = {}) {
  const url = process.argv[2];
  console.log(title);
  let failed = false;

  async function check(name, step) {
    try {
      await Promise.race([step(), late()]);
      console.log(`ok   ${name}`);
    } catch (error) {
      failed = true;
      console.log(`FAIL ${name}: ${error.message}`);
    }
  }

  async function open(path = '/') {
    const socket = new WebSocket(new URL(path, url).href);
    socket.binaryType = 'arraybuffer';
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = (event) => reject(event.error ?? new Error('the connection failed'));
    });
    return socket;
  }

  async function comesBack(sent, transmit = (socket) => socket.send(sent)) {
    const socket = await open();
    const message = new Promise((resolve) => { socket.onmessage = resolve; });
    const close = closed(socket);
    await transmit(socket);
    const { data } = await Promise.race([message, close.then((seen) => { throw new Error(`closed: ${seen}`); })]);
    same(typeof data === 'string' ? data : new Uint8Array(data), sent);
    socket.close();
    await close;
  }

  await check('text', () => comesBack(TEXT));
  await check('binary 64 KiB', () => comesBack(bytes(64 << 10)));
  await check('binary 1 MiB', () => comesBack(bytes(1 << 20)));
  if (send.fragments) {
    await check('fragments', () => comesBack(TEXT, (socket) => send.fragments(socket, [TEXT.slice(0, 4), '', TEXT.slice(4)])));
  } else {
    console.log("n/a  fragments: the browser's API has none");
  }
  if (send.ping) {
    await check('ping', async () => {
      const socket = await open();
      same(await send.ping(socket, 'are you there'), 'are you there');
      socket.close();
      await closed(socket);
    });
  } else {
    console.log("n/a  ping: the browser's API has none");
  }
  await check('client closes', async () => {
    const socket = await open();
    socket.close(1000, 'bye');
    same(await closed(socket), [1000, '', true]); // wshub answers with the code alone
  });
  for (const code of [1000, 3000, 4999]) {
    await check(`server closes ${code}`, async () => {
      const socket = await open(`/close/${code}`);
      socket.send('enough, danke schön');
      same(await closed(socket), [code, 'enough, danke schön', true]);
    });
  }
  process.exit(failed ? 1 : 0);
}

async function late() {
  await setTimeout(60_000, null, { ref: false });
  throw new Error('no end within 60 s');
}

function closed(socket) {
  return new Promise((resolve) => {
    socket.onclose = ({ code, reason, wasClean }) => resolve([code, reason, wasClean]);
  });
}

function bytes(length) {
  return Uint8Array.from({ length }, (_, i) => (i * 31) % 251);
}

function same(seen, wanted) {
  if (!isDeepStrictEqual(seen, wanted)) throw new Error(`${short(seen)} instead of ${short(wanted)}`);
}

function short(value) {
  return value instanceof Uint8Array ? `${value.length} bytes` : JSON.stringify(value);
}
