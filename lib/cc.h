/* Attributes of the compiler under short names, and nothing else. */
#ifndef LIB_CC_H
#define LIB_CC_H

#define MUSTCHECK __attribute__((warn_unused_result))
#define NONNULL __attribute__((nonnull))
#define NONNULL_ARGS(...) __attribute__((nonnull(__VA_ARGS__)))
#define FORMAT(fmt_arg, first_arg) __attribute__((format(printf, fmt_arg, first_arg)))
#define NORETURN __attribute__((noreturn))
#define CACHE_ALIGNED __attribute__((aligned(64)))
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)(void *)(((char *)(ptr)) - offsetof(type, member)))

#endif
