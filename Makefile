# SPDX-License-Identifier: GPL-2.0-or-later
# Everything a user or maintainer runs; `make help` lists it.

VERSION := 0.1.0
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
# Found from the program's own folder: keep it at BINDIR/../share.
DATADIR ?= $(PREFIX)/share
DESTDIR ?=

BUILD ?= build
CC ?= cc
PKG_CONFIG ?= pkg-config
PKGS := libnl-3.0 libmnl libnftnl libcares libseccomp libcjson libnghttp2

FOLDERS := common profiles netns dnsfilter relay fsrules launcher
SRCS := $(foreach d,$(FOLDERS),$(sort $(wildcard $(d)/*.c)))
OBJS := $(SRCS:%.c=$(BUILD)/%.o) $(BUILD)/builtin.o
SHIPPED := $(sort $(wildcard profiles/*.json profiles/policy/*.json))
LIB := $(BUILD)/egress-run.a
UNIT_SRCS := $(sort $(wildcard tests/unit/test_*.c))
UNIT_BINS := $(UNIT_SRCS:tests/unit/%.c=$(BUILD)/unit/%)
BENCH_SRCS := $(sort $(wildcard tests/bench/bench_*.c))
BENCH_BINS := $(BENCH_SRCS:tests/bench/%.c=$(BUILD)/bench/%)
# What loads and times the candidates.
BENCH_TOOLS := $(patsubst %,$(BUILD)/bench/%,netfar dnsfar netload timed)
FUZZ_SRCS := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BINS := $(FUZZ_SRCS:tests/fuzz/%.c=$(BUILD)/fuzz/%)

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wcast-qual -Wwrite-strings -Wformat=2 -Wundef \
	-Wvla -Wimplicit-fallthrough -Wold-style-definition
# Distributions that set these themselves pass them in CFLAGS.
HARDENING := -fstack-protector-strong -fstack-clash-protection -fPIE \
	-fno-common
HARDENING_LD := -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code

# gcc 12 has it, clang 14 not yet.
HARDENING += $(shell echo 'int x;' | $(CC) -ftrivial-auto-var-init=zero \
	-fsyntax-only -x c - 2>/dev/null && echo -ftrivial-auto-var-init=zero)

CFLAGS ?= -O2 -g
ifeq ($(SANITIZE),)
ifeq ($(findstring _FORTIFY_SOURCE,$(CFLAGS)),)
HARDENING += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif
else
SAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer
endif
# clang only: every function counts for the coverage of tests/fuzz.
ifneq ($(FUZZ),)
SAN += -fsanitize=fuzzer-no-link
endif

# Lazy: only build targets need the libraries (not help, clean, install-deps).
PKG_CFLAGS = $(shell $(PKG_CONFIG) --cflags $(PKGS) | sed 's/-I/-isystem /g')
PKG_LIBS = $(shell $(PKG_CONFIG) --libs $(PKGS))
ALL_CPPFLAGS = -I. -D_GNU_SOURCE -DVERSION='"$(VERSION)"' $(PKG_CFLAGS) $(CPPFLAGS)
ALL_CFLAGS = -std=gnu11 $(CFLAGS) $(WARNINGS) $(HARDENING) $(SAN) $(EXTRA_CFLAGS)
ALL_LDFLAGS = $(HARDENING_LD) $(SAN) $(LDFLAGS)
LIBS = $(PKG_LIBS) -ldl

ifneq ($(V),1)
Q := @
say = @printf '  %-7s %s\n' $(1) $(2)
endif

.PHONY: all
all: $(BUILD)/egress-run $(BUILD)/share/egress-run/profiles

# The shipped profiles, where a program in the build folder looks for them.
$(BUILD)/share/egress-run/profiles:
	$(Q)mkdir -p $(@D)
	$(Q)ln -sfn $(abspath profiles) $@

$(BUILD)/egress-run: $(OBJS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# The shipped files inside the program, for a copy of it that stands alone.
$(BUILD)/builtin.c: $(SHIPPED) Makefile
	$(Q)mkdir -p $(@D)
	$(Q){ echo '#include "profiles/builtin.h"'; \
	for f in $(SHIPPED); do \
		n=builtin_$$(basename $$f .json | tr - _); \
		echo "BUILTIN($$n, \"$$f\");"; \
	done; \
	echo 'const struct builtin_file builtin_files[] = {'; \
	for f in $(SHIPPED); do \
		n=builtin_$$(basename $$f .json | tr - _); f=$${f#profiles/}; \
		echo "{ \"$${f%.json}\", $$n, $${n}_end },"; \
	done; \
	echo '{ 0, 0, 0 } };'; } >$@
$(BUILD)/builtin.o: $(BUILD)/builtin.c
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

# For the tests: everything but main().
$(LIB): $(filter-out $(BUILD)/launcher/main.o,$(OBJS))
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

# A changed flag or version rebuilds everything.
$(BUILD)/%.o: %.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/unit/%: tests/unit/%.c $(LIB) Makefile
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -MF $@.d $(ALL_LDFLAGS) \
		-o $@ $< $(LIB) $(LIBS) -lcmocka

$(BUILD)/bench/%: tests/bench/%.c $(LIB) Makefile
	$(call say,BENCH,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -MF $@.d $(ALL_LDFLAGS) \
		-o $@ $< $(LIB) $(LIBS)

$(BENCH_TOOLS): $(BUILD)/bench/%: tests/bench/%.c Makefile
	$(call say,BENCH,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $<

$(BUILD)/fuzz/%: tests/fuzz/%.c $(LIB) Makefile
	$(call say,FUZZ,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -MF $@.d $(ALL_LDFLAGS) \
		-fsanitize=fuzzer -o $@ $< $(LIB) $(LIBS)

-include $(OBJS:.o=.d) $(UNIT_BINS:=.d) $(BENCH_BINS:=.d) $(FUZZ_BINS:=.d)

.PHONY: unit-bins fuzz-bins
unit-bins: $(UNIT_BINS)
fuzz-bins: $(FUZZ_BINS)

# Tests.  Each of these installs what is missing first (as root or by sudo).

.PHONY: deps deps-test
deps:
	$(Q)tests/install-packages build
deps-test:
	$(Q)tests/install-packages test

# In a sub-make, so that a machine without the libraries gets them first.
.PHONY: check check-unit check-integration check-asan check-fuzz
MAKE_FUZZ = $(MAKE) --no-print-directory BUILD=build-fuzz CC=clang SANITIZE=1 \
	FUZZ=1 fuzz-bins
check: deps-test
	$(Q)$(MAKE) --no-print-directory all unit-bins
	$(Q)$(MAKE_FUZZ)
	$(Q)BUILD=$(BUILD) tests/run unit fuzz integration
check-fuzz: deps-test
	$(Q)$(MAKE_FUZZ)
	$(Q)BUILD=$(BUILD) tests/run fuzz $(SECONDS_EACH)
check-unit: deps-test
	$(Q)$(MAKE) --no-print-directory unit-bins
	$(Q)BUILD=$(BUILD) tests/run unit
check-integration: deps-test
	$(Q)$(MAKE) --no-print-directory all
	$(Q)BUILD=$(BUILD) tests/run integration $(TESTS)
check-asan: deps-test
	$(Q)$(MAKE) --no-print-directory BUILD=build-asan SANITIZE=1 all unit-bins
	$(Q)BUILD=build-asan tests/run unit integration

.PHONY: demo
demo:
	$(Q)tests/install-packages test
	$(Q)$(MAKE) --no-print-directory all
	$(Q)EGRESS_RUN=$(abspath $(BUILD))/egress-run tests/lab/lab tests/lab/demo

.PHONY: bench bench-run bench-check bench-baseline
# SRT is the npm peer; without it the table says so.
SRT := @anthropic-ai/sandbox-runtime@0.0.78
$(BUILD)/bench/npm:
	$(Q)npm install --prefix $@ --ignore-scripts --no-audit --no-fund \
		--silent $(SRT) || rm -rf $@
bench-run:
	$(Q)tests/install-packages bench
	$(Q)$(MAKE) --no-print-directory all $(BENCH_BINS) $(BENCH_TOOLS) \
		$(BUILD)/bench/npm
	$(Q)BUILD=$(abspath $(BUILD)) tests/lab/lab /usr/bin/python3 \
		tests/bench/bench.py $(if $(QUICK),--quick) \
		$(if $(ONLY),--only $(ONLY)) $(BENCH_ARGS)
# The whole of it is what the document has.
bench: BENCH_ARGS = $(if $(QUICK)$(ONLY),,--docs docs/performance.md)
bench: bench-run
BASELINE := tests/bench/baseline.json
bench-check: BENCH_ARGS = --check $(BASELINE)
bench-check: bench-run
bench-baseline: BENCH_ARGS = --baseline $(BASELINE)
bench-baseline: bench-run

.PHONY: deps-lint lint format format-check
deps-lint:
	$(Q)tests/install-packages lint
ALL_C := $(SRCS) $(wildcard tests/unit/*.c tests/bench/*.c) $(FUZZ_SRCS)
ALL_H := $(foreach d,$(FOLDERS),$(wildcard $(d)/*.h)) $(wildcard tests/unit/*.h)
SHELL_FILES := .ci/run tests/install-packages tests/fetch-agents tests/lab/lab \
	tests/lab/demo tests/lab/in-internet
# gcc 12 takes memory handed to libnftnl, and arrays grown in place, for leaks.
lint: deps-lint format-check
	$(Q)$(MAKE) --no-print-directory BUILD=build-lint CC=gcc \
		EXTRA_CFLAGS='-Werror -fanalyzer -Wno-analyzer-malloc-leak' \
		$(SRCS:%.c=build-lint/%.o)
	$(Q)$(MAKE) --no-print-directory BUILD=build-clang CC=clang \
		EXTRA_CFLAGS=-Werror all
	$(Q)cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 -I. \
		--enable=warning,performance,portability \
		--suppressions-list=.cppcheck -D_GNU_SOURCE $(SRCS)
	$(Q)clang-tidy --quiet --warnings-as-errors='*' $(SRCS) -- \
		-std=gnu11 $(ALL_CPPFLAGS) 2>/dev/null
	$(Q)shellcheck $(SHELL_FILES)
	$(Q)mandoc -T lint -W warning docs/egress-run.1 docs/egress-run-profile.5
	@echo "lint: clean"
format:
	$(Q)clang-format -i $(ALL_C) $(ALL_H)
format-check: deps-lint
	$(Q)clang-format --dry-run -Werror $(ALL_C) $(ALL_H)

.PHONY: install uninstall clean help
install: all
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(MANDIR)/man1 \
		$(DESTDIR)$(MANDIR)/man5
	install -m 0755 $(BUILD)/egress-run $(DESTDIR)$(BINDIR)/egress-run
	install -m 0644 docs/egress-run.1 $(DESTDIR)$(MANDIR)/man1/egress-run.1
	install -m 0644 docs/egress-run-profile.5 \
		$(DESTDIR)$(MANDIR)/man5/egress-run-profile.5
	install -d $(DESTDIR)$(DATADIR)/egress-run/profiles/policy
	install -m 0644 profiles/*.json $(DESTDIR)$(DATADIR)/egress-run/profiles
	install -m 0644 profiles/policy/*.json \
		$(DESTDIR)$(DATADIR)/egress-run/profiles/policy
uninstall:
	rm -f $(DESTDIR)$(BINDIR)/egress-run
	rm -f $(DESTDIR)$(MANDIR)/man1/egress-run.1
	rm -f $(DESTDIR)$(MANDIR)/man5/egress-run-profile.5
	rm -rf $(DESTDIR)$(DATADIR)/egress-run
clean:
	rm -rf build build-asan build-lint build-clang build-fuzz

help:
	@echo 'all                build $(BUILD)/egress-run'
	@echo 'demo               install what is missing, build, show the main job'
	@echo 'check              install what is missing, build, run every test'
	@echo 'check-unit         the unit tests alone'
	@echo 'check-integration  the tests in the lab alone; TESTS="-k word" selects'
	@echo 'check-asan         every test with address and undefined sanitizers'
	@echo 'check-fuzz         the fuzz targets; SECONDS_EACH=300 for longer'
	@echo 'bench              every figure beside the peers, into docs/performance.md;'
	@echo '                   QUICK=1 roughly in two minutes, ONLY=startup,dns a part'
	@echo 'bench-check        fails where a ratio is 25% worse than its baseline;'
	@echo '                   bench-baseline records a new one'
	@echo 'lint               clang-tidy, cppcheck, gcc -fanalyzer, shellcheck'
	@echo 'format             apply .clang-format'
	@echo 'install, uninstall PREFIX=$(PREFIX), DESTDIR'
	@echo 'clean              remove the build folders'
