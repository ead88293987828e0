"""What `perf/compare` is made of: workloads, the peer, Weft, and how often each is measured."""
