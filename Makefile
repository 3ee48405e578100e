# SPDX-License-Identifier: GPL-2.0-or-later
# Everything a user or maintainer runs; `make help` lists it.

VERSION := 0.1.0
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
DESTDIR ?=

BUILD ?= build
CC ?= cc
PKG_CONFIG ?= pkg-config
PKGS := libnl-3.0 libmnl libnftnl libcares libseccomp

FOLDERS := common profiles netns dnsfilter relay fsrules launcher
SRCS := $(foreach d,$(FOLDERS),$(sort $(wildcard $(d)/*.c)))
OBJS := $(SRCS:%.c=$(BUILD)/%.o)
LIB_OBJS := $(filter-out $(BUILD)/launcher/main.o,$(OBJS))
UNIT_SRCS := $(sort $(wildcard tests/unit/test_*.c))
UNIT_BINS := $(UNIT_SRCS:tests/unit/%.c=$(BUILD)/unit/%)

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
all: $(BUILD)/egress-run

$(BUILD)/egress-run: $(OBJS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# A changed flag or version rebuilds everything.
$(BUILD)/%.o: %.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/unit/%: tests/unit/%.c $(LIB_OBJS) Makefile
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -MF $@.d $(ALL_LDFLAGS) \
		-o $@ $< $(LIB_OBJS) $(LIBS) -lcmocka

-include $(OBJS:.o=.d) $(UNIT_BINS:=.d)

.PHONY: unit-bins
unit-bins: $(UNIT_BINS)

# Tests.  Each of these installs what is missing first (as root or by sudo).

.PHONY: deps deps-test
deps:
	$(Q)tests/install-packages build
deps-test:
	$(Q)tests/install-packages test

# In a sub-make, so that a machine without the libraries gets them first.
.PHONY: check check-unit check-integration check-asan
check: deps-test
	$(Q)$(MAKE) --no-print-directory all unit-bins
	$(Q)BUILD=$(BUILD) tests/run unit integration
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

.PHONY: deps-lint lint format format-check
deps-lint:
	$(Q)tests/install-packages lint
ALL_C := $(SRCS) $(wildcard tests/unit/*.c)
ALL_H := $(foreach d,$(FOLDERS),$(wildcard $(d)/*.h)) $(wildcard tests/unit/*.h)
SHELL_FILES := .ci/run tests/install-packages tests/lab/lab tests/lab/demo \
	tests/lab/in-internet
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
	$(Q)mandoc -T lint -W warning docs/egress-run.1
	@echo "lint: clean"
format:
	$(Q)clang-format -i $(ALL_C) $(ALL_H)
format-check: deps-lint
	$(Q)clang-format --dry-run -Werror $(ALL_C) $(ALL_H)

.PHONY: install uninstall clean help
install: all
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(MANDIR)/man1
	install -m 0755 $(BUILD)/egress-run $(DESTDIR)$(BINDIR)/egress-run
	install -m 0644 docs/egress-run.1 $(DESTDIR)$(MANDIR)/man1/egress-run.1
uninstall:
	rm -f $(DESTDIR)$(BINDIR)/egress-run
	rm -f $(DESTDIR)$(MANDIR)/man1/egress-run.1
clean:
	rm -rf build build-asan build-lint build-clang

help:
	@echo 'all                build $(BUILD)/egress-run'
	@echo 'demo               install what is missing, build, show the main job'
	@echo 'check              install what is missing, build, run every test'
	@echo 'check-unit         the unit tests alone'
	@echo 'check-integration  the tests in the lab alone; TESTS="-k word" selects'
	@echo 'check-asan         every test with address and undefined sanitizers'
	@echo 'lint               clang-tidy, cppcheck, gcc -fanalyzer, shellcheck'
	@echo 'format             apply .clang-format'
	@echo 'install, uninstall PREFIX=$(PREFIX), DESTDIR'
	@echo 'clean              remove the build folders'
