"""Real switches, devices and peers in network namespaces: what the cases of `Tests/Live` are built of."""
