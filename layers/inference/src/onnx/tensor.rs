//! Tensors as files hold them: in a typed field, or as raw bytes in little-endian order.

use half::{bf16, f16};

use super::value::{Array, Tensor};
use tract_onnx::pb::TensorProto;

/// `TensorProto.DataType`, as far as it is read.
pub(crate) mod data_type {
    pub(crate) const FLOAT: i32 = 1;
    pub(crate) const UINT8: i32 = 2;
    pub(crate) const INT8: i32 = 3;
    pub(crate) const UINT16: i32 = 4;
    pub(crate) const INT16: i32 = 5;
    pub(crate) const INT32: i32 = 6;
    pub(crate) const INT64: i32 = 7;
    pub(crate) const STRING: i32 = 8;
    pub(crate) const BOOL: i32 = 9;
    pub(crate) const FLOAT16: i32 = 10;
    pub(crate) const DOUBLE: i32 = 11;
    pub(crate) const UINT32: i32 = 12;
    pub(crate) const UINT64: i32 = 13;
    pub(crate) const BFLOAT16: i32 = 16;
}

/// Why a tensor cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TensorFault {
    /// Its values lie in another file, which is never opened.
    #[error("has its values in another file; save the model as one file")]
    External,
    /// Its type is not read.
    #[error("is of the data type {0}, which is not supported")]
    Type(i32),
    /// A text of it is not UTF-8.
    #[error("has a text that is not UTF-8")]
    NotUtf8,
    /// A dimension is negative, or there are more values than can be counted.
    #[error("has the dimensions {0:?}")]
    Dimensions(Vec<i64>),
    /// It has more or fewer values than its dimensions say.
    #[error("has {found} values where its dimensions say {expected}")]
    Length {
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
}

/// How many values a tensor must have.
pub(crate) fn length(tensor: &TensorProto) -> Result<usize, TensorFault> {
    let mut dims = tensor.dims.iter();
    let length = dims.try_fold(1_usize, |length, dim| length.checked_mul(usize::try_from(*dim).ok()?));
    length.ok_or_else(|| TensorFault::Dimensions(tensor.dims.clone()))
}

/// The values of a tensor of numbers. Whole numbers beyond 2^53 are rounded.
#[expect(clippy::cast_precision_loss, reason = "said above; indices and labels are read as whole numbers elsewhere")]
pub(crate) fn numbers(tensor: &TensorProto) -> Result<Vec<f64>, TensorFault> {
    use data_type::{BFLOAT16, BOOL, DOUBLE, FLOAT, FLOAT16, INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, UINT64};
    if tensor.data_location.unwrap_or(0) != 0 || !tensor.external_data.is_empty() {
        return Err(TensorFault::External);
    }
    let raw = &tensor.raw_data[..];
    let small = || tensor.int32_data.iter().map(|number| f64::from(*number));
    // The lower 16 bits are the number's.
    let bits = || tensor.int32_data.iter().map(|number| u16::try_from(number & 0xffff).unwrap_or(0));
    let found: Vec<f64> = match tensor.data_type {
        FLOAT => of(&tensor.float_data, |number| f64::from(*number), raw, |bytes| f32::from_le_bytes(bytes).into()),
        DOUBLE => of(&tensor.double_data, |number| *number, raw, f64::from_le_bytes),
        INT64 => of(&tensor.int64_data, |number| *number as f64, raw, |bytes| i64::from_le_bytes(bytes) as f64),
        UINT64 => of(&tensor.uint64_data, |number| *number as f64, raw, |bytes| u64::from_le_bytes(bytes) as f64),
        UINT32 => of(&tensor.uint64_data, |number| *number as f64, raw, |bytes| u32::from_le_bytes(bytes).into()),
        INT32 => small().chain(each(raw, |bytes| i32::from_le_bytes(bytes).into())).collect(),
        INT16 => small().chain(each(raw, |bytes| i16::from_le_bytes(bytes).into())).collect(),
        UINT16 => small().chain(each(raw, |bytes| u16::from_le_bytes(bytes).into())).collect(),
        INT8 => small().chain(each(raw, |bytes| i8::from_le_bytes(bytes).into())).collect(),
        UINT8 | BOOL => small().chain(each(raw, |[byte]: [u8; 1]| byte.into())).collect(),
        FLOAT16 => bits()
            .map(|bits| f16::from_bits(bits).into())
            .chain(each(raw, |bytes| f16::from_le_bytes(bytes).into()))
            .collect(),
        BFLOAT16 => bits()
            .map(|bits| bf16::from_bits(bits).into())
            .chain(each(raw, |bytes| bf16::from_le_bytes(bytes).into()))
            .collect(),
        other => return Err(TensorFault::Type(other)),
    };
    let expected = length(tensor)?;
    if found.len() == expected { Ok(found) } else { Err(TensorFault::Length { found: found.len(), expected }) }
}

