/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guard.h - URLs that come from users or models: what may be fetched for them, and what not.
 *
 * A server that fetches what somebody else names reaches places that this somebody can't: its own
 * loopback, the network that it is in, the metadata of its cloud. Whoever fetches such URLs by a
 * request of Greenroom's asks for a guarded one (gr_fetch). These two are for a host that
 * fetches by itself: gr_guard_url before, and gr_guard_address on the address that is about to be
 * connected to (libcurl: CURLOPT_OPENSOCKETFUNCTION), for a name may mean another address at each
 * look-up. A guarded fetch follows no redirects, unless each is checked as the first was, and uses
 * no proxy, which would look the name up itself.
 */
#ifndef GREENROOM_GUARD_H
#define GREENROOM_GUARD_H

#include <greenroom/value.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * gr_guard_url looks at a URL. It must be http or https, without user or password, the host in plain
 * letters: an address in its usual form (no octal, hexadecimal, short or escaped ones), and public,
 * or a name other than localhost. Names are not looked up here.
 *
 * Returns: GR_OK; GR_EINVAL, with *reterr, of kind "NotPublic", saying why. reterr may be NULL. It
 *          names the host, never the rest.
 * Threads: [any]; never waits.
 */
GR_NODISCARD GR_API gr_code gr_guard_url(const char *url, gr_value **reterr);

/*
 * gr_guard_address tells whether an address, a struct sockaddr of `size` bytes, is public. Loopback,
 * private, shared, link-local, unique local, multicast, reserved and documentation addresses are
 * not, nor are IPv6 addresses that carry an IPv4 one (mapped, 6to4, Teredo, ISATAP; NAT64's
 * 64:ff9b::/96 goes by the address in it), nor families other than IPv4 and IPv6. [any]
 */
GR_API bool gr_guard_address(const void *sockaddr, size_t size);

#ifdef __cplusplus
}
#endif
#endif
