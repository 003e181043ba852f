//! Places the jobs of a picture: in columns by what they wait for, with few crossings.
//!
//! The layered method of Sugiyama, Tagawa and Toda (1981): a job stands one column to the right of
//! the last job it waits for; edges that skip columns pass through a free place in each of them; the
//! order within a column is the barycenter of the neighbours, swept to and fro. Where the stages do
//! not fill whole columns each of them gets rows of its own, so that their frames never overlap.

use super::picture::Picture;

/// More places for passing edges than this are not made: the edges are drawn straight instead.
const PASSES: usize = 50_000;
/// How often the order is improved, once to the right and once to the left.
const SWEEPS: usize = 4;

/// Where everything stands, in columns and rows.
#[derive(Debug)]
pub(super) struct Layout {
    /// Column and row of each node. Rows may be halves.
    pub(super) nodes: Vec<Place>,
    /// The places that each edge passes through, both ends included.
    pub(super) edges: Vec<Vec<Place>>,
    pub(super) columns: usize,
    pub(super) rows: f64,
}

/// A column and a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    pub(super) column: usize,
    pub(super) row: f64,
}

/// Places the nodes and edges of `picture`.
pub(super) fn layout(picture: &Picture<'_>) -> Layout {
    let columns = columns(picture);
    let count = columns.iter().max().map_or(0, |last| last + 1);
    let mut grid = Grid::new(picture, columns, count);
    for _ in 0..SWEEPS {
        grid.sweep(true);
        grid.sweep(false);
    }
    grid.finish(picture)
}

/// The column of each node: the longest path to it.
fn columns(picture: &Picture<'_>) -> Vec<usize> {
    let mut after = vec![Vec::new(); picture.nodes.len()];
    let mut waiting = vec![0usize; picture.nodes.len()];
    for line in &picture.edges {
        after[line.from].push(line.to);
        waiting[line.to] += 1;
    }
    let mut columns = vec![0; picture.nodes.len()];
    let mut ready: Vec<usize> = (0..waiting.len())
        .filter(|node| waiting[*node] == 0)
        .collect();
    while let Some(node) = ready.pop() {
        for next in &after[node] {
            columns[*next] = columns[*next].max(columns[node] + 1);
            waiting[*next] -= 1;
            if waiting[*next] == 0 {
                ready.push(*next);
            }
        }
    }
    columns
}

/// A node, or a place where an edge passes through a column.
struct Spot {
    column: usize,
    /// The band of rows it has to stand in.
    lane: usize,
    left: Vec<usize>,
    right: Vec<usize>,
}

struct Grid {
    spots: Vec<Spot>,
    /// The spots of each column, from top to bottom.
    columns: Vec<Vec<usize>>,
    /// The spots of each edge.
    paths: Vec<Vec<usize>>,
    lanes: usize,
    /// The place of each spot in its column.
    at: Vec<usize>,
}

impl Grid {
    fn new(picture: &Picture<'_>, columns: Vec<usize>, count: usize) -> Self {
        let separate = !stages_fill_columns(picture, &columns, count);
        let lane = |stage: Option<usize>| match stage {
            Some(stage) if separate => stage + 1,
            _ => 0,
        };
        let mut spots: Vec<Spot> = columns
            .into_iter()
            .zip(&picture.nodes)
            .map(|(column, node)| Spot {
                column,
                lane: lane(node.stage),
                left: Vec::new(),
                right: Vec::new(),
            })
            .collect();
        let passes: usize = picture
            .edges
            .iter()
            .map(|line| {
                spots[line.to]
                    .column
                    .saturating_sub(spots[line.from].column + 1)
            })
            .sum();
        let mut paths = Vec::with_capacity(picture.edges.len());
        for line in &picture.edges {
            let mut path = vec![line.from];
            if passes <= PASSES {
                for column in spots[line.from].column + 1..spots[line.to].column {
                    path.push(spots.len());
                    spots.push(Spot {
                        column,
                        lane: spots[line.to].lane,
                        left: Vec::new(),
                        right: Vec::new(),
                    });
                }
            }
            path.push(line.to);
            for pair in path.windows(2) {
                spots[pair[0]].right.push(pair[1]);
                spots[pair[1]].left.push(pair[0]);
            }
            paths.push(path);
        }
        let mut columns = vec![Vec::new(); count];
        for (index, spot) in spots.iter().enumerate() {
            columns[spot.column].push(index);
        }
        let mut grid = Self {
            at: vec![0; spots.len()],
            spots,
            columns,
            paths,
            lanes: if separate {
                picture.stages.len() + 1
            } else {
                1
            },
        };
        for column in 0..grid.columns.len() {
            let mut order = std::mem::take(&mut grid.columns[column]);
            order.sort_by_key(|spot| grid.spots[*spot].lane);
            grid.set(column, order);
        }
        grid
    }

