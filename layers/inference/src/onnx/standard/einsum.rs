//! `Einsum`: sums of products, by letters for the axes.

use super::shape::{lines, refused};
use super::typed::{Number, numeric};
use super::{Array, Attributes, Budget, Element, Family, Inputs, Outputs, RunFault, Standard, boxed, one};

/// The letters of each input and of the output; none are those of the dots.
#[derive(Debug)]
struct Einsum {
    inputs: Vec<Vec<Option<char>>>,
    output: Vec<Option<char>>,
}

pub(super) fn build(name: &str, attributes: Attributes<'_>, _: i64) -> Family {
    if name != "Einsum" {
        return None;
    }
    let equation = match attributes.text("equation") {
        Ok(equation) => equation.unwrap_or(""),
        Err(fault) => return Some(Err(fault.into())),
    };
    match Einsum::read(equation) {
        Some(einsum) => boxed(einsum),
        None => refused("equation", format!("cannot be read: `{equation}`")),
    }
}

/// Letters, with none for three dots.
fn letters(term: &str) -> Option<Vec<Option<char>>> {
    let term = term.replace("...", ".");
    let letter = |letter: char| match letter {
        '.' => Some(None),
        letter if letter.is_ascii_alphabetic() => Some(Some(letter)),
        _ => None,
    };
    let letters: Vec<Option<char>> = term.chars().map(letter).collect::<Option<_>>()?;
    (letters.iter().filter(|letter| letter.is_none()).count() < 2).then_some(letters)
}

impl Einsum {
    fn read(equation: &str) -> Option<Self> {
        let equation: String = equation.chars().filter(|letter| !letter.is_whitespace()).collect();
        let (left, right) =
            equation.split_once("->").map_or((&equation[..], None), |(left, right)| (left, Some(right)));
        let inputs = left.split(',').map(letters).collect::<Option<Vec<_>>>()?;
        let output = match right {
            Some(right) => letters(right)?,
            None => {
                // Without an arrow: the dots, then the letters that are there once, by the alphabet.
                let all: Vec<char> = inputs.iter().flatten().filter_map(|letter| *letter).collect();
                let mut once: Vec<char> =
                    all.iter().copied().filter(|one| all.iter().filter(|other| *other == one).count() == 1).collect();
                once.sort_unstable();
                let dots = inputs.iter().flatten().any(Option::is_none);
                dots.then_some(None).into_iter().chain(once.into_iter().map(Some)).collect()
            }
        };
        Some(Self { inputs, output })
    }
}

/// An axis: a letter, or one of those of the dots, counted from the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Axis {
    Letter(char),
    Dot(usize),
}

/// The axes of a term for a tensor of some rank.
fn axes(term: &[Option<char>], rank: usize) -> Option<Vec<Axis>> {
    let named = term.iter().filter(|letter| letter.is_some()).count();
    let dots = rank.checked_sub(named)?;
    if dots > 0 && !term.contains(&None) {
        return None;
    }
    let expand = |letter: &Option<char>| match letter {
        Some(letter) => vec![Axis::Letter(*letter)],
        None => (0..dots).rev().map(Axis::Dot).collect(),
    };
    Some(term.iter().flat_map(expand).collect())
}

impl Standard for Einsum {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let all = inputs.all()?;
        let first = *all.first().ok_or(RunFault::Missing(0))?;
        if all.len() != self.inputs.len() {
            return Err(RunFault::Value(format!("takes {} inputs, and is given {}", self.inputs.len(), all.len())));
        }
        numeric!(first, T => {
            // Two at a time would be quicker; models have two.
            let tensors = all.iter().map(|next| T::of(next)).collect::<Result<Vec<_>, _>>()?;
            one(T::tensor(self.sum(&tensors, budget)?))
        })
    }
}

impl Einsum {
    fn sum<T: Number>(&self, tensors: &[&Array<T>], budget: &Budget) -> Result<Array<T>, RunFault> {
        let misfit = || RunFault::Value("is given shapes that do not fit its equation".to_owned());
        let mut sizes: Vec<(Axis, usize)> = Vec::new();
        let mut terms = Vec::new();
        for (term, tensor) in self.inputs.iter().zip(tensors) {
            let axes = axes(term, tensor.shape.len()).ok_or_else(misfit)?;
            for (axis, size) in axes.iter().zip(&tensor.shape) {
                match sizes.iter_mut().find(|(known, _)| known == axis) {
                    Some((_, known)) if *known == 1 => *known = *size,
                    Some((_, known)) if *known == *size || *size == 1 => {}
                    Some(_) => return Err(misfit()),
                    None => sizes.push((*axis, *size)),
                }
            }
            terms.push(axes);
        }
        let dots = sizes.iter().filter(|(axis, _)| matches!(axis, Axis::Dot(_))).count();
        let named = self.output.iter().filter(|letter| letter.is_some()).count();
        let shown =
            axes(&self.output, named + if self.output.contains(&None) { dots } else { 0 }).ok_or_else(misfit)?;
        let size =
            |axis: &Axis| sizes.iter().find(|(known, _)| known == axis).map(|(_, size)| *size).ok_or_else(misfit);
        let shape = shown.iter().map(size).collect::<Result<Vec<_>, _>>()?;
        let summed: Vec<Axis> = sizes.iter().map(|(axis, _)| *axis).filter(|axis| !shown.contains(axis)).collect();
        let inner = summed.iter().map(size).collect::<Result<Vec<_>, _>>()?;
        let count = budget.shape(&shape)?;
        // How far a step along the axes of a list goes in a tensor.
        let steps = |list: &[Axis], term: &[Axis], of: &[usize]| -> Vec<usize> {
            let along = |wanted: &Axis| {
                let own = term.iter().enumerate().filter(|(place, axis)| *axis == wanted && of[*place] != 1);
                own.map(|(place, _)| of[place + 1..].iter().product::<usize>()).sum()
            };
            list.iter().map(along).collect()
        };
        let mut found = vec![T::ZERO; count];
        let outer_places = |term: &[Axis], of: &[usize]| places(&shape, &steps(&shown, term, of));
        let inner_places = |term: &[Axis], of: &[usize]| places(&inner, &steps(&summed, term, of));
        let of_terms: Vec<(Vec<usize>, Vec<usize>)> = terms
            .iter()
            .zip(tensors)
            .map(|(term, tensor)| (outer_places(term, &tensor.shape), inner_places(term, &tensor.shape)))
            .collect();
        let depth: usize = inner.iter().product();
        budget.values(depth)?;
        for (at, value) in found.iter_mut().enumerate() {
            if at % 256 == 0 || depth > 1 << 16 {
                budget.time()?;
            }
            let mut sum = T::ZERO;
            for below in 0..depth {
                let values =
                    tensors.iter().zip(&of_terms).map(|(tensor, (outer, inner))| tensor.data[outer[at] + inner[below]]);
                sum = sum.add(values.fold(T::ONE, Number::mul));
            }
            *value = sum;
        }
        Ok(Array { shape, data: found })
    }
}

/// The places of all values of a shape, by strides.
fn places(shape: &[usize], strides: &[usize]) -> Vec<usize> {
    let mut places = Vec::with_capacity(shape.iter().product());
    lines(shape, [strides], |[first], length, [step]| places.extend((0..length).map(|at| first + at * step)));
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_no_arrow_then_the_letters_that_are_there_once_are_the_output() {
        let Some(einsum) = Einsum::read("bij, bjk") else { panic!("it can be read") };
        assert_eq!(einsum.output, [Some('i'), Some('k')]);
        assert!(Einsum::read("a1->a").is_none());
    }
}
