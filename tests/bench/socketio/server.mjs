// npm's server, with the events of src/main.rs.

import { createServer } from 'node:http';
import { Server } from 'socket.io';

const http = createServer();
const io = new Server(http);
io.on('connection', (socket) => {
  socket.on('echo', (...args) => args.at(-1)(...args.slice(0, -1)));
  socket.on('broadcast', (ticks, size) => {
    const text = 'x'.repeat(size);
    for (let number = 0; number < ticks; number += 1) io.emit('tick', number, text);
  });
});
// As long as wshub: a client that polls loses its session where an idle connection closes as it is used again.
http.keepAliveTimeout = 75_000;
http.listen(0, '127.0.0.1', () => console.log(`listening on 127.0.0.1:${http.address().port}`));
