# Programs: make [build/popd ...]. Tests without root: make check. The two commands: sudo make run, sudo make test.
# Options: CC=clang BUILD=build-clang, SAN=1 (address and undefined-behaviour sanitizers, in build-san/), WERROR=1, V=1 (commands are
# shown), BPF= (popd without its program for the kernel).
PREFIX ?= /usr/local
BUILD ?= build$(if $(SAN),-san)
CFLAGS ?= -O2 -g

WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wwrite-strings -Wvla -Wundef \
	-Wimplicit-fallthrough -Wformat=2 $(if $(WERROR),-Werror)
SANITIZE_1 = -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
SANITIZE_thread = -fsanitize=thread
HARDEN = -fstack-protector-strong -fPIE -pthread $(or $(SANITIZE_$(SAN)),-D_FORTIFY_SOURCE=2) $(COVERAGE)
COMPILE = $(CC) -std=c11 -D_GNU_SOURCE $(WARNINGS) $(HARDEN) -MMD -MP -I. -isystem /usr/include/postgresql $(CPPFLAGS) $(CFLAGS)
# --as-needed links a program with those of these that it uses.
LIBS = $(if $(BPF),-lbpf) -lev -lpq -lssl -lcrypto -linih -lmnl -ljansson -lmicrohttpd -lm
LINK = $(CC) $(HARDEN) -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(CFLAGS) $(LDFLAGS)
BPF_CC = clang -target bpf -mcpu=v2 -ffreestanding -O2 -g $(WARNINGS) -I. -isystem /usr/include/$(shell $(CC) -print-multiarch)
ifeq ($(origin BPF),undefined)
BPF := $(shell CC='$(CC)' deploy/has_bpf.sh)
endif

