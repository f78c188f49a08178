/*
 * How the kernel distributes packets among several workers, by small programs of ours, so that all
 * packets of one tunnel in one direction go to one worker and keep their order:
 *
 *  - packets to clients: a steering program on the TUN chooses the queue by the /64 of the inner
 *    destination. (The kernel's own choice is by flow, and moves a flow once it has learnt it.)
 *  - protocol 41 from clients: every worker's raw socket gets a copy of each packet; a filter keeps
 *    those whose outer source belongs to this worker.
 *
 * AYIYA needs nothing: of the sockets that share a port, the kernel chooses one by client.
 */
#ifndef POPD_PORT_STEER_H
#define POPD_PORT_STEER_H

#include "lib/cc.h"

/* Attaches the steering program to the TUN that `tun_fd` is a queue of; the device keeps it. Needs
 * CAP_BPF. 0, or -ERR_SYS with errno set. */
int steer_tun(int tun_fd) MUSTCHECK;
/* Detaches whatever steering program the TUN has. */
void steer_tun_off(int tun_fd);

/* Makes a raw protocol-41 socket receive share `share` of `shares`, and discards what it received
 * before. 0, or -ERR_SYS with errno set. */
int steer_raw41(int fd, unsigned share, unsigned shares) MUSTCHECK;

#endif
