// The same raw requests to two servers, whose answers have to be alike: node raw.mjs URL REFERENCE

import http from 'node:http';
import { setTimeout } from 'node:timers/promises';
import WebSocket from 'ws';

const [url, reference] = process.argv.slice(2);
const SEPARATOR = '\x1e';
const HEADERS = ['content-type', 'cache-control'];
const PATIENCE = 60_000;
let failed = false;

/** One server: what is asked of it, with what it says about ids made alike. */
class Peer {
  constructor(base) {
    this.base = base;
    this.steps = [];
  }

  /**
   * Until both servers have said the same, and then, however often one looks, nothing more; or for long not the same. On a
   * busy machine the one or the other is late.
   */
  async agrees(seen, looks = 100) {
    const step = this.steps.push(() => JSON.stringify(seen)) - 1;
    const begun = Date.now();
    let [own, quiet] = ['', 0];
    for (;;) {
      const [now, other] = [this, this.other].map((peer) => peer.steps[step]?.());
      [own, quiet] = [now, now === own ? quiet + 1 : 0];
      if (quiet >= looks && (own === other || Date.now() - begun > PATIENCE)) break;
      await setTimeout(5);
    }
    this.steps[step] = () => own;
  }

  async request(method, query, body, headers = {}) {
    const { head, text } = await this.answer(method, query, body, headers);
    return `${head} ${text}`;
  }

  async answer(method, query, body, headers = {}, sent = () => {}) {
    const path = new URL(`socket.io/?${query.replace('SID', this.sid)}`, this.base);
    const answer = await new Promise((resolve) => {
      const request = http.request(path, { method, headers, agent: false, timeout: PATIENCE }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part) => { text += part; }).on('end', () => resolve({ response, text }));
      });
      // The reference server destroys some connections where wshub answers with 400.
      request.on('error', () => resolve({ response: { statusCode: 400, headers: {} }, text: '' }));
      request.on('timeout', () => request.destroy());
      request.on('finish', sent);
      request.end(body);
    });
    const { response, text } = answer;
    const told = HEADERS.map((name) => response.headers[name]?.toLowerCase() ?? '-');
    return { head: [response.statusCode, ...(response.statusCode === 200 ? told : [])].join(' '), text: this.alike(text) };
  }

  alike(text) {
    const sid = /^0\{"sid":"([\w-]{20})"/.exec(text)?.[1];
    if (sid) this.sid = sid;
    return text.replaceAll(/"sid":"[\w-]{20}"/g, '"sid":"…"').replaceAll(SEPARATOR, '|');
  }

  async open() { return this.request('GET', 'EIO=4&transport=polling'); }
  poll(sent) { return this.answer('GET', 'EIO=4&transport=polling&sid=SID', undefined, {}, sent); }
  get() { return this.request('GET', 'EIO=4&transport=polling&sid=SID'); }
  post(body, headers) { return this.request('POST', 'EIO=4&transport=polling&sid=SID', body, headers); }

  /** A GET that waits: a server that answers others which came after it has it. The promise in a list, not to wait for it. */
  async held() {
    let answer;
    await new Promise((resolve) => { answer = this.poll(resolve); });
    for (let others = 0; others < 5; others += 1) await this.request('GET', 'EIO=4');
    return [answer];
  }

  /** So many packets, in as many answers as the server makes of them, of which the first may be asked for already. */
  async packets(count, first = this.poll()) {
    const [heads, texts] = [new Set(), []];
    for (let next = first; ; next = this.poll()) {
      const { head, text } = await next;
      heads.add(head);
      texts.push(...text.split('|'));
      if (texts.length >= count || !head.startsWith('200')) return [...heads, ...texts];
    }
  }

  /** A WebSocket, what came over it until it is quiet or closed, with `send` sent when it is open. */
  async websocket(query, send = []) {
    const target = new URL(`socket.io/?${query.replace('SID', this.sid)}`, this.base.replace('http', 'ws'));
    const socket = new WebSocket(target);
    const seen = [];
    socket.on('message', (data, binary) => seen.push(binary ? [...data] : this.alike(data.toString())));
    const opened = await new Promise((resolve) => {
      socket.on('open', () => resolve('open'));
      socket.on('unexpected-response', (_, response) => resolve(response.statusCode));
      socket.on('error', () => resolve('error'));
    });
    if (opened !== 'open') return { seen: [opened], socket };
    socket.on('close', () => seen.push('closed'));
    for (const message of send) {
      await this.agrees(seen, 10);
      socket.send(message);
    }
    await this.agrees(seen);
    return { seen: seen.at(-1) === 'closed' ? [...seen] : [...seen, 'quiet'], socket };
  }
}

async function alike(name, script) {
  const peers = [url, reference].map((base) => new Peer(base));
  const [ours, theirs] = await Promise.all(peers.map(async (peer, at) => {
    const log = [];
    peer.other = peers[1 - at];
    await script(peer, (entry) => log.push(entry));
    return JSON.stringify(log, null, 1);
  }));
  failed ||= ours !== theirs;
  console.log(ours === theirs ? `ok   ${name}` : `FAIL ${name}: ${ours} in place of ${theirs}`);
}

console.log('raw requests, beside npm socket.io');

