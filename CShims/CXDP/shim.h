// AF_XDP sockets by libxdp (xsk.h).
#pragma once
// libpcap has another structure of this name, and a program may import both.
#define bpf_insn linux_bpf_insn
#include <bpf/libbpf.h>
#include <xdp/libxdp.h>
#include <xdp/xsk.h>
#undef bpf_insn
#include <linux/if_link.h>
#include <linux/if_xdp.h>

/// Keeps the libraries from printing: what fails is told by what they return.
static inline void weft_xdp_set_quiet(void) {
    libbpf_set_print(0);
    libxdp_set_print(0);
}
