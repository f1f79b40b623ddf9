//! Texts of different lengths, one after the other without padding.

use std::ops::Range;

use rayon::prelude::*;

/// About how many tokens go through the layers at once: enough that weights are read rarely, few enough that what is
/// between the layers stays in the second-level cache. Measured; see the decision note 0001.
const BATCH_TOKENS: usize = 128;

/// The tokens of one text or pair, special tokens included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Input {
    /// Ids of the vocabulary.
    pub(crate) ids: Vec<u32>,
    /// Where the second text of a pair begins; the length when there is none.
    pub(crate) second: usize,
}

/// One token as the encoder sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) id: usize,
    pub(super) position: usize,
    /// 0 in the first text, 1 in the second.
    pub(super) kind: usize,
}

/// Some texts that go through the layers together.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    inputs: &'a [Input],
    texts: Vec<Range<usize>>,
}

impl<'a> Batch<'a> {
    fn new(inputs: &'a [Input]) -> Self {
        let texts = inputs.iter().scan(0, |end, input| {
            let begin = *end;
            *end += input.ids.len();
            Some(begin..*end)
        });
        Self { inputs, texts: texts.collect() }
    }

    /// The rows of each text.
    pub(crate) fn texts(&self) -> &[Range<usize>] {
        &self.texts
    }

    /// How many tokens all texts have.
    pub(super) fn tokens(&self) -> usize {
        self.texts.last().map_or(0, |text| text.end)
    }

    /// All tokens in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Token> {
        self.inputs.iter().flat_map(|input| {
            input.ids.iter().enumerate().map(|(position, id)| Token {
                id: *id as usize,
                position,
                kind: usize::from(position >= input.second),
            })
        })
    }
}

/// Cuts the inputs into batches and runs `job` on each on the threads of the current pool. The job is told whether to
/// share its own work among the threads, which it should when there are fewer batches than threads. Results come in
/// the order of the inputs, and none depends on the batch that an input is in.
pub(crate) fn in_batches<T: Send>(inputs: &[Input], job: impl Fn(&Batch, bool) -> Vec<T> + Sync) -> Vec<T> {
    let threads = rayon::current_num_threads();
    let total: usize = inputs.iter().map(|input| input.ids.len()).sum();
    let limit = total.div_ceil(threads).clamp(BATCH_TOKENS / 2, BATCH_TOKENS);
    let batches = cut(inputs, limit);
    if batches.len() < threads {
        batches.iter().flat_map(|batch| job(batch, true)).collect()
    } else {
        let results: Vec<Vec<T>> = batches.par_iter().with_max_len(1).map(|batch| job(batch, false)).collect();
        results.into_iter().flatten().collect()
    }
}

/// Batches of consecutive inputs; each but those of one input has at most `limit` tokens.
fn cut(inputs: &[Input], limit: usize) -> Vec<Batch<'_>> {
    let mut batches = Vec::new();
    let (mut begin, mut tokens) = (0, 0);
    for (at, input) in inputs.iter().enumerate() {
        if at > begin && tokens + input.ids.len() > limit {
            batches.push(Batch::new(&inputs[begin..at]));
            (begin, tokens) = (at, 0);
        }
        tokens += input.ids.len();
    }
    if begin < inputs.len() {
        batches.push(Batch::new(&inputs[begin..]));
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(lengths: &[usize]) -> Vec<Input> {
        lengths.iter().map(|length| Input { ids: vec![7; *length], second: *length }).collect()
    }

    #[test]
    fn given_texts_of_many_lengths_when_cut_then_no_batch_of_several_is_over_the_limit_and_none_is_lost() {
        let inputs = inputs(&[5, 90, 3, 300, 1, 1, 127, 64, 64, 64]);

        let batches = cut(&inputs, 128);

        let sizes: Vec<Vec<usize>> =
            batches.iter().map(|batch| batch.texts().iter().map(ExactSizeIterator::len).collect()).collect();
        assert_eq!(sizes, [vec![5, 90, 3], vec![300], vec![1, 1], vec![127], vec![64, 64], vec![64]]);
    }

    #[test]
    fn given_a_pair_when_numbered_then_positions_run_on_and_the_second_text_is_of_kind_one() {
        let inputs = [Input { ids: vec![9, 8, 7], second: 2 }];

        let tokens: Vec<Token> = Batch::new(&inputs).iter().collect();

        let expected = [(9, 0, 0), (8, 1, 0), (7, 2, 1)].map(|(id, position, kind)| Token { id, position, kind });
        assert_eq!(tokens, expected);
    }

    #[test]
    fn given_many_inputs_when_run_in_batches_then_results_come_in_the_order_of_the_inputs() {
        let inputs: Vec<Input> = (1..200).map(|length| Input { ids: vec![0; length], second: length }).collect();

        let lengths = in_batches(&inputs, |batch, _| batch.texts().iter().map(ExactSizeIterator::len).collect());

        assert_eq!(lengths, (1..200).collect::<Vec<_>>());
    }
}