    fn set(&mut self, column: usize, order: Vec<usize>) {
        for (at, spot) in order.iter().enumerate() {
            self.at[*spot] = at;
        }
        self.columns[column] = order;
    }

    /// Orders each column by where its neighbours stand, looking to the left or to the right.
    fn sweep(&mut self, to_the_right: bool) {
        let last = self.columns.len();
        for step in 1..last {
            let column = if to_the_right { step } else { last - 1 - step };
            let mut order: Vec<(usize, f64, usize)> = self.columns[column]
                .iter()
                .map(|index| {
                    let spot = &self.spots[*index];
                    let beside = if to_the_right {
                        &spot.left
                    } else {
                        &spot.right
                    };
                    let own = share(self.at[*index], self.columns[column].len());
                    (spot.lane, self.middle(beside).unwrap_or(own), *index)
                })
                .collect();
            // Stable: equals stay as they are, so that the picture does not jump about.
            order.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
            self.set(
                column,
                order.into_iter().map(|(_, _, index)| index).collect(),
            );
        }
    }

    /// The barycenter of `spots`, as a share of the height of their columns.
    fn middle(&self, spots: &[usize]) -> Option<f64> {
        let shares = spots.iter().map(|index| {
            share(
                self.at[*index],
                self.columns[self.spots[*index].column].len(),
            )
        });
        let sum: f64 = shares.sum();
        (!spots.is_empty()).then(|| sum / number(spots.len()))
    }

    fn finish(&self, picture: &Picture<'_>) -> Layout {
        // The height of a lane is that of its fullest column; there the others are centered.
        let mut heights = vec![0usize; self.lanes];
        let counts: Vec<Vec<usize>> = self
            .columns
            .iter()
            .map(|column| self.count(column))
            .collect();
        for counts in &counts {
            for (height, count) in heights.iter_mut().zip(counts) {
                *height = (*height).max(*count);
            }
        }
        let tops: Vec<usize> = heights
            .iter()
            .scan(0, |top, height| {
                let own = *top;
                *top += height;
                Some(own)
            })
            .collect();
        let mut places = vec![
            Place {
                column: 0,
                row: 0.0
            };
            self.spots.len()
        ];
        for (column, (order, counts)) in self.columns.iter().zip(&counts).enumerate() {
            let mut taken = vec![0usize; self.lanes];
            for index in order {
                let lane = self.spots[*index].lane;
                let free = number(heights[lane] - counts[lane]) / 2.0;
                let row = number(tops[lane] + taken[lane]) + free;
                taken[lane] += 1;
                places[*index] = Place { column, row };
            }
        }
        let path = |path: &Vec<usize>| path.iter().map(|spot| places[*spot]).collect();
        Layout {
            edges: self.paths.iter().map(path).collect(),
            nodes: places[..picture.nodes.len()].to_vec(),
            columns: self.columns.len(),
            rows: number(heights.iter().sum()),
        }
    }

    /// How many spots of each lane a column has.
    fn count(&self, column: &[usize]) -> Vec<usize> {
        let mut counts = vec![0; self.lanes];
        for index in column {
            counts[self.spots[*index].lane] += 1;
        }
        counts
    }
}

/// Whether no column has jobs of two stages, and no stage has a column of another one inside: then
/// frames around the columns show the stages.
fn stages_fill_columns(picture: &Picture<'_>, columns: &[usize], count: usize) -> bool {
    let mut of_column: Vec<Option<Option<usize>>> = vec![None; count];
    for (node, column) in picture.nodes.iter().zip(columns) {
        match of_column[*column] {
            None => of_column[*column] = Some(node.stage),
            Some(stage) if stage == node.stage => {}
            Some(_) => return false,
        }
    }
    let mut runs: Vec<Option<usize>> = of_column.into_iter().flatten().collect();
    runs.dedup();
    let mut stages: Vec<usize> = runs.into_iter().flatten().collect();
    let all = stages.len();
    stages.sort_unstable();
    stages.dedup();
    stages.len() == all
}

fn share(at: usize, of: usize) -> f64 {
    (number(at) + 0.5) / number(of.max(1))
}

#[expect(clippy::cast_precision_loss, reason = "no picture has 2^52 jobs")]
fn number(count: usize) -> f64 {
    count as f64
}
