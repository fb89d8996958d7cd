//! The parts of teal/abi.h that a memory needs, by hand. Names, order and types are the header's; docs/abi.md says what they mean.
#![allow(dead_code)]
use std::ffi::c_void;
use std::os::raw::c_char;

pub type Status = i32;
pub const OK: Status = 0;
pub const CONFLICT: Status = 1;
pub const INVALID: Status = 3;
pub const TOO_LARGE: Status = 5;
pub const NO_MEMORY: Status = 13;
pub const INTERNAL: Status = 14;

pub const PUT: u32 = 1;
pub const DELETE: u32 = 2;
pub const CHECK: u32 = 3;
pub const IF_ANY: u32 = 0;
pub const IF_ABSENT: u32 = 1;
pub const IF_VERSION: u32 = 2;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Bytes {
    pub data: *const u8,
    pub size: u64,
}

impl Bytes {
    pub const EMPTY: Bytes = Bytes { data: std::ptr::null(), size: 0 };

    pub fn of(slice: &[u8]) -> Bytes {
        if slice.is_empty() {
            return Bytes::EMPTY;
        }
        Bytes { data: slice.as_ptr(), size: slice.len() as u64 }
    }

    /// # Safety
    /// `data` points to `size` bytes that live for as long as the slice is used.
    pub unsafe fn slice<'a>(self) -> &'a [u8] {
        if self.size == 0 {
            return &[];
        }
        std::slice::from_raw_parts(self.data, self.size as usize)
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Key {
    pub partition: Bytes,
    pub sort: Bytes,
}

#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Version {
    pub opaque: [u8; 32],
}
pub const ABSENT: Version = Version { opaque: [0; 32] };

#[repr(C)]
pub struct Error {
    pub struct_size: u32,
    pub code: Status,
    pub outcome: u32,
    pub reserved0: u32,
    pub retry_after_ns: u64,
    pub vendor_code: i64,
    pub message: [u8; 224],
}

pub type DoneFn = extern "C" fn(ctx: *mut c_void, error: *const Error, result: *const c_void);

#[repr(C)]
pub struct Call {
    pub struct_size: u32,
    pub flags: u32,
    pub op_id: u64,
    pub deadline_unix_ns: u64,
    pub traceparent: Bytes,
    pub idempotency_key: Bytes,
    pub done: DoneFn,
    pub done_ctx: *mut c_void,
}

#[repr(C)]
pub struct Host {
    pub struct_size: u32,
    pub abi_minor: u32,
    pub ctx: *mut c_void,
    pub service: extern "C" fn(*const Host, *const c_char) -> *const c_void,
    pub log: extern "C" fn(*const Host, u32, Bytes, Bytes),
    pub now_unix_ns: extern "C" fn(*const Host) -> u64,
}

#[repr(C)]
pub struct Op {
    pub kind: u32,
    pub condition: u32,
    pub key: Key,
    pub value: Bytes,
    pub expected: Version,
    pub due_unix_ns: u64,
    pub expires_unix_ns: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Record {
    pub key: Key,
    pub value: Bytes,
    pub version: Version,
    pub due_unix_ns: u64,
    pub expires_unix_ns: u64,
}

#[repr(C)]
pub struct CommitResult {
    pub struct_size: u32,
    pub failed_op: u32,
    pub count: u64,
    pub versions: *const Version,
    pub found: *const Record,
}

#[repr(C)]
pub struct Page {
    pub struct_size: u32,
    pub more: u32,
    pub count: u64,
    pub records: *const Record,
    pub next: Bytes,
}

#[repr(C)]
pub struct Caps {
    pub struct_size: u32,
    pub reserved0: u32,
    pub features: u64,
    pub key_bytes_max: u64,
    pub value_bytes_max: u64,
    pub commit_ops_max: u64,
    pub commit_bytes_max: u64,
    pub get_keys_max: u64,
    pub scan_records_max: u64,
    pub blob_bytes_max: u64,
    pub due_staleness_ns: u64,
    pub idempotency_window_ns: u64,
}

/// The instance is ours: the host only carries the pointer.
pub type Instance = crate::Memory;
pub type Slot = Option<extern "C" fn()>;

#[repr(C)]
pub struct MemoryTable {
    pub struct_size: u32,
    pub reserved0: u32,
    pub caps: extern "C" fn(*const Instance, *mut Caps) -> Status,
    pub commit: extern "C" fn(*const Instance, *const Call, *const Op, u64) -> Status,
    pub get: extern "C" fn(*const Instance, *const Call, *const Key, u64) -> Status,
    pub scan: extern "C" fn(*const Instance, *const Call, Bytes, Bytes, u64, Bytes) -> Status,
    pub scan_due: extern "C" fn(*const Instance, *const Call, u32, u32, u64, u64, Bytes) -> Status,
    /// watch, unwatch, blob_open, blob_write, blob_commit, blob_abort, blob_get, blob_delete: not offered.
    pub not_offered: [Slot; 8],
}

#[repr(C)]
pub struct PluginTable {
    pub struct_size: u32,
    pub abi_minor: u32,
    pub host_minor_min: u32,
    pub flags: u32,
    pub id: *const c_char,
    pub version: *const c_char,
    pub open: extern "C" fn(*const Host, Bytes, *mut *mut Instance, *mut Error) -> Status,
    pub close: extern "C" fn(*mut Instance),
    pub get_interface: extern "C" fn(*const c_char) -> *const c_void,
    pub cancel: extern "C" fn(*const Instance, u64) -> Status,
}
// The tables are constants; their pointers are to constants, too.
unsafe impl Sync for PluginTable {}
unsafe impl Sync for MemoryTable {}
