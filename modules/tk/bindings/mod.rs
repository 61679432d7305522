// SPDX-License-Identifier: GPL-2.0

//! Raw bindings: the kernel crate's, and what it lacks.
//!
//! `bindings.h` lists the headers, `Kbuild` the items that bindgen takes from them. Types that the
//! kernel crate has are taken from there, so that a C structure is one Rust type.

#[allow(
    clippy::all,
    improper_ctypes,
    clippy::undocumented_unsafe_blocks,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub,
    unsafe_op_in_unsafe_fn,
    unused_imports
)]
mod generated {
    use kernel::{
        bindings::*,
        ffi, //
    };

    include!(concat!(
        env!("TKERNEL_OBJ"),
        "/modules/tk/bindings/generated.rs"
    ));
}

pub(super) use generated::*;
pub(super) use kernel::bindings::*;
