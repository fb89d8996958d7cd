//! A memory for Teal in Rust: records in an ordered map under one mutex. It keeps nothing over the end of the process.
mod abi;

use abi::*;
use std::collections::hash_map::DefaultHasher;
use std::collections::BTreeMap;
use std::ffi::{c_void, CStr};
use std::hash::{Hash, Hasher};
use std::ops::Bound;
use std::os::raw::c_char;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Mutex;

const KEY_BYTES_MAX: u64 = 1024;
const VALUE_BYTES_MAX: u64 = 1 << 20;
const COMMIT_OPS_MAX: u64 = 64;
const COMMIT_BYTES_MAX: u64 = 8 << 20;
const PAGE_RECORDS_MAX: u64 = 1000;

type OwnedKey = (Vec<u8>, Vec<u8>);

struct Stored {
    value: Vec<u8>,
    version: Version,
    due: u64,
    expires: u64,
}

struct State {
    records: BTreeMap<OwnedKey, Stored>,
    last_version: u64,
}

pub struct Memory {
    incarnation: u64, // makes versions of this instance differ from those of any other
    state: Mutex<State>,
}

// ---- Ending a call ----

/// A refusal with words for the user; it ends the call.
struct Refusal(Status, &'static str);

fn make_error(code: Status, text: &str) -> Error {
    let mut error = Error {
        struct_size: std::mem::size_of::<Error>() as u32,
        code,
        outcome: 0, // nothing was applied
        reserved0: 0,
        retry_after_ns: 0,
        vendor_code: 0,
        message: [0; 224],
    };
    // A longer text is cut at a whole character; the last byte stays zero.
    let mut size = text.len().min(error.message.len() - 1);
    while !text.is_char_boundary(size) {
        size -= 1;
    }
    error.message[..size].copy_from_slice(&text.as_bytes()[..size]);
    error
}

fn fail(call: &Call, refusal: Refusal, result: *const c_void) -> Status {
    (call.done)(call.done_ctx, &make_error(refusal.0, refusal.1), result);
    OK
}

fn succeed<T>(call: &Call, result: &T) -> Status {
    (call.done)(call.done_ctx, std::ptr::null(), result as *const T as *const c_void);
    OK
}

/// No panic may cross the border. One is a defect; it happens before `done`, since `done` is the last thing each call does.
fn guarded(body: impl FnOnce() -> Status) -> Status {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(INVALID)
}

fn record_of(key: &OwnedKey, stored: &Stored) -> Record {
    Record {
        key: Key { partition: Bytes::of(&key.0), sort: Bytes::of(&key.1) },
        value: Bytes::of(&stored.value),
        version: stored.version,
        due_unix_ns: stored.due,
        expires_unix_ns: stored.expires,
    }
}

unsafe fn owned(key: Key) -> OwnedKey {
    (key.partition.slice().to_vec(), key.sort.slice().to_vec())
}

// ---- commit ----

/// What no correct host sends is not.
fn well_formed(op: &Op) -> bool {
    let plain = op.value.size == 0 && op.due_unix_ns == 0 && op.expires_unix_ns == 0;
    (PUT..=CHECK).contains(&op.kind)
        && op.condition <= IF_VERSION
        && op.key.partition.size > 0
        && op.key.sort.size > 0
        && (op.kind == PUT || plain)
        && !(op.kind == CHECK && op.condition == IF_ANY)
        && (op.condition == IF_VERSION) == (op.expected != ABSENT)
}

fn within_limits(ops: &[Op]) -> Result<(), Refusal> {
    if ops.len() as u64 > COMMIT_OPS_MAX {
        return Err(Refusal(TOO_LARGE, "a commit takes at most 64 operations: split it"));
    }
    let mut bytes = 0;
    for op in ops {
        if op.key.partition.size > KEY_BYTES_MAX || op.key.sort.size > KEY_BYTES_MAX {
            return Err(Refusal(TOO_LARGE, "a part of a key takes at most 1024 bytes"));
        }
        if op.value.size > VALUE_BYTES_MAX {
            return Err(Refusal(TOO_LARGE, "a value takes at most 1 MiB"));
        }
        bytes += op.key.partition.size + op.key.sort.size + op.value.size;
    }
    if bytes > COMMIT_BYTES_MAX {
        return Err(Refusal(TOO_LARGE, "a commit takes at most 8 MiB: split it"));
    }
    Ok(())
}

fn holds(op: &Op, now: Option<&Stored>) -> bool {
    match op.condition {
        IF_ABSENT => now.is_none(),
        IF_VERSION => now.map_or(false, |stored| stored.version == op.expected),
        _ => true,
    }
}

unsafe fn commit(memory: &Memory, call: &Call, ops: &[Op]) -> Status {
    if call.flags != 0 || ops.is_empty() || !ops.iter().all(well_formed) {
        return INVALID;
    }
    if let Err(refusal) = within_limits(ops) {
        return fail(call, refusal, std::ptr::null());
    }
    let keys: Vec<OwnedKey> = ops.iter().map(|op| owned(op.key)).collect();
    if (1..keys.len()).any(|i| keys[..i].contains(&keys[i])) {
        return INVALID;
    }
    let mut state = memory.state.lock().unwrap();
    for (i, op) in ops.iter().enumerate() {
        let now = state.records.get(&keys[i]);
        if holds(op, now) {
            continue;
        }
        let found = now.map(|stored| record_of(&keys[i], stored));
        let result = CommitResult {
            struct_size: std::mem::size_of::<CommitResult>() as u32,
            failed_op: i as u32,
            count: 0,
            versions: std::ptr::null(),
            found: found.as_ref().map_or(std::ptr::null(), |record| record as *const Record),
        };
        // `done` is a sink: it only enqueues, so the lock may be held, and what it is given cannot change meanwhile.
        return fail(call, Refusal(CONFLICT, "a condition does not hold"), &result as *const CommitResult as *const c_void);
    }
    let mut versions = vec![ABSENT; ops.len()];
    for ((op, key), version) in ops.iter().zip(keys).zip(versions.iter_mut()) {
        match op.kind {
            PUT => {
                state.last_version += 1; // never comes back, not even after a delete
                version.opaque[..8].copy_from_slice(&state.last_version.to_le_bytes());
                version.opaque[8..16].copy_from_slice(&memory.incarnation.to_le_bytes());
                let value = op.value.slice().to_vec();
                let stored = Stored { value, version: *version, due: op.due_unix_ns, expires: op.expires_unix_ns };
                state.records.insert(key, stored);
            }
            DELETE => {
                state.records.remove(&key);
            }
            _ => *version = state.records.get(&key).map_or(ABSENT, |stored| stored.version),
        }
    }
    drop(state);
    succeed(
        call,
        &CommitResult {
            struct_size: std::mem::size_of::<CommitResult>() as u32,
            failed_op: 0,
            count: versions.len() as u64,
            versions: versions.as_ptr(),
            found: std::ptr::null(),
        },
    )
}

// ---- Pages ----

fn give_page(call: &Call, records: &[Record], next: Option<&[u8]>) -> Status {
    succeed(
        call,
        &Page {
            struct_size: std::mem::size_of::<Page>() as u32,
            more: next.is_some() as u32,
            count: records.len() as u64,
            records: if records.is_empty() { std::ptr::null() } else { records.as_ptr() },
            next: next.map_or(Bytes::EMPTY, Bytes::of),
        },
    )
}

unsafe fn get(memory: &Memory, call: &Call, keys: &[Key]) -> Status {
    if call.flags != 0 || keys.is_empty() || keys.iter().any(|key| key.partition.size == 0 || key.sort.size == 0) {
        return INVALID;
    }
    if keys.iter().any(|key| key.partition.size > KEY_BYTES_MAX || key.sort.size > KEY_BYTES_MAX) {
        return fail(call, Refusal(TOO_LARGE, "a part of a key takes at most 1024 bytes"), std::ptr::null());
    }
    if keys.len() as u64 > PAGE_RECORDS_MAX {
        return fail(call, Refusal(TOO_LARGE, "a get takes at most 1000 keys: split it"), std::ptr::null());
    }
    let state = memory.state.lock().unwrap();
    let records: Vec<Record> =
        keys.iter().filter_map(|key| state.records.get_key_value(&owned(*key))).map(|(key, stored)| record_of(key, stored)).collect();
    give_page(call, &records, None)
}

/// The cursor is the sort key of the last record given: stateless, and good whatever is written meanwhile.
fn scan(memory: &Memory, call: &Call, partition: &[u8], prefix: &[u8], limit: u64, cursor: &[u8]) -> Status {
    if call.flags != 0 || partition.is_empty() || limit == 0 {
        return INVALID;
    }
    if partition.len() as u64 > KEY_BYTES_MAX || prefix.len() as u64 > KEY_BYTES_MAX {
        return fail(call, Refusal(TOO_LARGE, "a part of a key takes at most 1024 bytes"), std::ptr::null());
    }
    let limit = limit.min(PAGE_RECORDS_MAX) as usize;
    let from = if cursor.is_empty() {
        Bound::Included((partition.to_vec(), prefix.to_vec()))
    } else {
        Bound::Excluded((partition.to_vec(), cursor.to_vec()))
    };
    let state = memory.state.lock().unwrap();
    let mut records: Vec<Record> = state
        .records
        .range((from, Bound::Unbounded))
        .take_while(|(key, _)| key.0 == partition && key.1.starts_with(prefix))
        .take(limit + 1)
        .map(|(key, stored)| record_of(key, stored))
        .collect();
    let more = records.len() > limit;
    records.truncate(limit);
    // The record lives in the map, which is locked until `done` returned.
    let next = if more { records.last().map(|record| unsafe { record.key.sort.slice() }) } else { None };
    give_page(call, &records, next)
}

fn shard_of(key: &OwnedKey, shards: u32) -> u32 {
    let mut hasher = DefaultHasher::new(); // of fixed keys: the same in every process of this build
    key.hash(&mut hasher);
    (hasher.finish() % u64::from(shards)) as u32
}

/// The cursor is due time, size of the partition, partition, sort of the last record given.
fn due_cursor(due: u64, key: &OwnedKey) -> Vec<u8> {
    [&due.to_le_bytes()[..], &(key.0.len() as u64).to_le_bytes()[..], &key.0, &key.1].concat()
}
fn read_due_cursor(cursor: &[u8]) -> Option<(u64, OwnedKey)> {
    let number = |from: usize| cursor.get(from..from + 8).map(|b| u64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]));
    let (due, size) = (number(0)?, number(8)? as usize);
    let keys = cursor.get(16..)?;
    if size == 0 || size >= keys.len() {
        return None;
    }
    Some((due, (keys[..size].to_vec(), keys[size..].to_vec())))
}

