# Programs: make [build/popd ...]. Tests without root: make check. The two commands: sudo make run, sudo make test.
# Options: CC=clang BUILD=build-clang, SAN=1 (address and undefined sanitizers, in build-san/), WERROR=1, V=1.
PREFIX ?= /usr/local
BUILD ?= $(if $(SAN),build-san,build)
CFLAGS ?= -O2 -g
PG_INCLUDE ?= /usr/include/postgresql

WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wwrite-strings -Wvla -Wundef \
	-Wimplicit-fallthrough -Wformat=2 $(if $(WERROR),-Werror)
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
HARDEN = -fstack-protector-strong -fPIE $(if $(SAN)$(FUZZING),$(SANITIZE),-D_FORTIFY_SOURCE=2) $(if $(FUZZING),$(COVERAGE))
# What the fuzzer is led by: the code under test, but not the targets themselves, whose checks take most of the time.
COVERAGE = -fsanitize=fuzzer-no-link
COMPILE = $(CC) -std=c11 -D_GNU_SOURCE $(WARNINGS) $(HARDEN) -pthread -MMD -MP -I. -isystem $(PG_INCLUDE) $(CPPFLAGS) $(CFLAGS)
# A program is linked with those of these that it uses.
LIBS = $(if $(BPF),-lbpf) -lev -lpq -lssl -lcrypto -linih -lmnl -ljansson -lmicrohttpd -lm
LINK = $(CC) $(HARDEN) -pthread -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(CFLAGS) $(LDFLAGS)

# The program in the kernel (popd/bpf) takes libbpf and a clang that knows BPF. BPF= builds popd without it.
BPF_CC = clang -target bpf -ffreestanding -O2 -g $(WARNINGS) -I. -isystem /usr/include/$(shell $(CC) -print-multiarch)
ifeq ($(origin BPF),undefined)
BPF := $(shell echo '\#include <bpf/libbpf.h>' | $(CC) -E - >/dev/null 2>&1 && \
	echo 'int i;' | clang -target bpf -x c -c -o /dev/null - 2>/dev/null && echo yes)
endif

