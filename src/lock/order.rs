//! The order in which one thread may take wshub's locks. A lock's place is the second parameter of its
//! [`Mutex`](super::Mutex).

macro_rules! in_this_order {
    ($($(#[$what:meta])* $name:ident,)*) => {
        // Some are of features that may be off.
        #[allow(dead_code, non_camel_case_types, clippy::upper_case_acronyms)]
        enum LockOrder { $($name),* }
        $($(#[$what])* #[allow(dead_code)] pub(crate) const $name: u8 = LockOrder::$name as u8;)*
        /// Their names, in this order.
        pub(crate) const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

// A thread that holds one of them takes only those further down. Most are held alone. Among those that are nested:
//
//     OUTBOX > COLLECTOR > RUN, OUTBOX > MAIL        OUTBOX > TLS > PIPE > CLOCK, OUTBOX > RECORDED
//     OUTBOX > TLS > WATCHED > SHUT (Windows)
//     THREADS > PRESENCE    GATE > LINE    DOOR > LEAD    LINK > HALVES
//     DIRECTORY > GATE_OF_SOCKET > SESSION > OUTBOX, ANSWER    DIRECTORY > DATA, OUTGOING
//     SESSIONS > TOLD    CALLBACKS > ACKS    CALLS > NODES    POLLS > NODES, OUTGOING
//     HISTORY > ROOMS    BUS > LINE_OF_BUS
in_this_order! {
    /// `Server` of server/mod.rs: events that were taken off the channel and not yielded, while no `Events` is alive.
    DESK,
    /// `LEFT` of server/inherited.rs: sockets that the process was given, and nobody has taken.
    INHERITED,
    /// `Core` of socketio/core.rs: the sockets and rooms of Socket.IO. A socket that leaves is told under it.
    DIRECTORY,
    /// `NamespaceClient` of socketio/namespace_client.rs: whether a socket of Socket.IO is in. What waited for that is
    /// put in line under it.
    GATE_OF_SOCKET,
    /// `SessionLink` of socketio/engine/link.rs: a session of Socket.IO, its queue and its WebSockets.
    SESSION,
    /// `NamespaceClient` of socketio/namespace_client.rs: what the application keeps with a socket of Socket.IO.
    DATA,
    /// `Sessions` of socketio/engine/sessions.rs: the sessions of Socket.IO.
    SESSIONS,
    /// `Sessions` of socketio/engine/sessions.rs: what the sessions of Socket.IO have for the application.
    TOLD,
    /// `Core` of socketio/core.rs: sockets of Socket.IO that the server disconnects.
    DISCONNECTS,
    /// `Sessions` of socketio/engine/sessions.rs: the server that runs the application of Socket.IO.
    SERVER,
    /// `SocketIo` of socketio/application.rs: what listeners do with acknowledgements that are awaited.
    CALLBACKS,
    /// `Core` of socketio/core.rs: acknowledgements that are awaited.
    ACKS,
    /// `Core` of socketio/core.rs: answers that many sockets are asked for.
    POLLS,
    /// `ClusterAdapter` of socketio/cluster/mod.rs: threads that ask other servers for their sockets.
    CALLS,
    /// `Timer` of socketio/engine/timer.rs: the deadlines of Socket.IO.
    TIMER,
    /// `Callbacks` of server/callbacks.rs: callbacks of the application for what has ended.
    ENDED,
    /// `Pool` of server/pool.rs: jobs for threads.
    POOL,
    /// `ServerThreads` of server/threads.rs: threads that have not left. How many are busy is asked under it.
    THREADS,
    /// `Outbox` of outbox/mod.rs: what waits for one connection's stream. A stream of wshub's own is written to under
    /// it.
    OUTBOX,
    /// `Collector` of outbox/broadcast/collector.rs: Outboxes that hold frames of one sender, and those that its
    /// broadcasts reach.
    COLLECTOR,
    /// `Run` of outbox/run.rs: the frames that wait for all of those.
    RUN,
    /// `Members` of server/members.rs: the open connections.
    REGISTRY,
    /// `Slots` of server/admission/slots.rs: slots of connections, and of sessions of Socket.IO.
    SLOTS,
    /// `Lifecycle` of server/lifecycle.rs: what has to end before a server has.
    PRESENCE,
    /// `Seating` of server/admission/seat.rs: handshakes and plain requests that are under way.
    SEATS,
    /// `Account` of connection/credit.rs: a reader that waits for credit.
    GATE,
    /// `Budget` of connection/credit.rs: readers that wait for the common credit.
    LINE,
    /// `Doorbell` of server/doorbell.rs: the application's sleep.
    DOOR,
    /// `Mailbox` of poller/mailbox.rs: what the leader has not heard of yet.
    MAIL,
    /// `Lead` of server/leader/lead.rs: the leader, while nobody leads.
    LEAD,
    /// `AnswerSlot` of server/http/responder.rs: an answer that comes later.
    ANSWER,
    /// `SharedReader` of server/http/streamed.rs: what the body of an answer is read from.
    READER,
    /// `WriterSlot` of client/reconnect/writer.rs: the client that connects again: its writer, and whether it was
    /// closed.
    LINK,
    /// `SharedWriter` of websocket/shared.rs: the write side of a split WebSocket.
    HALVES,
    /// `LimitedLog` of server/limited_log.rs: how many lines of a kind were logged.
    LIMITED_LOG,
    /// `LogWriter` of server/log_writer.rs: lines for the log that wait.
    LOG_QUEUE,
    /// `Counters` of stats.rs: how many clients were refused, by reason.
    COUNTS,
    /// `Tls` of tls/server.rs: the certificate that new connections get.
    CERTIFICATE,
    /// `TlsTransport` of tls/transport.rs: one connection's TLS. A stream of wshub's own is written to under it.
    TLS,
    /// `Prefixed` of server/proxied.rs: what was read of a stream before it was known to be its own.
    PREFIX,
    /// `Pipe` of transport/memory.rs: one direction of a stream in memory.
    PIPE,
    /// `ClockInner` of transport/clock.rs: what runs on the clock of a test.
    CLOCK,
    /// `Recorder` of testing/mod.rs: what was sent over a connection of a test.
    RECORDED,
    /// `Spares` of compression/spares.rs: compressors and decompressors that belong to no connection.
    SPARES,
    /// `WAITS_OF` of poller/winsock/waits.rs: threads that wait for a socket of Windows.
    WAITS,
    /// `Watched` of poller/winsock/mod.rs: what a poller will report of a socket of Windows.
    WATCHED,
    /// `Shut` of poller/winsock/mod.rs: sockets of Windows that were shut down here, and are not reported yet.
    SHUT,
    /// `KEPT` of address_space.rs: address space that is kept from the allocator.
    ADDRESS_SPACE,
    /// `ClusterRooms` of cluster/rooms.rs: what a cluster's rooms remember. Who joins one after that does so under it.
    HISTORY,
    /// `ClusterRooms` of cluster/rooms.rs: members of a cluster's rooms.
    ROOMS,
    /// `Relay` of cluster/relay.rs: members of a cluster's rooms on other nodes.
    CENSUS,
    /// `Port` of cluster/port.rs: what a node of a cluster, or a bridge, has to publish.
    OUTGOING,
    /// `Port` of cluster/port.rs: events of a cluster, or a bridge, that wait for the application.
    NEWS,
    /// `Relay` of cluster/relay.rs: the nodes of a cluster.
    NODES,
    /// `Local` of cluster/local.rs: nodes that listen to a backplane in memory.
    BUS,
    /// `NodeQueue` of cluster/local.rs: what waits there for one of them.
    LINE_OF_BUS,
    /// What a test plays.
    PLAYED,
}
