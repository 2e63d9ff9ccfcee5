# SPDX-License-Identifier: ISC
#
# A fuzz target is fuzz/NAME.c with LLVMFuzzerTestOneInput() (fuzz.h), a fragment
# fuzz/NAME.mk of one line and seeds in fuzz/corpus/NAME/:
#
#	$(eval $(call fuzz_target,yamux,common/yamux/yamux.o common/base/compat.o,))
#
# name, the objects it links, libraries. `make fuzz` builds all of them with
# libFuzzer under $(FUZZ_O)/ and runs each for FUZZ_SECONDS (F=name: only that
# one). `make check` replays the seeds, cut short and with flipped bits, through
# fuzz/NAME_replay, built like everything else.

FUZZ_SECONDS ?= 60
FUZZ_SAN = -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all
FUZZ_CFLAGS = -O1 -g -fno-omit-frame-pointer
FUZZ_COMPILE = $(FUZZ_CC) $(STD) $(INCLUDES) -D_GNU_SOURCE -DRELAYD_TESTING \
	-DRELAYD_SANITIZE -DRELAYD_FUZZ $(PATHS) $(CPPFLAGS) $(FUZZ_CFLAGS) \
	$(FUZZ_SAN) -MMD -MP

define fuzz_target
FUZZ_TARGETS += $(1)
FUZZ_REPLAYS += fuzz/$(1)_replay
OBJS += fuzz/$(1).o $(2)
FUZZ_OBJS += $(FUZZ_O)/fuzz/$(1).o $(addprefix $(FUZZ_O)/,$(2))
fuzz/$(1)_replay: fuzz/replay_main.o fuzz/$(1).o $(2) $$(filter %.a,$(3))
	@mkdir -p $$(@D)
	$$(SAY) "  LINK  $$@"
	$$(Q)$$(LINK) $$(PIE_LDFLAGS) -o $$@ fuzz/replay_main.o fuzz/$(1).o $(2) $(3)
$(FUZZ_O)/$(1): $(FUZZ_O)/fuzz/$(1).o $(addprefix $(FUZZ_O)/,$(2)) \
    $$(addprefix $(FUZZ_O)/,$$(filter %.a,$(3)))
	$$(SAY) "  LINK  $$@"
	$$(Q)$$(FUZZ_CC) $$(FUZZ_CFLAGS) -fsanitize=fuzzer,address,undefined \
	    -o $$@ $(FUZZ_O)/fuzz/$(1).o $(addprefix $(FUZZ_O)/,$(2)) \
	    $$(patsubst %.a,$(FUZZ_O)/%.a,$(3))
endef

OBJS += fuzz/replay_main.o
# LLVMFuzzerTestOneInput() is declared in nobody's header.
fuzz/%.o: WARN_CFLAGS += -Wno-missing-prototypes
-include $(filter-out %/fuzz.mk,$(wildcard $(srcdir)/fuzz/*.mk))

$(FUZZ_O)/%.o: %.c config.mk
	@mkdir -p $(@D)
	$(SAY) "  FUZZ  $@"
	$(Q)$(FUZZ_COMPILE) -c -o $@ $<
FUZZ_LLHTTP = $(addprefix $(FUZZ_O)/,$(LLHTTP_OBJS))
$(FUZZ_LLHTTP): $(FUZZ_O)/llhttp/%.o: $(LLHTTP_SRC)/%.c config.mk
	@mkdir -p $(@D)
	$(SAY) "  FUZZ  $@"
	$(Q)$(FUZZ_COMPILE) -w -c -o $@ $<
$(FUZZ_O)/llhttp/libllhttp.a: $(FUZZ_LLHTTP)
	$(SAY) "  AR    $@"
	$(Q)rm -f $@ && $(AR) cr $@ $(FUZZ_LLHTTP)

-include $(wildcard $(patsubst %.o,%.d,$(sort $(FUZZ_OBJS) $(FUZZ_LLHTTP))))

FUZZ_RUN = $(if $(F),$(F),$(FUZZ_TARGETS))
.PHONY: fuzz-build
fuzz-build: $(addprefix $(FUZZ_O)/,$(FUZZ_RUN))

# New inputs go to fuzz-obj/found/NAME; what is worth keeping is copied to
# fuzz/corpus/NAME by hand (fuzz/README.md). A crash leaves its input beside them.
FUZZ_FLAGS = -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -max_len=4096
fuzz: fuzz-build
	@test -n "$(FUZZ_CC)" || { echo "no clang"; exit 1; }
	@$(foreach t,$(FUZZ_RUN),echo "== $(t), $(FUZZ_SECONDS) s"; \
		mkdir -p $(FUZZ_O)/found/$(t) && \
		$(FUZZ_O)/$(t) -max_total_time=$(FUZZ_SECONDS) $(FUZZ_FLAGS) \
		    -artifact_prefix=$(FUZZ_O)/$(t)- $(FUZZ_O)/found/$(t) \
		    $(wildcard $(srcdir)/fuzz/corpus/$(t)) || exit 1;) :

# Each target has its share of FUZZ_HOURS on each of FUZZ_JOBS cores; what was
# found is merged into what reaches as much, and a line says how much that is.
FUZZ_HOURS ?= 1
FUZZ_JOBS ?= $(shell nproc 2>/dev/null || echo 1)
.PHONY: fuzz-all fuzz-coverage
fuzz-all: fuzz-build
	@test -n "$(FUZZ_CC)" || { echo "no clang"; exit 1; }
	sh $(srcdir)/fuzz/all $(FUZZ_O) $(srcdir)/fuzz/corpus $(FUZZ_HOURS) \
	    $(FUZZ_JOBS) $(FUZZ_RUN)

# Which lines and branches of our files the inputs reach, a line per file; the
# uncovered ones of a file: fuzz/coverage with its name.
fuzz-coverage:
	$(MAKE) --no-print-directory FUZZ_O=fuzz-cov F="$(F)" FUZZ_SAN= \
	    FUZZ_CFLAGS="-O1 -g -fprofile-instr-generate -fcoverage-mapping" \
	    fuzz-build
	sh $(srcdir)/fuzz/coverage fuzz-cov fuzz-obj/found \
	    $(srcdir)/fuzz/corpus $(FUZZ_RUN)
