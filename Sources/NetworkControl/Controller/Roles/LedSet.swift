/// A set of datapaths that this controller leads: with its lease, and what computes it.
struct LedSet {
    let number: Int
    var mastership: Mastership
    let logical: LogicalController
}