await alike('refused requests', async (peer, log) => {
  for (const [method, query] of [
    ['GET', ''], ['GET', 'EIO=4'], ['GET', 'EIO=4&transport=abc'], ['GET', 'transport=polling'], ['GET', 'EIO=3&transport=polling'],
    ['GET', 'EIO=abc&transport=polling'], ['POST', 'EIO=4&transport=polling'], ['PUT', 'EIO=4&transport=polling'],
    ['GET', 'EIO=4&transport=websocket'], ['GET', 'EIO=4&transport=polling&sid=abc'], ['POST', 'EIO=4&transport=polling&sid=abc'],
    ['GET', 'EIO=3&transport=polling&sid=abc'], ['GET', 'EIO=4&transport=websocket&sid=abc'],
  ]) log([method, query, await peer.request(method, query)]);
  await peer.open();
  for (const query of ['EIO=3&transport=polling&sid=SID', 'EIO=4&transport=websocket&sid=SID', 'EIO=4&transport=abc&sid=SID']) {
    log([query, await peer.request('GET', query)]);
  }
});

await alike('refused WebSockets', async (peer, log) => {
  // The reference server opens one of version 3, and closes it.
  for (const query of ['', 'EIO=4&transport=abc', 'EIO=4&transport=websocket&sid=abc']) {
    log([query, (await peer.websocket(query)).seen]);
  }
});

await alike('handshake, event and answer by polling', async (peer, log) => {
  log(await peer.open());
  log(await peer.post('40'));
  log(await peer.packets(2));
  log(await peer.post(`421["echo",1]${SEPARATOR}420["echo","ü€",{"a":[]}]`));
  log(await peer.packets(4));
  const [held] = await peer.held();
  log(await peer.post('422["echo"]'));
  log(await peer.packets(2, held));
});

await alike('binary by polling', async (peer, log) => {
  await peer.open();
  await peer.post('40');
  await peer.packets(2);
  log(await peer.post(['451-7["echo",{"_placeholder":true,"num":0}]', 'bAQIDBA=='].join(SEPARATOR)));
  log(await peer.packets(4));
});

await alike('namespaces', async (peer, log) => {
  await peer.open();
  log(await peer.post('40/admin,{"token":1}'));
  log(await peer.get());
  log(await peer.post('40/none'));
  log(await peer.get());
});

await alike('two GETs at once', async (peer, log) => {
  await peer.open();
  // The server may see the one or the other first.
  log((await Promise.all([peer.get(), peer.get()])).sort());
  log(await peer.get());
});

await alike('malformed packets', async (peer, log) => {
  // The reference server takes the body all the same, or cuts the connection.
  for (const body of ['abc', '']) {
    await peer.open();
    await peer.post(body);
    log([body, await peer.get()]);
  }
});

await alike('a body of bytes, and one too large', async (peer, log) => {
  await peer.open();
  log(await peer.post('4a', { 'content-type': 'application/octet-stream' }));
  log(await peer.get());
  await peer.open();
  log(await peer.post(`4${'x'.repeat(1_000_000)}`));
  log(await peer.get());
});

await alike('the client closes', async (peer, log) => {
  await peer.open();
  const [held] = await peer.held();
  log(await peer.post('1'));
  log(await held);
  log(await peer.get());
});

await alike('broken rules of Socket.IO', async (peer, log) => {
  for (const packet of ['4abc', '42{}', '42[]', '40', '42/none,["x"]', '44{}', '451-["x"]|bAQ==', '41', '48', '42["disconnect"]', '430[]', '439223372036854775808[]', '41/none', '43/none,0[]']) {
    await peer.open();
    await peer.post('40');
    await peer.packets(2);
    await peer.post(packet.replaceAll('|', SEPARATOR));
    const seen = [];
    // In front of its close the reference server sends a noop.
    peer.get().then((answer) => seen.push(answer.replace('6|1', '1')));
    await peer.agrees(seen);
    log([packet, seen[0] ?? 'held']);
  }
});

await alike('over a WebSocket', async (peer, log) => {
  for (const send of [
    [], ['40'], ['40', '421["echo",1,"ü"]'], ['40/admin,'], ['2'], ['abc'], ['40', '42["x"'], [Buffer.from([1, 2])],
    ['40', '451-7["echo",{"_placeholder":true,"num":0}]', Buffer.from([1, 2])], ['40', '451-7["echo",{"_placeholder":true,"num":0}]', '42["x"]'],
  ]) log([send, (await peer.websocket('EIO=4&transport=websocket', send)).seen]);
});

await alike('upgrade', async (peer, log) => {
  await peer.open();
  await peer.post('40');
  await peer.packets(2);
  const [held] = await peer.held();
  const { seen, socket } = await peer.websocket('EIO=4&transport=websocket&sid=SID', ['2probe']);
  log(seen);
  log(await held);
  log(await peer.get());
  const more = [];
  socket.on('message', (data) => more.push(data.toString()));
  socket.send('5');
  await peer.agrees(more, 30);
  socket.send('421["echo",1]');
  await peer.agrees(more);
  log(more);
  log(await peer.get());
  log(await peer.post('4a'));
  log((await peer.websocket('EIO=4&transport=websocket&sid=SID')).seen);
  socket.close();
});

await alike('an upgrade that begins wrongly', async (peer, log) => {
  for (const wrong of ['4a', '2', 'abc']) {
    await peer.open();
    log([wrong, (await peer.websocket('EIO=4&transport=websocket&sid=SID', [wrong])).seen]);
    log(await peer.post('40'));
    log(await peer.get());
  }
});

process.exit(failed ? 1 : 0);