fn scan_due(memory: &Memory, call: &Call, shard: u32, shards: u32, until: u64, limit: u64, cursor: &[u8]) -> Status {
    if call.flags != 0 || shards == 0 || shards > 1024 || shard >= shards || limit == 0 {
        return INVALID;
    }
    let after = read_due_cursor(cursor);
    if after.is_none() && !cursor.is_empty() {
        return fail(call, Refusal(INVALID, "the cursor is not one of this memory"), std::ptr::null());
    }
    let limit = limit.min(PAGE_RECORDS_MAX) as usize;
    let state = memory.state.lock().unwrap();
    let mut due: Vec<(u64, &OwnedKey)> = state
        .records
        .iter()
        .filter(|(key, stored)| stored.due != 0 && stored.due <= until && shard_of(key, shards) == shard)
        .map(|(key, stored)| (stored.due, key))
        .filter(|(due, key)| after.as_ref().map_or(true, |(last, last_key)| (*due, *key) > (*last, last_key)))
        .collect();
    due.sort();
    let next = if due.len() > limit { Some(due_cursor(due[limit - 1].0, due[limit - 1].1)) } else { None };
    due.truncate(limit);
    // Keys and due times only.
    let records: Vec<Record> = due
        .iter()
        .map(|(due, key)| Record {
            key: Key { partition: Bytes::of(&key.0), sort: Bytes::of(&key.1) },
            value: Bytes::EMPTY,
            version: ABSENT,
            due_unix_ns: *due,
            expires_unix_ns: 0,
        })
        .collect();
    give_page(call, &records, next.as_deref())
}

