import Glibc

/// How long the random histories of tests are, by which a network grows and changes step by step, and is compared after each.
///
/// What is compared grows with the network, so that the time a history takes grows faster than its length: by itself a test takes a few seconds, and
/// with `WEFT_HISTORY_STEPS=150`, which also finds what only larger networks show, some minutes.
public enum HistoryLength {
    /// Steps: what the environment says, otherwise `usual`.
    public static func steps(_ usual: Int) -> Int { getenv("WEFT_HISTORY_STEPS").flatMap { Int(String(cString: $0)) } ?? usual }
}
