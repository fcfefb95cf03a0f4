// npm's server with its adapter over Redis Streams, with the events of src/bin/cluster-node.rs: node server.mjs REDIS

import { createServer } from 'node:http';
import { createClient } from '@redis/client';
import { createAdapter } from '@socket.io/redis-streams-adapter';
import { Server } from 'socket.io';

const redis = createClient({ url: process.argv[2] });
await redis.connect();
const http = createServer();
const io = new Server(http, { adapter: createAdapter(redis) });
io.on('connection', (socket) => {
  socket.on('broadcast', (ticks, size) => {
    const text = 'x'.repeat(size);
    for (let number = 0; number < ticks; number += 1) io.emit('tick', number, text);
  });
  socket.on('relay', (stamp) => io.emit('relayed', stamp));
});
http.listen(0, '127.0.0.1', () => console.log(`listening on 127.0.0.1:${http.address().port}`));
