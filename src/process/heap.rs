//! Gives back the memory that the allocator keeps after much of it was freed.

/// Gives free pages of the heap back to the system; takes milliseconds where there are many.
pub fn give_back() {
    #[expect(unsafe_code, reason = "the allocator keeps freed pages otherwise")]
    // SAFETY: malloc_trim touches only the allocator's own free memory and is thread-safe.
    unsafe {
        libc::malloc_trim(0);
    }
}
