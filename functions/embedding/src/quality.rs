//! The quality report of a collection: what is wrong with its vectors, in one pass with bounded memory.
