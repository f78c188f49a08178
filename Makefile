# Programs: make [build/popd ...]. Tests without root: make check. The two commands: sudo make run, sudo make test.
# Options: CC=clang BUILD=build-clang, SAN=1 (address and undefined sanitizers, in build-san/), WERROR=1, V=1, BPF= (no bpf_encap).
PREFIX ?= /usr/local
BUILD ?= $(if $(SAN),build-san,build)
CFLAGS ?= -O2 -g
PG_INCLUDE ?= /usr/include/postgresql

WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wwrite-strings -Wvla -Wundef \
	-Wimplicit-fallthrough -Wformat=2 $(if $(WERROR),-Werror)
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
HARDEN = -fstack-protector-strong -fPIE $(if $(SAN)$(FUZZING),$(SANITIZE),-D_FORTIFY_SOURCE=2) $(if $(FUZZING),$(COVERAGE))
# The fuzzer learns from the code under test, not from the targets, whose checks take most of the time.
COVERAGE = -fsanitize=fuzzer-no-link
COMPILE = $(CC) -std=c11 -D_GNU_SOURCE $(WARNINGS) $(HARDEN) -pthread -MMD -MP -I. -isystem $(PG_INCLUDE) $(CPPFLAGS) $(CFLAGS)
# --as-needed links a program with those of these that it uses.
LIBS = $(if $(BPF),-lbpf) -lev -lpq -lssl -lcrypto -linih -lmnl -ljansson -lmicrohttpd -lm
LINK = $(CC) $(HARDEN) -pthread -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(CFLAGS) $(LDFLAGS)

BPF_CC = clang -target bpf -ffreestanding -O2 -g $(WARNINGS) -I. -isystem /usr/include/$(shell $(CC) -print-multiarch)
ifeq ($(origin BPF),undefined)
BPF := $(shell CC='$(CC)' deploy/has_bpf.sh)
endif

