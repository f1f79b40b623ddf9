//! Weights in the safetensors format: a length, a JSON header, then the numbers.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::{Table, Weights};
use crate::error::LoadError;
use crate::kernel::Order;

/// The most that a header may take, as in the reference implementation.
const MAX_HEADER_BYTES: u64 = 100_000_000;

/// A file of f32 tensors. Each is read when it is asked for, straight to where it is used.
#[derive(Debug)]
pub(crate) struct SafetensorsWeights {
    file: PathBuf,
    metadata: Metadata,
    /// Where the numbers begin.
    data: u64,
}

impl SafetensorsWeights {
    /// Reads the header, and checks that the file is as long as it says.
    pub(crate) fn open(path: &Path) -> Result<Self, LoadError> {
        let unreadable = |error| LoadError::unreadable(path, error);
        let mut file = File::open(path).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(unreadable)?;
        let header_bytes = u64::from_le_bytes(length);
        if header_bytes > MAX_HEADER_BYTES.min(size) {
            return Err(LoadError::damaged(path, &"it does not begin with a safetensors header"));
        }
        let mut header = Vec::new();
        file.take(header_bytes).read_to_end(&mut header).map_err(unreadable)?;
        let metadata: Metadata = serde_json::from_slice(&header).map_err(|error| LoadError::damaged(path, &error))?;
        let data = 8 + header_bytes;
        let expected = data + metadata.data_len() as u64;
        if size != expected {
            return Err(LoadError::damaged(path, &format!("it has {size} bytes where {expected} are expected")));
        }
        Ok(Self { file: path.to_owned(), metadata, data })
    }

    /// A tensor of f32 that is as large as its shape says.
    fn info(&self, name: &str) -> Result<&TensorInfo, LoadError> {
        let info = self.metadata.info(name).ok_or_else(|| LoadError::damaged(&self.file, &format!("no `{name}`")))?;
        let numbers = info.shape.iter().try_fold(1_usize, |size, dim| size.checked_mul(*dim));
        let (begin, end) = info.data_offsets;
        if info.dtype == Dtype::F32 && numbers.and_then(|n| n.checked_mul(4)) == end.checked_sub(begin) {
            Ok(info)
        } else {
            let reason = format!("`{name}` is not a whole tensor of 32-bit floating-point numbers");
            Err(LoadError::damaged(&self.file, &reason))
        }
    }

    fn shaped(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LoadError> {
        let info = self.info(name)?;
        if info.shape != shape {
            let reason = format!("`{name}` has the shape {:?} where {shape:?} is expected", info.shape);
            return Err(LoadError::damaged(&self.file, &reason));
        }
        let bytes = self.bytes(info)?;
        Ok(bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }

    fn bytes(&self, info: &TensorInfo) -> Result<Vec<u8>, LoadError> {
        let unreadable = |error| LoadError::unreadable(&self.file, error);
        let (begin, end) = info.data_offsets;
        let mut file = File::open(&self.file).map_err(unreadable)?;
        file.seek(SeekFrom::Start(self.data + begin as u64)).map_err(unreadable)?;
        let mut bytes = vec![0; end - begin];
        file.read_exact(&mut bytes).map_err(unreadable)?;
        Ok(bytes)
    }
}

impl Weights for SafetensorsWeights {
    fn rows(&self, name: &str, columns: usize) -> Result<usize, LoadError> {
        match self.info(name)?.shape[..] {
            [rows, found] if found == columns => Ok(rows),
            _ => Err(LoadError::damaged(&self.file, &format!("`{name}` does not have {columns} columns"))),
        }
    }

    fn vector(&self, name: &str, length: usize) -> Result<Vec<f32>, LoadError> {
        self.shaped(name, &[length])
    }

    fn matrix(&self, name: &str, inputs: usize, outputs: usize) -> Result<(Vec<f32>, Order), LoadError> {
        Ok((self.shaped(name, &[outputs, inputs])?, Order::OutputMajor))
    }

    fn table(&self, name: &str, columns: usize) -> Result<Table, LoadError> {
        self.rows(name, columns)?;
        Ok(Table::of_f32(columns, self.bytes(self.info(name)?)?))
    }
}
