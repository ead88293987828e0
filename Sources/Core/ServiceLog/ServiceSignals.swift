import Glibc

/// The signals by which a program is asked to end or to read its files anew.
///
/// A dispatch source hears only what is sent after it began to listen, which it does some time after `resume`; before that a signal ends the program, or is
/// lost when it is ignored. Signals that are blocked wait for their source instead.
public enum ServiceSignals {
    /// Has these signals wait until dispatch sources take them. Threads made later inherit that, so call it before there are any; those that are
    /// there already ignore the signals.
    public static func hold(_ numbers: [Int32]) {
        var set = sigset_t()
        sigemptyset(&set)
        for number in numbers {
            signal(number, SIG_IGN)
            sigaddset(&set, number)
        }
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }
}
