//! Frames between the nodes of a cluster: read or refused, and what was read and is written is read as it was.

use crate::cluster::frame::{decode, encode};

/// Bytes of a frame.
pub fn cluster_frames(data: &[u8]) {
    // Without a body it is of a kind that a later version knows.
    let Ok((head, Some(body))) = decode(data) else {
        return;
    };
    let written = encode(&head, &body);
    assert_eq!(decode(&written), Ok((head, Some(body))));
}
