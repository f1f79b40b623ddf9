//! A look at the bytes of a file before it is decoded: a message of two bytes becomes one of two hundred in memory.

/// How many messages are inside one another at most.
const DEPTH: usize = 64;

/// What a message counts for, where a text counts for one.
const MESSAGE: usize = 8;

/// A run of bytes that is read as fields.
struct Fields<'a>(&'a [u8]);

/// A field: its number, and its bytes if it has a length.
struct Field<'a> {
    number: u64,
    bytes: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn skip(&mut self, length: usize) -> Option<&'a [u8]> {
        let (skipped, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(skipped)
    }

    /// The next field; none at the end, or at bytes that are none. What is wrong is for the decoder to say.
    fn next(&mut self) -> Option<Field<'a>> {
        let key = self.varint()?;
        let number = key >> 3;
        let bytes = match key & 7 {
            0 => {
                self.varint()?;
                None
            }
            1 => self.skip(8).map(|_| None)?,
            2 => {
                let length = self.varint()?;
                Some(self.skip(usize::try_from(length).ok()?)?)
            }
            5 => self.skip(4).map(|_| None)?,
            _ => return None,
        };
        Some(Field { number, bytes })
    }
}

/// The messages of a file that hold others, and which fields these are.
#[derive(Clone, Copy)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    /// A message whose own fields are counted, and not looked into.
    Flat,
}

impl Message {
    const fn inside(self, field: u64) -> Option<Self> {
        match (self, field) {
            (Self::Model, 7) | (Self::Attribute, 6 | 11) => Some(Self::Graph),
            (Self::Graph, 1) => Some(Self::Node),
            (Self::Node, 5) => Some(Self::Attribute),
            // What has messages or texts of its own: opsets, metadata, functions, tensors, types of inputs and outputs.
            (Self::Model, 8 | 14 | 20 | 25) | (Self::Attribute, 5 | 10 | 14 | 15 | 22 | 23) => Some(Self::Flat),
            (Self::Graph, 5 | 11 | 12 | 13 | 14 | 15 | 16) | (Self::Node, 9 | 10) => Some(Self::Flat),
            _ => None,
        }
    }
}

/// How many texts a file has, and messages, which count for more: what costs more in memory than in the file.
pub(super) fn parts(bytes: &[u8]) -> usize {
    let mut count = 0_usize;
    let mut open = vec![(Message::Model, Fields(bytes), 0)];
    while let Some((message, mut fields, depth)) = open.pop() {
        while let Some(field) = fields.next() {
            let Some(bytes) = field.bytes else { continue };
            let inside = message.inside(field.number);
            count = count.saturating_add(if inside.is_some() { MESSAGE } else { 1 });
            if let Some(inside) = inside.filter(|_| depth < DEPTH) {
                open.push((inside, Fields(bytes), depth + 1));
            }
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_a_graph_of_empty_nodes_when_its_parts_are_counted_then_each_counts_for_eight() {
        let nodes = [0x0a, 0].repeat(1_000);
        let mut file = vec![0x3a];
        file.extend([0xd0, 0x0f]);
        file.extend(nodes);
        assert_eq!(parts(&file), 1_001 * MESSAGE);
        assert_eq!(parts(&[0xff; 40]), 0);
        assert_eq!(parts(&[0x3a, 0x7f, 1]), 0);
    }
}
