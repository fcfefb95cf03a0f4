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

// A thread that holds one of them takes only those further down.
in_this_order! {
    /// Events that were taken off the channel and not yielded, while no `Events` is alive.
    DESK,
    /// Sockets that the process was given, and nobody has taken.
    INHERITED,
    /// The sockets and rooms of Socket.IO. A socket that leaves is told under it.
    DIRECTORY,
    /// Whether a socket of Socket.IO is in. What waited for that is put in line under it.
    GATE_OF_SOCKET,
    /// A session of Socket.IO, its queue and its WebSockets.
    SESSION,
    /// What the application keeps with a socket of Socket.IO.
    DATA,
    /// The sessions of Socket.IO.
    SESSIONS,
    /// How many sessions of Socket.IO there are.
    PLACES,
    /// What the sessions of Socket.IO have for the application.
    TOLD,
    /// Sockets of Socket.IO that the server disconnects.
    DISCONNECTS,
    /// The server that runs the application of Socket.IO.
    SERVER,
    /// What listeners do with acknowledgements that are awaited.
    CALLBACKS,
    /// Acknowledgements that are awaited.
    ACKS,
    /// Answers that many sockets are asked for.
    POLLS,
    /// Threads that ask other servers for their sockets.
    CALLS,
    /// The deadlines of Socket.IO.
    TIMER,
    /// Callbacks of the application for what has ended.
    ENDED,
    /// Jobs for threads.
    POOL,
    /// Threads that have not left. How many are busy is asked under it.
    THREADS,
    /// What waits for one connection's stream. A stream of wshub's own is written to under it.
    OUTBOX,
    /// The members that broadcasts reach, and the frames that wait for all of them.
    RUN,
    /// The open connections.
    REGISTRY,
    /// Slots of connections.
    SLOTS,
    /// What has to end before a server has.
    PRESENCE,
    /// Handshakes and plain requests that are under way.
    SEATS,
    /// A reader that waits for credit.
    GATE,
    /// Readers that wait for the common credit.
    LINE,
    /// The application's sleep.
    DOOR,
    /// Outboxes that hold frames of one sender.
    COLLECTOR,
    /// What the leader has not heard of yet.
    MAIL,
    /// The leader, while nobody leads.
    LEAD,
    /// An answer that comes later.
    ANSWER,
    /// What the body of an answer is read from.
    READER,
    /// The client that connects again: its writer, and whether it was closed.
    LINK,
    /// The write side of a split WebSocket.
    HALVES,
    /// Lookups of names that run.
    RESOLVERS,
    /// How many lines of a kind were logged.
    LIMITED_LOG,
    /// Lines for the log that wait.
    LOG_QUEUE,
    /// How many clients were refused, by reason.
    COUNTS,
    /// The certificate that new connections get.
    CERTIFICATE,
    /// One connection's TLS. A stream of wshub's own is written to under it.
    TLS,
    /// What was read of a stream before it was known to be its own.
    PREFIX,
    /// One direction of a stream in memory.
    PIPE,
    /// What runs on the clock of a test.
    CLOCK,
    /// What was sent over a connection of a test.
    RECORDED,
    /// Compressors and decompressors that belong to no connection.
    SPARES,
    /// Threads that wait for a socket of Windows.
    WAITS,
    /// What a poller will report of a socket of Windows.
    WATCHED,
    /// Sockets of Windows that were shut down here, and are not reported yet.
    SHUT,
    /// Address space that is kept from the allocator.
    ADDRESS_SPACE,
    /// What a cluster's rooms remember. Who joins one after that does so under it.
    HISTORY,
    /// Members of a cluster's rooms.
    ROOMS,
    /// Members of a cluster's rooms on other nodes.
    CENSUS,
    /// What a node of a cluster, or a bridge, has to publish.
    OUTGOING,
    /// Events of a cluster, or a bridge, that wait for the application.
    NEWS,
    /// The nodes of a cluster.
    NODES,
    /// Nodes that listen to a backplane in memory.
    BUS,
    /// What waits there for one of them.
    LINE_OF_BUS,
    /// What a test plays.
    PLAYED,
}