# A program is its folder: every .c file below it but main.c makes its archive, whose name is the first word of its tests' names. What
# unit tests share is an archive too.
PROGRAMS = popd popctl ticd ticctl webd
folder_lib = lib
folder_popd = popd
folder_popctl = popd/ctl
folder_ticd = ticd
folder_ticctl = ticd/ctl
folder_webd = web
folder_support = tests/unit
below = $(wildcard $1/*.c $1/*/*.c)
others = $(foreach p,$(filter-out $1,$(PROGRAMS)),$(if $(filter $(folder_$1)/%,$(folder_$p)/),$(call below,$(folder_$p))))
unfit = $(if $(BPF),%_none.c,%/bpf_encap.c) %.bpf.c tests/unit/test_%
sources = $(filter-out %/main.c $(unfit) $(call others,$1),$(call below,$(folder_$1)))
objs = $(patsubst %.c,$(BUILD)/obj/%.o,$1)
archives = $(patsubst %,$(BUILD)/%.a,$(or $(filter $(PROGRAMS),$(firstword $(subst _, ,$1))),lib) lib)
SCHEMA = $(sort $(wildcard schema/migrations/*.sql)) schema/roles.sql $(sort $(wildcard schema/api/*.sql))
UNIT = $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
FUZZ = $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
UNIT_TESTS = $(UNIT:%=$(BUILD)/tests/%)
REPLAYS = $(FUZZ:%=$(BUILD)/tests/replay_%)
FUZZERS = $(FUZZ:%=$(BUILD)/fuzz_%)

.PHONY: all tests unit replay check test test-kernel run bench matrix fuzz fuzzers tsan install format clean
.DELETE_ON_ERROR:
.SECONDARY:
.SECONDEXPANSION:
all: $(PROGRAMS:%=$(BUILD)/%)
tests: $(UNIT_TESTS) $(REPLAYS)
fuzzers: $(FUZZERS)

# $(call run,LINE,COMMAND): one short line a step; V=1 shows the command instead.
run = $(if $(V),,@echo "$1"; )mkdir -p $(@D) && $2

$(BUILD)/obj/%.o: %.c Makefile
	$(call run,CC $<,$(COMPILE) -c $< -o $@)
$(BUILD)/obj/gen/%.o: $(BUILD)/gen/%.c
	$(call run,CC $<,$(COMPILE) -c $< -o $@)
$(BUILD)/gen/schema.c: schema/embed.sh $(SCHEMA)
	$(call run,GEN $@,schema/embed.sh $(SCHEMA) > $@)
$(BUILD)/gen/%.bpf.o: popd/fastpath/%.bpf.c popd/fastpath/%.h Makefile
	$(call run,BPF $<,$(BPF_CC) -c $< -o $@)
$(BUILD)/%.a: $$(call objs,$$(call sources,$$*))
	$(call run,AR $@,$(AR) rcs $@.$$$$ $^ && mv $@.$$$$ $@)
$(PROGRAMS:%=$(BUILD)/%): $(BUILD)/%: $$(call objs,$$(folder_$$*)/main.c) $(BUILD)/%.a $(BUILD)/lib.a
	$(call run,LINK $@,$(LINK) -o $@ $^ $(LIBS))
$(UNIT_TESTS): $(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/support.a $$(call archives,$$(subst test_,,$$*))
	$(call run,LINK $@,$(LINK) -o $@ $^ $(LIBS) -lcmocka)
$(REPLAYS): $(BUILD)/tests/replay_%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $(BUILD)/obj/tests/fuzz/replay.o $$(call archives,$$*)
	$(call run,LINK $@,$(LINK) -o $@ $^ $(LIBS))
$(FUZZERS): $(BUILD)/fuzz_%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $$(call archives,$$*)
	$(call run,LINK $@,$(LINK) -fsanitize=fuzzer -o $@ $^ $(LIBS))

# What the compiler's lists of dependencies cannot contain: generated code, and files that .incbin includes.
$(BUILD)/ticctl.a: $(BUILD)/obj/gen/schema.o
$(BUILD)/obj/web/page/site.o: $(wildcard web/static/*)
$(BUILD)/obj/popd/fastpath/bpf_encap.o: $(BUILD)/gen/encap41.bpf.o
$(BUILD)/obj/popd/fastpath/bpf_encap.o: CPPFLAGS += -DENCAP41_OBJECT='"$(BUILD)/gen/encap41.bpf.o"'

# Every unit test runs even when one fails; cmocka's report is shown for those that do.
unit: $(UNIT_TESTS)
	@bad=0; for t in $(UNIT_TESTS); do \
		if $$t > $$t.log 2>&1; then echo "ok   $${t##*/}"; else cat $$t.log; echo "FAIL $${t##*/}"; bad=1; fi; \
	done; exit $$bad

replay: $(REPLAYS)
	@for name in $(FUZZ); do $(BUILD)/tests/replay_$$name tests/fuzz/corpus/$$name || exit 1; done

check: all unit replay
	tests/check_includes.sh
	BUILD=$(BUILD) tests/sql/run

# These two begin on a machine that has make and nothing else: first the packages, then a make that finds the compilers.
# The settings of "run" (README, "Trying it") reach the script in its environment, where make puts what its command line sets.
script_test = tests/run.sh
script_run = deploy/run.sh
test run:
	deploy/packages.sh $@
	$(MAKE) -j$$(nproc) all
	exec env BUILD=$(BUILD) SAN=$(SAN) $(script_$@)

# Debian's own kernel under qemu: tests/kernel/README. KERNEL_SUITES: which suites.
test-kernel:
	deploy/packages.sh kernel
	BUILD=$(BUILD) tests/kernel/run.sh

script_bench = tests/bench/run.sh
script_matrix = tests/matrix.sh
bench matrix: all
	BUILD=$(BUILD) $(script_$@)

# FUZZ_RUNS (10,000,000 each), FUZZ_SECONDS (at most, each), FUZZ_JOBS (at once): tests/fuzz/run.sh. The fuzzer learns from the code under
# test, not from the targets, whose checks take most of the time; where the C library's functions compare strings, it learns from those.
fuzz:
	$(MAKE) CC=clang BUILD=build-fuzz SAN=1 FUZZING=1 -j$$(nproc) fuzzers
	BUILD=build-fuzz tests/fuzz/run.sh
COVERAGE = $(if $(FUZZING),-fsanitize=fuzzer-no-link)
$(BUILD)/obj/tests/%.o: COVERAGE =
$(BUILD)/obj/ticd/%.o $(BUILD)/obj/web/%.o: COVERAGE += $(if $(FUZZING),-fno-sanitize-coverage=trace-cmp)

# The table that changes under its readers, and records read while they are written, with a thread sanitizer. POPD_CHURN: changes.
tsan:
	$(MAKE) SAN=thread BUILD=build-tsan UNIT="test_popd_table_threads test_popd_drop_record" unit

install: all
	DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' BUILD=$(BUILD) deploy/install.sh

format:
	clang-format -i $$(find lib popd ticd web tests -name '*.[ch]')

clean:
	rm -rf build build-*

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
