// The cases of the protocols' own test suites (docs/engine.io-protocol/v4-test-suite and docs/socket.io-protocol/v5-test-suite of
// github.com/socketio/socket.io, 25 and 32 of them), written anew: node suite.mjs engine|socket URL PING PONG [slow]
// PING and PONG: the server's interval of pings and how long a pong may take, in ms. Their server pings every 300 ms and waits 200 ms for a
// pong, which a busy machine does not keep. So what waits for pings, or for what does not come, is for itself, `slow`; everything else is
// asked of a server whose pings come too seldom to be in its way.

import { once } from 'node:events';
import { get as request } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import WebSocket from 'ws';

const [suite, base, ping, pong, slow] = process.argv.slice(2);
const path = `${suite}.io`;
const http = new URL(`/${path}/`, base).href;
const ws = http.replace('http', 'ws');
const PATIENCE = 60_000;
let failed = 0;
let passed = 0;

function same(seen, wanted) {
  if (!isDeepStrictEqual(seen, wanted)) throw new Error(`${JSON.stringify(seen)} in place of ${JSON.stringify(wanted)}`);
}

async function check(name, step) {
  const done = new AbortController();
  const late = setTimeout(PATIENCE, undefined, { signal: done.signal }).then(() => { throw new Error('no end in time'); });
  late.catch(() => {});
  try {
    await Promise.race([step(), late]);
    passed += 1;
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${name}: ${error.message}`);
  }
  done.abort();
}

/** A WebSocket whose messages wait to be asked for, so that none is missed. */
class Socket {
  constructor(query) {
    this.messages = [];
    this.waiting = [];
    this.socket = new WebSocket(`${ws}?${query}`);
    this.opened = new Promise((resolve) => { this.socket.on('open', resolve); });
    this.closed = new Promise((resolve) => { this.socket.on('close', resolve); });
    this.socket.on('error', () => {});
    this.socket.on('message', (data, binary) => {
      const message = binary ? [...data] : data.toString();
      const waiting = this.waiting.shift();
      if (waiting) waiting(message); else this.messages.push(message);
    });
  }

  message() {
    if (this.messages.length > 0) return Promise.resolve(this.messages.shift());
    return new Promise((resolve) => { this.waiting.push(resolve); });
  }

  /** The next one that is no ping; pings are answered. */
  async beyondPings() {
    for (;;) {
      const message = await this.message();
      if (message !== '2') return message;
      this.send('3');
    }
  }

  send(data) { this.socket.send(data); }
}

const get = (query, init) => fetch(`${http}?${query}`, init);
const poll = (sid, more = '', init = {}) => get(`EIO=4&transport=polling&sid=${sid}${more}`, init);
const post = (sid, body) => poll(sid, '', { method: 'POST', body });

async function session() {
  const response = await get('EIO=4&transport=polling');
  return JSON.parse((await response.text()).slice(1)).sid;
}

/** Its connection ends when it has left for the server, and mostly when it is there. */
async function cancelledPoll(sid) {
  const cancelled = request(`${http}?EIO=4&transport=polling&sid=${sid}`, { agent: false });
  cancelled.on('error', () => {});
  await once(cancelled, 'finish');
  await setTimeout(20);
  cancelled.destroy();
}

async function refused(response) { same((await response).status, 400); }

async function answered(response, text) {
  const answer = await response;
  same([answer.status, await answer.text()], [200, text]);
}

function handshake(packet, upgrades) {
  same(packet[0], '0');
  const value = JSON.parse(packet.slice(1));
  same(Object.keys(value).sort(), ['maxPayload', 'pingInterval', 'pingTimeout', 'sid', 'upgrades']);
  same(typeof value.sid, 'string');
  same([value.upgrades, value.pingInterval, value.pingTimeout, value.maxPayload], [upgrades, Number(ping), Number(pong), 1_000_000]);
}

/** A WebSocket behind the handshake of Engine.IO. */
async function connected() {
  const socket = new Socket('EIO=4&transport=websocket');
  same((await socket.message())[0], '0');
  return socket;
}

/** One that is to take over a session of polling. */
async function upgrading(sid) {
  const socket = new Socket(`EIO=4&transport=websocket&sid=${sid}`);
  await socket.opened;
  return socket;
}

async function upgraded(sid) {
  const socket = await upgrading(sid);
  socket.send('2probe');
  same(await socket.message(), '3probe');
  socket.send('5');
  return socket;
}

// ---- what both suites ask

const slowForBoth = () => [
  check('heartbeat by polling', async () => {
    const sid = await session();
    for (let round = 0; round < 2; round += 1) {
      await answered(poll(sid), '2');
      same((await post(sid, '3')).status, 200);
    }
  }),
  check('no pong by polling', async () => {
    const sid = await session();
    // The ping comes, and nothing more; perhaps a word at the end.
    while ((await poll(sid)).status === 200) ;
    await refused(poll(sid));
  }),
  check('heartbeat over a WebSocket', async () => {
    const socket = await connected();
    for (let round = 0; round < 2; round += 1) {
      same(await socket.message(), '2');
      socket.send('3');
    }
  }),
  check('no pong over a WebSocket', async () => { await (await connected()).closed; }),
];

async function quickForBoth() {
  await check('handshake by polling', async () => {
    const response = await get('EIO=4&transport=polling');
    same(response.status, 200);
    handshake(await response.text(), ['websocket']);
  });
  await check('polling with a wrong version', async () => {
    await refused(get('transport=polling'));
    await refused(get('EIO=abc&transport=polling'));
  });
  await check('polling with a wrong transport', async () => {
    await refused(get('EIO=4'));
    await refused(get('EIO=4&transport=abc'));
  });
  await check('polling with a wrong method', async () => {
    await refused(get('EIO=4&transport=polling', { method: 'POST' }));
    await refused(get('EIO=4&transport=polling', { method: 'PUT' }));
  });
  await check('handshake over a WebSocket', async () => {
    const socket = new Socket('EIO=4&transport=websocket');
    handshake(await socket.message(), []);
  });
  await check('a WebSocket with a wrong version', async () => {
    await new Socket('transport=websocket').closed;
    await new Socket('EIO=abc&transport=websocket').closed;
  });
  await check('a WebSocket with a wrong transport', async () => {
    await new Socket('EIO=4').closed;
    await new Socket('EIO=4&transport=abc').closed;
  });
  await check('closed by polling', async () => {
    const sid = await session();
    // At once, over two connections: the server may see the one or the other first.
    const [held] = await Promise.all([poll(sid), post(sid, '1')]);
    await answered(held, '6');
    await refused(poll(sid));
  });
  await check('closed over a WebSocket', async () => {
    const socket = await connected();
    socket.send('1');
    await socket.closed;
  });
}

// ---- Engine.IO

async function engine() {
  for (const [name, payload] of [['a text', '4hello'], ['texts', '4test1\x1e4test2\x1e4test3'], ['text and bytes', '4hello\x1ebAQIDBA==']]) {
    await check(`${name} by polling`, async () => {
      const sid = await session();
      await answered(post(sid, payload), 'ok');
      await answered(poll(sid), payload);
    });
  }
  await check('a packet that is none, by polling', async () => {
    const sid = await session();
    await refused(post(sid, 'abc'));
    await refused(poll(sid));
  });
  await check('two polls at once', async () => {
    const sid = await session();
    // The server may see the one or the other first.
    const [first, second] = (await Promise.all([poll(sid), poll(sid, '&t=burst')])).sort((a, b) => a.status - b.status);
    await answered(first, '1');
    same([400, 500].includes(second.status), true);
    await refused(poll(sid));
  });
  await check('a poll that is cancelled', async () => {
    const sid = await session();
    await cancelledPoll(sid);
    // A busy server may see this one first, and then two at once.
    const next = await poll(sid);
    if (next.status !== 400) await answered(next, '1');
    await refused(poll(sid));
  });
  await check('a text over a WebSocket', async () => {
    const socket = await connected();
    socket.send('4hello');
    same(await socket.beyondPings(), '4hello');
  });
  await check('bytes over a WebSocket', async () => {
    const socket = await connected();
    socket.send(Uint8Array.from([1, 2, 3, 4]));
    same(await socket.beyondPings(), [1, 2, 3, 4]);
  });
  await check('a packet that is none, over a WebSocket', async () => {
    const socket = await connected();
    socket.send('abc');
    await socket.closed;
  });
  await check('upgrade', async () => {
    const sid = await session();
    const socket = await upgrading(sid);
    socket.send('2probe');
    same(await socket.message(), '3probe');
    await answered(poll(sid), '6');
    socket.send('5');
    socket.send('4hello');
    same(await socket.beyondPings(), '4hello');
  });
  await check('polling behind an upgrade', async () => {
    const sid = await session();
    const socket = await upgraded(sid);
    await refused(poll(sid));
    socket.send('4hello');
    same(await socket.beyondPings(), '4hello');
  });
  await check('a second WebSocket behind an upgrade', async () => {
    const sid = await session();
    const socket = await upgraded(sid);
    await new Socket(`EIO=4&transport=websocket&sid=${sid}`).closed;
    socket.send('4hello');
    same(await socket.beyondPings(), '4hello');
  });
}

// ---- Socket.IO

const PLACEHOLDERS = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}';

/** A client in the main namespace. */
async function joined() {
  const socket = await connected();
  socket.send('40');
  same((await socket.beyondPings()).slice(0, 2), '40');
  same(await socket.beyondPings(), '42["auth",{}]');
  return socket;
}

function sendBinary(socket, header) {
  socket.send(header);
  socket.send(Uint8Array.from([1, 2, 3]));
  socket.send(Uint8Array.from([4, 5, 6]));
}

async function binaryComes(socket, header) {
  same([await socket.beyondPings(), await socket.beyondPings(), await socket.beyondPings()], [header, [1, 2, 3], [4, 5, 6]]);
}

const slowForSocketio = () => [
  check('no namespace in time', async () => {
    const socket = await connected();
    socket.beyondPings();
    await socket.closed;
  }),
  check('the main namespace is left', async () => {
    const socket = await joined();
    socket.send('41');
    same(await socket.message(), '2');
  }),
];

async function socketio() {
  await check('upgrade', async () => {
    const socket = await upgrading(await session());
    socket.send('2probe');
    same(await socket.message(), '3probe');
    socket.send('5');
  });
  // These two do not wait for the answer to the probe.
  await check('polling behind an upgrade', async () => {
    const sid = await session();
    const socket = await upgrading(sid);
    socket.send('2probe');
    socket.send('5');
    await refused(poll(sid));
  });
  await check('a second WebSocket behind an upgrade', async () => {
    const sid = await session();
    const socket = await upgrading(sid);
    socket.send('2probe');
    socket.send('5');
    await new Socket(`EIO=4&transport=websocket&sid=${sid}`).closed;
  });
  for (const [namespace, auth] of [['', ''], ['', '{"token":"123"}'], ['/custom,', ''], ['/custom,', '{"token":"abc"}']]) {
    await check(`connect ${namespace}${auth}`, async () => {
      const socket = await connected();
      socket.send(`40${namespace}${auth}`);
      const welcome = await socket.beyondPings();
      same(welcome.startsWith(`40${namespace}`), true);
      const { sid, ...rest } = JSON.parse(welcome.slice(2 + namespace.length));
      same([typeof sid, rest], ['string', {}]);
      same(await socket.beyondPings(), `42${namespace}["auth",${auth || '{}'}]`);
    });
  }
  await check('an unknown namespace', async () => {
    const socket = await connected();
    socket.send('40/random');
    same(await socket.beyondPings(), '44/random,{"message":"Invalid namespace"}');
  });
  await check('a handshake that is none', async () => {
    const socket = await connected();
    socket.send('4abc');
    await socket.closed;
  });
  await check('another namespace is left', async () => {
    const socket = await joined();
    socket.send('40/custom');
    same((await socket.beyondPings()).slice(0, 10), '40/custom,');
    same(await socket.beyondPings(), '42/custom,["auth",{}]');
    socket.send('41/custom');
    socket.send('42["message","message to main namespace"]');
    same(await socket.beyondPings(), '42["message-back","message to main namespace"]');
  });
  await check('an event', async () => {
    const socket = await joined();
    socket.send('42["message",1,"2",{"3":[true]}]');
    same(await socket.beyondPings(), '42["message-back",1,"2",{"3":[true]}]');
  });
  await check('an event with attachments', async () => {
    const socket = await joined();
    sendBinary(socket, `452-["message",${PLACEHOLDERS}]`);
    await binaryComes(socket, `452-["message-back",${PLACEHOLDERS}]`);
  });
  await check('an acknowledgement', async () => {
    const socket = await joined();
    socket.send('42456["message-with-ack",1,"2",{"3":[false]}]');
    same(await socket.beyondPings(), '43456[1,"2",{"3":[false]}]');
  });
  await check('an acknowledgement with attachments', async () => {
    const socket = await joined();
    sendBinary(socket, `452-789["message-with-ack",${PLACEHOLDERS}]`);
    await binaryComes(socket, `462-789[${PLACEHOLDERS}]`);
  });
  for (const wrong of ['4abc', '42{}', '42abc["message-with-ack",1,"2",{"3":[false]}]']) {
    await check(`the packet ${wrong}`, async () => {
      const socket = await joined();
      socket.send(wrong);
      await socket.closed;
    });
  }
}

const isSlow = slow !== undefined;
if (isSlow) {
  await Promise.all([...slowForBoth(), ...(suite === 'socket' ? slowForSocketio() : [])]);
} else {
  await quickForBoth();
  await (suite === 'engine' ? engine : socketio)();
}
const wanted = { engine: { true: 4, false: 21 }, socket: { true: 6, false: 26 } }[suite][isSlow];
console.log(`the protocol's own cases, ${suite}.io${isSlow ? ', slow' : ''}: ${passed} passed, ${failed} failed`);
process.exit(failed || passed !== wanted ? 1 : 0);
