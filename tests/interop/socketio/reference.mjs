// npm's server of Socket.IO, whose answers are compared with wshub's: node reference.mjs; ends on SIGTERM

import { createServer } from 'node:http';
import { Server } from 'socket.io';

const http = createServer();
const io = new Server(http);
io.on('connection', (socket) => {
  socket.emit('auth', socket.handshake.auth);
  socket.on('echo', (...args) => { socket.emit('echo', ...args.slice(0, -1)); args.at(-1)(...args.slice(0, -1)); });
});
io.of('/admin').use((socket, next) => { next(Object.assign(new Error('who are you?'), { data: { hint: 'sesame' } })); });
http.listen(0, '127.0.0.1', () => console.log(`listening on ws://127.0.0.1:${http.address().port}/`));
process.on('SIGTERM', () => process.exit(0));