# The parts and their sources, mains excepted.
PARTS = lib popd popctl ticd ticctl web
src_lib = $(wildcard lib/*.c lib/*/*.c)
src_popd = $(filter-out $(if $(BPF),%_none.c,popd/io/bpf_encap.c),$(wildcard popd/wire/*.c popd/core/*.c popd/io/*.c))
src_popctl = $(wildcard popd/popctl_*.c popd/wire/*.c)
src_ticd = $(wildcard ticd/proto/*.c ticd/core/*.c ticd/io/*.c)
src_ticctl = $(wildcard ticd/ctl/*.c)
src_web = $(wildcard web/*/*.c)
SCHEMA = $(sort $(wildcard schema/migrations/*.sql)) $(wildcard schema/roles.sql) $(sort $(wildcard schema/api/*.sql))

# Program: part and main file.
PROGRAMS = popd popctl ticd ticctl webd
part_webd = web
main_popd = popd/main.c
main_popctl = popd/popctl.c
main_ticd = ticd/main.c
main_ticctl = ticd/ticctl.c
main_webd = web/main.c

UNIT_TESTS = $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
FUZZ_TARGETS = $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
REPLAYS = $(FUZZ_TARGETS:%=$(BUILD)/tests/replay_%)

.PHONY: all check unit replay test run bench fuzz fuzz-build matrix tsan install format clean
.DELETE_ON_ERROR:
.SECONDARY:
.SECONDEXPANSION:

# Only programs whose main file exists, so that a part can be built from a partial source tree.
all: $(foreach p,$(PROGRAMS),$(if $(wildcard $(main_$p)),$(BUILD)/$p))

# One short line a step; V=1 shows the commands instead.
run = $(if $(V),,@echo '$1' && )$2
objs = $(patsubst %.c,$(BUILD)/obj/%.o,$1)
# A part's own archive, then the library. The part of a test is the first word of its name: test_<part>_..., fuzz_<part>_...
archives = $(addprefix $(BUILD)/,$(addsuffix .a,$(filter-out lib,$1) lib))
part_of = $(or $(filter $(PARTS),$(firstword $(subst _, ,$1))),lib)

$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call run,CC $<,$(COMPILE) -c $< -o $@)

$(BUILD)/obj/tests/%.o: COVERAGE =
# Where words are compared by functions of the C library, to which the fuzzer listens too.
$(BUILD)/obj/ticd/%.o $(BUILD)/obj/web/%.o: COVERAGE += -fno-sanitize-coverage=trace-cmp

$(BUILD)/obj/gen/%.o: $(BUILD)/gen/%.c
	@mkdir -p $(@D)
	$(call run,CC $<,$(COMPILE) -c $< -o $@)

$(BUILD)/gen/schema.c: schema/embed.sh $(SCHEMA)
	@mkdir -p $(@D)
	$(call run,GEN $@,schema/embed.sh $(SCHEMA) > $@)

$(PARTS:%=$(BUILD)/%.a): $(BUILD)/%.a: $$(call objs,$$(src_$$*))
	@mkdir -p $(@D)
	$(call run,AR $@,$(AR) rcs $@.$$$$ $^ && mv $@.$$$$ $@)

$(BUILD)/ticctl.a: $(BUILD)/obj/gen/schema.o

# It takes these files in with .incbin, which the compiler's dependencies do not tell.
$(BUILD)/obj/web/page/asset.o: $(wildcard web/static/*)

$(BUILD)/gen/%.bpf.o: popd/bpf/%.bpf.c popd/bpf/%.h Makefile
	@mkdir -p $(@D)
	$(call run,BPF $<,$(BPF_CC) -c $< -o $@)

$(BUILD)/obj/popd/io/bpf_encap.o: $(BUILD)/gen/encap41.bpf.o
$(BUILD)/obj/popd/io/bpf_encap.o: CPPFLAGS += -DENCAP41_OBJECT='"$(BUILD)/gen/encap41.bpf.o"'

$(PROGRAMS:%=$(BUILD)/%): $(BUILD)/%: $$(call objs,$$(main_$$*)) $$(call archives,$$(or $$(part_$$*),$$*))
	$(call run,LINK $@,$(LINK) -o $@ $^ $(LIBS))

$(UNIT_TESTS): $(BUILD)/tests/test_%: $(BUILD)/obj/tests/unit/test_%.o $$(call archives,$$(call part_of,$$*))
	@mkdir -p $(@D)
	$(call run,LINK $@,$(LINK) -o $@ $^ $(LIBS) -lcmocka)

$(REPLAYS): $(BUILD)/tests/replay_%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $(BUILD)/obj/tests/fuzz/replay.o $$(call archives,$$(call part_of,$$*))
	@mkdir -p $(@D)
	$(call run,LINK $@,$(LINK) -o $@ $^ $(LIBS))

$(FUZZ_TARGETS:%=$(BUILD)/fuzz_%): $(BUILD)/fuzz_%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $$(call archives,$$(call part_of,$$*))
	$(call run,LINK $@,$(LINK) -fsanitize=fuzzer -o $@ $^ $(LIBS))

# Every unit test runs even when one fails; cmocka's report is shown for those that do.
unit: $(UNIT_TESTS)
	@bad=0; for t in $(UNIT_TESTS); do \
		if $$t > $$t.log 2>&1; then echo "ok   $${t##*/}"; else cat $$t.log; echo "FAIL $${t##*/}"; bad=1; fi; \
	done; exit $$bad

replay: $(REPLAYS)
	@for name in $(FUZZ_TARGETS); do $(BUILD)/tests/replay_$$name tests/fuzz/corpus/$$name || exit 1; done

check: all unit replay
	tests/check_includes.sh
	@if [ -x tests/sql/run ]; then BUILD=$(BUILD) tests/sql/run; fi

# These two begin on a machine that has make and nothing else: the packages come first, then a make that sees the tools.
test:
	deploy/packages.sh test
	$(MAKE) -j$$(nproc) all
	BUILD=$(BUILD) SAN=$(SAN) tests/run.sh

# Its settings (VAR DB POP POP_IPV4 POP_IPV6 TUNNEL_PREFIX SUBNET_PREFIX STATIC_IPV4 HTTP TIC) reach the script in its
# environment, where make puts what its command line sets; the script has the defaults.
run:
	deploy/packages.sh run
	$(MAKE) -j$$(nproc) all
	exec env BUILD=$(BUILD) deploy/run.sh

# The tests with each offload off, each signature engine, GRO on and off, one worker and two, sanitizers: tests/matrix.sh.
matrix: all
	BUILD=$(BUILD) tests/matrix.sh

bench: all
	BUILD=$(BUILD) tests/bench/run.sh

# FUZZ_RUNS (10,000,000 each), FUZZ_SECONDS (at most, each), FUZZ_JOBS (at once): tests/fuzz/run.sh.
fuzz:
	$(MAKE) CC=clang BUILD=build-fuzz FUZZING=1 -j$$(nproc) fuzz-build
	BUILD=build-fuzz tests/fuzz/run.sh

fuzz-build: $(FUZZ_TARGETS:%=$(BUILD)/fuzz_%)

format:
	clang-format -i $$(find lib popd ticd web tests -name '*.[ch]')

install: all
	DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' BUILD=$(BUILD) deploy/install.sh

# Pipelines over one table that changes under them, and records read while they are written, with a thread sanitizer.
# POPD_CHURN=N: that many changes.
TSAN_TESTS = test_popd_table_threads test_popd_drop_record
tsan:
	$(MAKE) BUILD=build-tsan CFLAGS="-O1 -g -fsanitize=thread" $(TSAN_TESTS:%=build-tsan/tests/%)
	for test in $(TSAN_TESTS); do build-tsan/tests/$$test || exit 1; done

clean:
	rm -rf build build-*

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
