//! What a server of Socket.IO keeps of its cluster.

use crate::{Cluster, ClusterEvent};

/// The cluster that a server of Socket.IO is in.
pub(crate) struct JoinedCluster<S> {
    /// Keeps the server in it.
    pub cluster: Cluster,
    pub listeners: Vec<OnClusterEvent<S>>,
}

pub(crate) type OnClusterEvent<S> = Box<dyn FnMut(&mut S, ClusterEvent) + Send>;
