// Routing netlink (rtnetlink(7)): the socket; messages are put together and read elsewhere. And the constants and structures of links and filters.
#pragma once
#include <stdint.h>
#include <stddef.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/pkt_cls.h>
#include <linux/filter.h>
/// A nonblocking socket that hears the multicast groups in the bit set (`RTMGRP_LINK`); a descriptor, or the negative errno.
int weft_rtnetlink_open(uint32_t groups);
/// Sends a message to the kernel; 0 or the negative errno.
int weft_rtnetlink_send(int fd, const void *_Nonnull message, size_t size);
/// Receives a datagram, waiting for up to `timeout` milliseconds; its size, or the negative errno (-EAGAIN when there is none).
long weft_rtnetlink_receive(int fd, void *_Nonnull buffer, size_t size, int timeout);
