//! The cluster for what is built on it: bytes to the same on other nodes.

use std::sync::Arc;

use super::Cluster;
use super::event::ClusterError;
use super::frame::Body;
use super::id::NodeId;
pub(crate) use super::relay::CarrierEvent;
use super::relay::{CarrierHandler, LocalDelivery, Relay};

/// Carries bytes. It does not keep the node in the cluster, as a [`Cluster`] does.
pub(crate) struct ClusterCarrier(Arc<Relay>);

impl Cluster {
    pub(crate) fn carrier(&self) -> ClusterCarrier {
        ClusterCarrier(self.0.0.clone())
    }
}

impl ClusterCarrier {
    pub fn id(&self) -> NodeId {
        self.0.id
    }

    /// What takes what comes: from every other node, and from this one with [`comes_back`](ClusterCarrier::comes_back);
    /// and hears that another node is gone. It runs on the thread that receives. False if there is one already.
    pub fn set_carrier_handler(&self, carrier_handler: CarrierHandler) -> bool {
        self.0.carrier_handler.set(carrier_handler).is_ok()
    }

    /// To one node, or to all. Never blocks.
    pub fn carry(&self, to: Option<NodeId>, bytes: &[u8]) -> Result<(), ClusterError> {
        self.0.publish(&Body::Carried { to, bytes })
    }

    /// Whether what this node carries to all comes back to it, in the one order of all nodes.
    pub fn comes_back(&self) -> bool {
        self.0.settings.delivery == LocalDelivery::InOneOrder
    }

    /// The other nodes; `None` before this one has attached, and knows them.
    pub fn others(&self) -> Option<Vec<NodeId>> {
        let nodes = self.0.nodes();
        let others = nodes.iter().map(|node| node.id);
        let others = others.filter(|id| *id != self.0.id).collect();
        (!nodes.is_empty()).then_some(others)
    }
}
