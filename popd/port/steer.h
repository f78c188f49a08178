/*
 * Who gets which packet when there are several workers, decided by the kernel with a few
 * instructions of ours, so that everything of one tunnel that goes one way is one worker's and
 * keeps its order:
 *
 *  - packets to clients: a steering program on the TUN picks the queue by the /64 of the inner destination. (Left to
 *    itself the kernel learns it by flow, and moves a flow in its midst once it has learnt.)
 *  - protocol 41 from clients: each worker has a raw socket, of which the kernel gives every one a copy; a filter keeps
 *    those whose outer source is this worker's.
 *
 * AYIYA needs nothing: the kernel spreads one client's packets to one of the sockets that share a
 * port.
 */
#ifndef POPD_PORT_STEER_H
#define POPD_PORT_STEER_H

#include "lib/cc.h"

/* Puts the steering program on the TUN that `tun_fd` is a queue of; the device keeps it. Needs
 * CAP_BPF. 0; -ERR_SYS: errno says why. */
int steer_tun(int tun_fd) MUSTCHECK;
/* Takes it off again; what it was does not matter. */
void steer_tun_off(int tun_fd);

/* Of all raw protocol-41 packets this socket gets share `which` of `of`; what it had before is
 * thrown away. 0; -ERR_SYS: errno says why. */
int steer_raw41(int fd, unsigned which, unsigned of) MUSTCHECK;

#endif
