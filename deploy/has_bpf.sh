#!/bin/sh
# Prints "yes" when this machine can build the program in the kernel (popd/fastpath): the C compiler (CC) finds the headers of
# libbpf, and a clang compiles a program for BPF with them. Prints nothing otherwise. The Makefile asks it.
set -eu
headers='#include <bpf/libbpf.h>
int main(void) { return 0; }'
program='#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
SEC("tc") int pass(struct __sk_buff *skb) { return skb->len > 0; }'
arch=$(${CC:-cc} -print-multiarch 2>/dev/null) || exit 0
printf '%s\n' "$headers" | ${CC:-cc} -x c -fsyntax-only - 2>/dev/null || exit 0
printf '%s\n' "$program" | clang -target bpf -O2 -isystem "/usr/include/$arch" -x c -c -o /dev/null - 2>/dev/null || exit 0
echo yes