// ---- The tables ----

extern "C" fn memory_caps(_: *const Instance, out: *mut Caps) -> Status {
    let mut caps = Caps {
        struct_size: 0,
        reserved0: 0,
        features: 0,
        key_bytes_max: KEY_BYTES_MAX,
        value_bytes_max: VALUE_BYTES_MAX,
        commit_ops_max: COMMIT_OPS_MAX,
        commit_bytes_max: COMMIT_BYTES_MAX,
        get_keys_max: PAGE_RECORDS_MAX,
        scan_records_max: PAGE_RECORDS_MAX,
        blob_bytes_max: 0,
        due_staleness_ns: 0,
        idempotency_window_ns: 0,
    };
    unsafe {
        caps.struct_size = (*out).struct_size; // the caller's: no more than it is written
        let size = std::mem::size_of::<Caps>().min(caps.struct_size as usize);
        std::ptr::copy_nonoverlapping(&caps as *const Caps as *const u8, out as *mut u8, size);
    }
    OK
}

unsafe fn array<'a, T>(data: *const T, count: u64) -> &'a [T] {
    if count == 0 {
        return &[];
    }
    std::slice::from_raw_parts(data, count as usize)
}

extern "C" fn memory_commit(memory: *const Instance, call: *const Call, ops: *const Op, count: u64) -> Status {
    guarded(|| unsafe { commit(&*memory, &*call, array(ops, count)) })
}
extern "C" fn memory_get(memory: *const Instance, call: *const Call, keys: *const Key, count: u64) -> Status {
    guarded(|| unsafe { get(&*memory, &*call, array(keys, count)) })
}
extern "C" fn memory_scan(memory: *const Instance, call: *const Call, partition: Bytes, prefix: Bytes, limit: u64, cursor: Bytes) -> Status {
    guarded(|| unsafe { scan(&*memory, &*call, partition.slice(), prefix.slice(), limit, cursor.slice()) })
}
extern "C" fn memory_scan_due(memory: *const Instance, call: *const Call, shard: u32, shards: u32, until: u64, limit: u64, cursor: Bytes) -> Status {
    guarded(|| unsafe { scan_due(&*memory, &*call, shard, shards, until, limit, cursor.slice()) })
}