# A program is its folder: every .c file below it but main.c makes its archive, whose name is the first word of its tests' names.
PROGRAMS = popd popctl ticd ticctl webd
folder_lib = lib
folder_popd = popd
folder_popctl = popd/ctl
folder_ticd = ticd
folder_ticctl = ticd/ctl
folder_webd = web
below = $(wildcard $1/*.c $1/*/*.c)
others = $(foreach p,$(filter-out $1,$(PROGRAMS)),$(if $(filter $(folder_$1)/%,$(folder_$p)/),$(call below,$(folder_$p))))
unfit = $(if $(BPF),%_none.c,%/bpf_encap.c) %.bpf.c
sources = $(filter-out %/main.c $(unfit) $(call others,$1),$(call below,$(folder_$1)))
objs = $(patsubst %.c,$(BUILD)/obj/%.o,$1)
archives = $(patsubst %,$(BUILD)/%.a,$(or $(filter $(PROGRAMS),$(firstword $(subst _, ,$1))),lib) lib)
SCHEMA = $(sort $(wildcard schema/migrations/*.sql)) schema/roles.sql $(sort $(wildcard schema/api/*.sql))

# What unit tests share: every .c file beside them that is not a test.
support = $(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c))
UNIT_TESTS = $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
FUZZ_TARGETS = $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
REPLAYS = $(FUZZ_TARGETS:%=$(BUILD)/tests/replay_%)
TESTS = $(UNIT_TESTS) $(REPLAYS)

.PHONY: all tests check unit replay test run bench fuzz fuzz-build matrix tsan install format clean
.DELETE_ON_ERROR:
.SECONDARY:
.SECONDEXPANSION:

all: $(PROGRAMS:%=$(BUILD)/%)
tests: $(TESTS)

# One short line a step; V=1 shows the commands instead.
run = @mkdir -p $(@D)$(if $(V),,; echo "$1")$(newline)$(if $(V),,@)$2
define newline


endef

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

$(BUILD)/support.a: $(call objs,$(support))
	$(call run,AR $@,$(AR) rcs $@.$$$$ $^ && mv $@.$$$$ $@)

$(UNIT_TESTS): $(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/support.a $$(call archives,$$(subst test_,,$$*))
	$(call run,LINK $@,$(LINK) -o $@ $^ $(LIBS) -lcmocka)

$(REPLAYS): $(BUILD)/tests/replay_%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $(BUILD)/obj/tests/fuzz/replay.o $$(call archives,$$*)
	$(call run,LINK $@,$(LINK) -o $@ $^ $(LIBS))

$(FUZZ_TARGETS:%=$(BUILD)/fuzz_%): $(BUILD)/fuzz_%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $$(call archives,$$*)
	$(call run,LINK $@,$(LINK) -fsanitize=fuzzer -o $@ $^ $(LIBS))

# What the compiler's dependencies do not tell: generated code, and files that .incbin takes in.
$(BUILD)/ticctl.a: $(BUILD)/obj/gen/schema.o
$(BUILD)/obj/web/page/site.o: $(wildcard web/static/*)
$(BUILD)/obj/popd/fastpath/bpf_encap.o: $(BUILD)/gen/encap41.bpf.o
$(BUILD)/obj/popd/fastpath/bpf_encap.o: CPPFLAGS += -DENCAP41_OBJECT='"$(BUILD)/gen/encap41.bpf.o"'
$(BUILD)/obj/tests/%.o: COVERAGE =
# Words are compared by functions of the C library here, to which the fuzzer listens too.
$(BUILD)/obj/ticd/%.o $(BUILD)/obj/web/%.o: COVERAGE += -fno-sanitize-coverage=trace-cmp

# Every unit test runs even when one fails; cmocka's report is shown for those that do.
unit: $(UNIT_TESTS)
	@bad=0; for t in $(UNIT_TESTS); do \
		if $$t > $$t.log 2>&1; then echo "ok   $${t##*/}"; else cat $$t.log; echo "FAIL $${t##*/}"; bad=1; fi; \
	done; exit $$bad

replay: $(REPLAYS)
	@for name in $(FUZZ_TARGETS); do $(BUILD)/tests/replay_$$name tests/fuzz/corpus/$$name || exit 1; done

check: all unit replay
	tests/check_includes.sh
	BUILD=$(BUILD) tests/sql/run

# These two begin on a machine that has make and nothing else: the packages come first, then a make that sees the tools.
test:
	deploy/packages.sh test
	$(MAKE) -j$$(nproc) all
	BUILD=$(BUILD) SAN=$(SAN) tests/run.sh

# The settings (README, "Trying it") reach the script in its environment, where make puts what its command line sets.
run:
	deploy/packages.sh run
	$(MAKE) -j$$(nproc) all
	exec env BUILD=$(BUILD) deploy/run.sh

matrix bench: all
	BUILD=$(BUILD) tests/$(if $(filter bench,$@),bench/run,matrix).sh

# FUZZ_RUNS (10,000,000 each), FUZZ_SECONDS (at most, each), FUZZ_JOBS (at once): tests/fuzz/run.sh.
fuzz:
	$(MAKE) CC=clang BUILD=build-fuzz FUZZING=1 -j$$(nproc) fuzz-build
	BUILD=build-fuzz tests/fuzz/run.sh

fuzz-build: $(FUZZ_TARGETS:%=$(BUILD)/fuzz_%)

# Pipelines over one table that changes under them, and records read while they are written, with a thread sanitizer.
# POPD_CHURN=N: that many changes.
TSAN_TESTS = test_popd_table_threads test_popd_drop_record
tsan:
	$(MAKE) BUILD=build-tsan CFLAGS="-O1 -g -fsanitize=thread" $(TSAN_TESTS:%=build-tsan/tests/%)
	for test in $(TSAN_TESTS); do build-tsan/tests/$$test || exit 1; done

install: all
	DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' BUILD=$(BUILD) deploy/install.sh

format:
	clang-format -i $$(find lib popd ticd web tests -name '*.[ch]')

clean:
	rm -rf build build-*

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
