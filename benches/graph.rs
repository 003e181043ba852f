//! The graphs that are measured: for each node the nodes it needs, all before it.

/// For each node the nodes it needs. Every need is of a lower number.
pub type Graph = Vec<Vec<usize>>;

/// Each node needs the one before it.
#[must_use]
pub fn chain(nodes: usize) -> Graph {
    (0..nodes)
        .map(|node| node.checked_sub(1).into_iter().collect())
        .collect()
}

/// One root, and `leaves` nodes that need it.
#[must_use]
pub fn fan_out(leaves: usize) -> Graph {
    (0..=leaves)
        .map(|node| if node == 0 { Vec::new() } else { vec![0] })
        .collect()
}

/// Layers of `width` nodes, each of which needs three neighbours of the layer above.
#[must_use]
pub fn layers(count: usize, width: usize) -> Graph {
    let needs = |node: usize| {
        let (layer, place) = (node / width, node % width);
        (0..3)
            .filter(|_| layer > 0)
            .map(|step| (layer - 1) * width + (place + step) % width)
            .collect()
    };
    (0..count * width).map(needs).collect()
}
