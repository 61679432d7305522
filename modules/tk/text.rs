// SPDX-License-Identifier: GPL-2.0

//! Text for files that are read often: numbers without Rust's formatting machinery, which costs ten
//! times as much.
//!
//! C header: [`include/linux/seq_file.h`](srctree/include/linux/seq_file.h)

use super::{
    bindings,
    hooks::procview::ShownCpu, //
};
use core::marker::PhantomData;
use kernel::seq_file::SeqFile;

/// Writes to a file that is being read.
///
/// If the kernel's buffer is too small, the rest is lost; when the writer is dropped it tells the
/// kernel, which starts again with a larger one.
pub(crate) struct Text<'a> {
    file: *mut bindings::seq_file,
    buffer: &'a mut [u8],
    used: usize,
    is_full: bool,
    _file: PhantomData<&'a SeqFile>,
}

impl<'a> Text<'a> {
    /// # Safety
    ///
    /// `file` is valid for `'a`, and nobody else uses it meanwhile.
    pub(super) unsafe fn from_raw(file: *mut bindings::seq_file) -> Self {
        // SAFETY: The caller's promise.
        let (start, count, size) = unsafe { ((*file).buf, (*file).count, (*file).size) };
        let free = size.saturating_sub(count);
        let buffer: &mut [u8] = if start.is_null() || free == 0 {
            &mut []
        } else {
            // SAFETY: A file's buffer has `size` bytes, `count` of which are used, and bytes of
            // whatever value are valid ones.
            unsafe { core::slice::from_raw_parts_mut(start.add(count).cast(), free) }
        };
        Self {
            file,
            is_full: buffer.is_empty(),
            buffer,
            used: 0,
            _file: PhantomData,
        }
    }

    /// For a file's function that has the kernel crate's type.
    pub(crate) fn new(file: &'a SeqFile) -> Self {
        // SAFETY: Who has a reference is the only thread that uses the file, and a `SeqFile` is a
        // `struct seq_file`. Between the calls of this type's methods others may write to it too,
        // which this type's users don't do.
        unsafe { Self::from_raw(core::ptr::from_ref(file).cast_mut().cast()) }
    }

    /// The number of the element that is being shown, from 0.
    pub(crate) fn index(&self) -> u64 {
        // SAFETY: The file is valid.
        u64::try_from(unsafe { (*self.file).index }).unwrap_or(0)
    }

    /// Writes text.
    #[inline]
    pub(crate) fn put(&mut self, text: &[u8]) -> &mut Self {
        match self.buffer.get_mut(self.used..self.used + text.len()) {
            Some(room) => {
                room.copy_from_slice(text);
                self.used += text.len();
            }
            None => self.is_full = true,
        }
        self
    }

    /// Writes a number.
    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        self.padded(number, 0)
    }

    /// Writes a number with blanks before it, `width` characters at least and 20 at most.
    pub(crate) fn padded(&mut self, number: u64, width: usize) -> &mut Self {
        let mut digits = [b' '; 20];
        let start = decimal(number, &mut digits);
        self.put(&digits[start.min(20 - width.min(20))..])
    }

    /// Writes hundredths as a number with two places behind the point.
    pub(crate) fn hundredths(&mut self, number: u64) -> &mut Self {
        let places = (number % 100) as u8;
        self.number(number / 100)
            .put(&[b'.', b'0' + places / 10, b'0' + places % 10])
    }
}

/// Writes what `/proc/cpuinfo` has about a CPU as it is shown. May sleep.
pub(crate) fn show_cpuinfo(file: &SeqFile, cpu: &ShownCpu) {
    let file = core::ptr::from_ref(file).cast_mut().cast();
    // SAFETY: A `SeqFile` is a `struct seq_file`, which only this thread uses. The function writes
    // about any CPU that there may be.
    unsafe { bindings::tkernel_show_cpuinfo(file, &cpu.into()) };
}

/// Writes the lines of `/proc/meminfo` that are the machine's. May sleep.
pub(crate) fn show_meminfo(file: &SeqFile) {
    let file = core::ptr::from_ref(file).cast_mut().cast();
    // SAFETY: As above.
    unsafe { bindings::tkernel_show_meminfo(file) };
}

/// Writes a number to the end of `digits`, and returns where it begins.
#[inline]
pub(crate) fn decimal(mut number: u64, digits: &mut [u8; 20]) -> usize {
    let mut start = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        start -= 1;
        if number == 0 {
            break;
        }
    }
    start
}

impl Drop for Text<'_> {
    fn drop(&mut self) {
        // SAFETY: The file is valid, and nobody else uses it. What was written is in the buffer
        // behind `count`, and has `used` bytes at most as many as are free; a file whose count is
        // its size is one that was too small.
        unsafe {
            (*self.file).count = if self.is_full {
                (*self.file).size
            } else {
                (*self.file).count + self.used
            };
        }
    }
}
