#include <stdint.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <netlink/msg.h>
#include <netlink/attr.h>
#include <netlink/cache.h>
#include <netlink/route/rtnl.h>
#include <netlink/route/route.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/link.h>
#include <linux/rtnetlink.h>
#include <linux/neighbour.h>
#include <linux/if.h>

// Constants whose macros Swift does not import.
static const int weft_nl_callback_valid = NL_CB_VALID;
static const int weft_nl_callback_custom = NL_CB_CUSTOM;