/// A tensor of one of the types that flow between nodes.
pub(crate) fn read(tensor: &TensorProto) -> Result<Tensor, TensorFault> {
    use data_type::{BOOL, DOUBLE, FLOAT, INT32, INT64, STRING};
    if tensor.data_location.unwrap_or(0) != 0 || !tensor.external_data.is_empty() {
        return Err(TensorFault::External);
    }
    let raw = &tensor.raw_data[..];
    Ok(match tensor.data_type {
        FLOAT => Tensor::Float(array(tensor, joined(&tensor.float_data, raw, f32::from_le_bytes))?),
        DOUBLE => Tensor::Double(array(tensor, joined(&tensor.double_data, raw, f64::from_le_bytes))?),
        INT64 => Tensor::Int64(array(tensor, joined(&tensor.int64_data, raw, i64::from_le_bytes))?),
        INT32 => Tensor::Int32(array(tensor, joined(&tensor.int32_data, raw, i32::from_le_bytes))?),
        BOOL => {
            let typed = tensor.int32_data.iter().map(|number| *number != 0);
            Tensor::Bool(array(tensor, typed.chain(raw.iter().map(|byte| *byte != 0)).collect())?)
        }
        STRING => {
            let text =
                |bytes: &Vec<u8>| std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| TensorFault::NotUtf8);
            Tensor::String(array(tensor, tensor.string_data.iter().map(text).collect::<Result<_, _>>()?)?)
        }
        other => return Err(TensorFault::Type(other)),
    })
}

fn joined<T: Copy, const N: usize>(typed: &[T], raw: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
    typed.iter().copied().chain(raw.as_chunks::<N>().0.iter().map(|bytes| read(*bytes))).collect()
}

fn array<T>(tensor: &TensorProto, data: Vec<T>) -> Result<Array<T>, TensorFault> {
    let expected = length(tensor)?;
    if data.len() != expected {
        return Err(TensorFault::Length { found: data.len(), expected });
    }
    // `length` has found them all to fit.
    let shape = tensor.dims.iter().filter_map(|dim| usize::try_from(*dim).ok()).collect();
    Ok(Array { shape, data })
}

/// The typed values, or those in the raw bytes: a file has one of them.
fn of<T, const N: usize>(
    typed: &[T],
    number: impl Fn(&T) -> f64,
    raw: &[u8],
    read: impl Fn([u8; N]) -> f64,
) -> Vec<f64> {
    typed.iter().map(number).chain(each(raw, read)).collect()
}

fn each<const N: usize>(raw: &[u8], read: impl Fn([u8; N]) -> f64) -> impl Iterator<Item = f64> {
    raw.as_chunks::<N>().0.iter().map(move |bytes| read(*bytes))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests state what must hold")]
    use super::*;

    fn tensor(data_type: i32, dims: &[i64], raw: Vec<u8>) -> TensorProto {
        TensorProto { data_type, dims: dims.to_vec(), raw_data: raw, ..TensorProto::default() }
    }

    #[test]
    fn given_typed_or_raw_values_when_they_are_read_then_they_are_the_same_numbers() {
        let typed = TensorProto { float_data: vec![0.5, -2.0], ..tensor(data_type::FLOAT, &[2], Vec::new()) };
        assert_eq!(numbers(&typed).unwrap(), [0.5, -2.0]);
        let raw = [0.5_f32, -2.0].into_iter().flat_map(f32::to_le_bytes).collect();
        assert_eq!(numbers(&tensor(data_type::FLOAT, &[1, 2], raw)).unwrap(), [0.5, -2.0]);
        let half = TensorProto { int32_data: vec![0x3c00], ..tensor(data_type::FLOAT16, &[], Vec::new()) };
        assert_eq!(numbers(&half).unwrap(), [1.0]);
        assert_eq!(numbers(&tensor(data_type::INT8, &[2], vec![255, 1])).unwrap(), [-1.0, 1.0]);
    }

    #[test]
    fn given_a_tensor_that_lies_when_it_is_read_then_the_fault_says_how() {
        let fault = |tensor| numbers(&tensor).unwrap_err();
        assert_eq!(fault(tensor(data_type::INT8, &[3], vec![1])), TensorFault::Length { found: 1, expected: 3 });
        assert_eq!(fault(tensor(data_type::INT8, &[-1], vec![1])), TensorFault::Dimensions(vec![-1]));
        assert_eq!(
            fault(tensor(data_type::INT8, &[1 << 40, 1 << 40], vec![])),
            TensorFault::Dimensions(vec![1 << 40, 1 << 40])
        );
        assert_eq!(fault(tensor(data_type::STRING, &[0], vec![])), TensorFault::Type(8));
        let external = TensorProto { data_location: Some(1), ..tensor(data_type::FLOAT, &[1], Vec::new()) };
        assert_eq!(fault(external), TensorFault::External);
    }
}
