import CLinux

/// How the daemon's memory stays as small as what it uses.
public enum ReturnedMemory {
    /// Has the allocator give back what is freed. Call before there are threads.
    ///
    /// What workers allocate for captures is freed by the control thread, and its pieces are large: by itself glibc raises its threshold for mapped pieces up
    /// to 32 MiB, and keeps heaps of each thread. Ten minutes of captures under load then came to 260 MiB. Packets need no allocator, so it costs them nothing.
    public static func begin() { weft_return_freed_memory(64 << 10) }
}