static MEMORY: MemoryTable = MemoryTable {
    struct_size: std::mem::size_of::<MemoryTable>() as u32,
    reserved0: 0,
    caps: memory_caps,
    commit: memory_commit,
    get: memory_get,
    scan: memory_scan,
    scan_due: memory_scan_due,
    not_offered: [None; 8],
};

// The manifest's schema allows an empty object only, and the host has checked it; the kit checks that we do not rely on it.
extern "C" fn plugin_open(host: *const Host, config_json: Bytes, out: *mut *mut Instance, error: *mut Error) -> Status {
    guarded(|| unsafe {
        let config = String::from_utf8_lossy(config_json.slice());
        if config.split_whitespace().collect::<String>() != "{}" {
            let mut refusal = make_error(INVALID, &format!("this memory takes no settings: write {{}} instead of {}", config));
            refusal.struct_size = (*error).struct_size; // the caller's: no more than it is written
            let size = std::mem::size_of::<Error>().min(refusal.struct_size as usize);
            std::ptr::copy_nonoverlapping(&refusal as *const Error as *const u8, error as *mut u8, size);
            return INVALID;
        }
        let state = State { records: BTreeMap::new(), last_version: 0 };
        let memory = Box::into_raw(Box::new(Memory { incarnation: 0, state: Mutex::new(state) }));
        (*memory).incarnation = ((*host).now_unix_ns)(host) ^ memory as u64;
        *out = memory;
        OK
    })
}

// Every call ends before it returns, so none is open here.
extern "C" fn plugin_close(memory: *mut Instance) {
    drop(unsafe { Box::from_raw(memory) });
}

extern "C" fn plugin_get_interface(id: *const c_char) -> *const c_void {
    if unsafe { CStr::from_ptr(id) }.to_bytes() == b"teal.memory/1" {
        return &MEMORY as *const MemoryTable as *const c_void;
    }
    std::ptr::null()
}

// A hint: by the time it comes, the call has ended.
extern "C" fn plugin_cancel(_: *const Instance, _op_id: u64) -> Status {
    OK
}

static PLUGIN: PluginTable = PluginTable {
    struct_size: std::mem::size_of::<PluginTable>() as u32,
    abi_minor: 0,
    host_minor_min: 0,
    flags: 0,
    id: b"memory_rust\0".as_ptr() as *const c_char,
    version: b"1.0.0\0".as_ptr() as *const c_char,
    open: plugin_open,
    close: plugin_close,
    get_interface: plugin_get_interface,
    cancel: plugin_cancel,
};

#[no_mangle]
pub extern "C" fn teal_plugin_v1() -> *const PluginTable {
    &PLUGIN
}
