//! The layout of matrices.

/// How many columns a strip has. It is also the size of an attention head of the MiniLM family.
pub(crate) const STRIP: usize = 32;

/// Some consecutive columns of one row. Two AVX-512 vectors, four of AVX2, eight of NEON, none across a cache line.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub(crate) struct Strip(pub(crate) [f32; STRIP]);

impl Strip {
    /// All zeros.
    pub(crate) const ZERO: Self = Self([0.0; STRIP]);
}

/// A matrix of f32, `rows` x `columns`, cut into blocks of [`STRIP`] columns: block after block, and within a
/// block row after row.
#[derive(Clone, Debug)]
pub(crate) struct Blocks {
    rows: usize,
    strips: Vec<Strip>,
}

impl Blocks {
    /// A matrix of zeros with `blocks` x [`STRIP`] columns. There is at least one row.
    pub(crate) fn zeroed(rows: usize, blocks: usize) -> Self {
        let rows = rows.max(1);
        Self { rows, strips: vec![Strip::ZERO; rows * blocks] }
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// How many blocks there are.
    pub(crate) fn blocks(&self) -> usize {
        self.strips.len() / self.rows
    }

    /// The strips of all blocks.
    pub(crate) fn strips(&self) -> &[Strip] {
        &self.strips
    }

    /// The strips of all blocks.
    pub(crate) fn strips_mut(&mut self) -> &mut [Strip] {
        &mut self.strips
    }

    /// One block: a strip for each row.
    pub(crate) fn block(&self, block: usize) -> &[Strip] {
        &self.strips[block * self.rows..(block + 1) * self.rows]
    }

    /// The strips of one row, in the order of the columns.
    pub(crate) fn row(&self, row: usize) -> impl Iterator<Item = &Strip> {
        self.strips.iter().skip(row).step_by(self.rows)
    }

    /// The strips of one row, in the order of the columns.
    pub(crate) fn row_mut(&mut self, row: usize) -> impl Iterator<Item = &mut Strip> {
        self.strips.iter_mut().skip(row).step_by(self.rows)
    }
}
