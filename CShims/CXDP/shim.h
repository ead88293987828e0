// AF_XDP sockets by libxdp (xsk.h).
#pragma once
// libpcap has another structure of this name, and a program may import both.
#define bpf_insn linux_bpf_insn
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <xdp/libxdp.h>
#include <xdp/xsk.h>
#undef bpf_insn
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>

/// Keeps the libraries from printing: what fails is told by what they return.
static inline void weft_xdp_set_quiet(void) {
    libbpf_set_print(0);
    libxdp_set_print(0);
}

/// A map from queue numbers to AF_XDP sockets; a descriptor, or a negative errno value.
static inline int weft_xdp_map(unsigned queues) {
    return bpf_map_create(BPF_MAP_TYPE_XSKMAP, "weft_queues", 4, 4, queues, 0);
}

/// A program that hands each frame to its queue's socket in `map`, and to the host where there is none; a descriptor, or a negative errno value.
static inline int weft_xdp_program(int map) {
    const struct linux_bpf_insn program[] = {
        {.code = BPF_LDX | BPF_W | BPF_MEM, .dst_reg = 2, .src_reg = 1, .off = __builtin_offsetof(struct xdp_md, rx_queue_index)},
        {.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = map},
        {0},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .imm = XDP_PASS},
        {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map},
        {.code = BPF_JMP | BPF_EXIT},
    };
    return bpf_prog_load(BPF_PROG_TYPE_XDP, "weft_queues", "GPL", program, sizeof program / sizeof *program, 0);
}

/// Attaches a program to a device until the descriptor is closed; a descriptor, or a negative errno value. `mode` is XDP_FLAGS_DRV_MODE or XDP_FLAGS_SKB_MODE.
static inline int weft_xdp_attach(int program, int device, unsigned mode) {
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = mode);
    return bpf_link_create(program, device, BPF_XDP, &options);
}
