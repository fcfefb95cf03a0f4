// What a browser sees of wshub through a proxy. npm ws stands for the browser: it sends the Origin and the Host that a page would.

import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { setTimeout } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import WebSocket from 'ws';

const PATIENCE = 60_000;
// Where visitors come from: an address that is not the proxy's.
const VISITOR = '127.0.0.2';

export function same(seen, wanted) {
  if (!isDeepStrictEqual(seen, wanted)) throw new Error(`${JSON.stringify(seen)} instead of ${JSON.stringify(wanted)}`);
}

export async function within(promise, what = 'end', patience = PATIENCE) {
  const done = new AbortController();
  const late = setTimeout(patience, undefined, { signal: done.signal }).then(() => { throw new Error(`no ${what} within ${patience} ms`); });
  late.catch(() => {});
  try {
    return await Promise.race([promise, late]);
  } finally {
    done.abort();
  }
}

// A `front` is { ws, http, port, ca }: a page of it under `name` opens a WebSocket to where it came from; `origin`: another page does.
export function open(front, { name = 'localhost', path = '/', origin = `${front.http}://${name}:${front.port}`, headers = {} } = {}) {
  const socket = new WebSocket(`${front.ws}://127.0.0.1:${front.port}${path}`, {
    ca: front.ca, origin, servername: name, localAddress: VISITOR, headers: { Host: `${name}:${front.port}`, ...headers },
  });
  const refused = once(socket, 'unexpected-response').then(async ([, response]) => ({ status: response.statusCode, body: await text(response) }));
  const closed = once(socket, 'close').then(([code]) => code);
  const opened = Promise.race([once(socket, 'open'), refused.then(({ status, body }) => { throw new Error(`${status}: ${body}`); })]);
  // Only what waits for one of them looks at its error.
  for (const promise of [opened, refused, closed]) promise.catch(() => {});
  socket.on('error', () => {});
  return { socket, opened, refused, closed };
}

export async function comesBack({ socket, opened, closed }, sent, wanted = sent) {
  await within(opened, 'open connection');
  const message = once(socket, 'message');
  message.catch(() => {});
  socket.send(sent);
  const seen = await within(Promise.race([message, closed.then((code) => { throw new Error(`closed with ${code}`); })]), 'message');
  same(seen[0].toString(), wanted);
}

export async function closes({ socket, closed }) {
  socket.close(1000, 'bye');
  same(await within(closed, 'close'), 1000);
}

export async function chat(front, options) {
  const visitor = open(front, options);
  await comesBack(visitor, 'Hallo, Wörld');
  await closes(visitor);
}

export async function request(front, path, { name = 'localhost', method = 'GET', headers = {}, body } = {}) {
  const outgoing = (front.http === 'https' ? https : http).request({
    host: '127.0.0.1', port: front.port, path, method, ca: front.ca, servername: name, localAddress: VISITOR, agent: false,
    headers: { Host: `${name}:${front.port}`, ...headers },
  });
  outgoing.end(body);
  const [response] = await within(once(outgoing, 'response'), 'answer');
  return response;
}

export async function get(front, path, options) {
  const response = await request(front, path, options);
  return { status: response.statusCode, type: response.headers['content-type'], body: await within(text(response), 'end of the answer') };
}

async function text(response) {
  let body = '';
  for await (const chunk of response) body += chunk;
  return body;
}
