#!/bin/sh
# Prints "yes" when this machine can build popd's program for the kernel (popd/fastpath), nothing otherwise: the C compiler (CC)
# finds libbpf and its headers, and a clang compiles for BPF with them. The Makefile asks it.
set -eu
CC=${CC:-cc}
arch=$($CC -print-multiarch 2>/dev/null) || exit 0
$CC -x c -o /dev/null - -lbpf 2>/dev/null <<'END' || exit 0
#include <bpf/libbpf.h>
int main(void) { return libbpf_major_version() == 0; }
END
clang -target bpf -O2 -isystem "/usr/include/$arch" -x c -c -o /dev/null - 2>/dev/null <<'END' || exit 0
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
SEC("tc") int pass(struct __sk_buff *skb) { return skb->len > 0; }
END
echo yes
