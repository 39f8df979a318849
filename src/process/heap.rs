//! What the allocator keeps of memory that was freed: little, and what it keeps is given back.

/// Heaps among which threads share. Without a bound each thread of the runtime and of the database has one
/// of its own, up to eight for each core, and keeps in it what it once needed.
const HEAPS: libc::c_int = 2;
/// Blocks of so many bytes are mapped, and go back when they are freed. It is what glibc begins with; set, it
/// does not grow with the blocks that it sees.
const MAPPED: libc::c_int = 128 << 10;

/// Has the allocator keep little, for a process of many threads that lives for weeks. To be called before
/// there are threads; whoever does not take the advice goes on as before.
pub fn keep_little() {
    #[expect(unsafe_code, reason = "the allocator is told by its own function only")]
    // SAFETY: mallopt changes two numbers of the allocator, which it reads when it allocates.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, HEAPS);
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED);
    }
}

/// Gives free pages of the heap back to the system; takes milliseconds where there are many.
pub fn give_back() {
    #[expect(unsafe_code, reason = "the allocator keeps freed pages otherwise")]
    // SAFETY: malloc_trim touches only the allocator's own free memory and is thread-safe.
    unsafe {
        libc::malloc_trim(0);
    }
}
